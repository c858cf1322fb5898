"""The leaves of a log, one after another: their order, their kind, and the statements among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.proof import checkpoint, leaves, note
from prysm.proof.canonical import parse
from prysm.proof.defect import Defect
from prysm.proof.dsse import digest
from prysm.proof.merkle import leaf_hash

if TYPE_CHECKING:
    from asyncpg import Record

    from prysm.store.fsck.audit import Audit
    from prysm.store.fsck.keys import Announcements


class LeafAudit:
    """Checks leaf by leaf. `sound`: none is missing or malformed so far, so the tree over them is known."""

    def __init__(self, audit: Audit, origin: str, before: str | None, announced: Announcements) -> None:
        self.sound = True
        self._audit = audit
        self._origin = origin
        self._before = before
        self._announced = announced
        self._next = 0

    @property
    def empty(self) -> bool:
        """Whether no leaf was seen."""
        return self._next == 0

    def hash(self, row: Record) -> bytes | None:
        """The leaf hash, as long as the leaves are sound."""
        where = f"log {self._origin} index {row['idx']}"
        self._audit.counts["deleted"] += row["kind"] == leaves.RECEIPT and not row["kept"]
        self._order(row["idx"])
        try:
            entry = leaves.entry(row["kind"], row["digest"])
        except Defect as defect:
            self._broken("leaf_malformed", where, f"It cannot be an entry: {defect}.")
            return None
        self._content(row, where)
        return leaf_hash(entry) if self.sound else None

    def _order(self, index: int) -> None:
        missing = index - self._next
        if missing > 0:
            lost = f"{missing} leaves are" if missing > 1 else "A leaf is"
            self._broken("leaf_gap", f"log {self._origin} index {self._next}", f"{lost} missing.")
        elif missing < 0:
            self._broken("leaf_duplicate", f"log {self._origin} index {index}", "There is more than one leaf.")
        self._next = index + 1

    def _broken(self, code: str, where: str, what: str) -> None:
        if self.sound:
            what += " From here on tiles and roots cannot be recomputed."
        self.sound = False
        self._audit.add(code, where, what)

    def _content(self, row: Record, where: str) -> None:
        """What a leaf holds beside its digest: the id of a receipt or an event, or a statement."""
        elsewhere, body = row["kind"] in (leaves.RECEIPT, leaves.AUDIT), row["body"]
        if (row["kind"] == leaves.BEGINNING) != (row["idx"] == 0):
            self._audit.add("log_beginning", where, "A log begins with its first leaf, and only there.")
        if elsewhere != (row["request_id"] is not None) or elsewhere != (body is None):
            what = "The leaf of a receipt or an event has an id, every other one a statement."
            self._audit.add("leaf_malformed", where, what)
        elif body is not None:
            self._statement(row, where)

    def _statement(self, row: Record, where: str) -> None:
        body, begins = row["body"], row["kind"] == leaves.BEGINNING
        if digest(leaves.LOG_PAYLOAD_TYPE, body) != row["digest"]:
            self._audit.add("leaf_body", where, "The statement is not the one whose digest the log holds.")
            return
        try:
            wrong = self._beginning(body) if begins else self._announced.wrong(row["idx"], body)
        except (ValueError, AttributeError, TypeError, LookupError):
            wrong = "The statement cannot be read."
        if wrong:
            self._audit.add("log_beginning" if begins else "key_event", where, wrong)

    def _beginning(self, body: bytes) -> str | None:
        """A predecessor's checkpoint is of a state that this database has lost: only its text can be checked."""
        statement = parse(body)
        before = statement["predecessor"]
        named = before["origin"] if before else None
        if statement["v"] != "prysmlog/1" or statement["origin"] != self._origin:
            return "The first leaf begins another log."
        if named != self._before:
            return f"It names the predecessor {named!r}; the log before it is {self._before!r}."
        if before and checkpoint.parse(note.signatures(before["checkpoint"])[0]).origin != named:
            return "The checkpoint of its predecessor is of another log."
        return None
