"""The books: accounts, entries, usage, and what is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.store.ledger import ledger_defects

if TYPE_CHECKING:
    from prysm.store.fsck.audit import Audit

_ENTRIES = "SELECT count(*) FROM ledger_entry"


async def check_ledger(audit: Audit) -> None:
    """Whether they agree to the nano-dollar."""
    audit.counts["entries"] = await audit.connection.fetchval(_ENTRIES)
    for sentence in await ledger_defects(audit.connection):
        where, _, what = sentence.partition(": ")
        audit.add("ledger", where, f"{what[:1].upper()}{what[1:]}.")
