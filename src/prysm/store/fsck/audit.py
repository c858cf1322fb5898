"""What an audit works with, and what it has found so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from prysm.store.fsck.fixes import FIXES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from asyncpg import Record

    from prysm.store.connection import Connection

Progress: TypeAlias = "Callable[[str, int], None]"
"""Told what is being read, and how many rows of it were."""

SLICE = 1024
SHOWN = 20
"""Findings of one kind that are kept; the rest are counted. One altered leaf spoils every checkpoint after it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: its kind, where it is, what was found, and what to do."""

    code: str
    where: str
    what: str
    fix: str

    def as_json(self) -> dict[str, str]:
        """The finding for a program."""
        return asdict(self)


class Audit:
    """One pass over one snapshot.

    `counts` says how much was looked at; `void` how many receipts each revoked key leaves without a good signature,
    which is what a revocation is for and no damage.
    """

    def __init__(self, connection: Connection, progress: Progress) -> None:
        self.connection = connection
        self.progress = progress
        self.counts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.void: Counter[str] = Counter()
        self.findings: list[Finding] = []

    def add(self, code: str, where: str, what: str) -> None:
        """Record something that is wrong. `code` is a key of `FIXES`."""
        self.kinds[code] += 1
        if self.kinds[code] <= SHOWN:
            self.findings.append(Finding(code, where, what, FIXES[code]))

    async def slices(self, statement: str, *values: object, size: int = SLICE) -> AsyncIterator[list[Record]]:
        """The rows of a statement, up to `size` at a time: a cursor, so that none is skipped, however odd its key."""
        cursor = await self.connection.cursor(statement, *values)
        while rows := await cursor.fetch(size):
            yield rows

    def as_json(self) -> dict[str, Any]:
        """What was found, for a program; `kinds` counts findings also beyond those that are listed."""
        return {
            "ok": not self.findings,
            "counts": dict(self.counts),
            "void": dict(self.void),
            "kinds": dict(self.kinds),
            "findings": [finding.as_json() for finding in self.findings],
        }
