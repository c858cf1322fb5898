"""A log from its first leaf to its last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.store.fsck.keys import Announcements
from prysm.store.fsck.leaves import LeafAudit
from prysm.store.fsck.tree import TreeAudit
from prysm.store.log.keys import read_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.proof.keys import PublicKey
    from prysm.store.fsck.audit import Audit

_LEAVES = """
    SELECT idx, kind, digest, request_id, body,
        EXISTS (SELECT FROM receipt WHERE receipt.request_id = log_leaf.request_id) AS kept
    FROM log_leaf WHERE log = $1 ORDER BY idx
"""
# A leaf holds a receipt once; the index that sees to it may itself be damaged, so the table is asked.
_TWICE = """
    SELECT request_id, count(*) AS times FROM log_leaf WHERE request_id IS NOT NULL
    GROUP BY request_id HAVING count(*) > 1
"""


@dataclass(frozen=True, slots=True)
class Log:
    """A row of the table of logs; `before` is the origin of the log it must name as its predecessor."""

    n: int
    origin: str
    before: str | None
    succeeded: bool


async def check_log(audit: Audit, log: Log, keys: Sequence[PublicKey]) -> None:
    """Everything about one log."""
    announced = Announcements(await read_keys(audit.connection, log.n))
    leaves = LeafAudit(audit, log.origin, log.before, announced)
    named = [key for key in keys if (key.use, key.origin) == ("log", log.origin)]
    tree = TreeAudit(audit, log.n, log.origin, named)
    audit.counts["logs"] += 1
    async for rows in audit.slices(_LEAVES, log.n):
        hashes = [leaves.hash(row) for row in rows]
        await tree.grow([each for each in hashes if each is not None])
        audit.counts["leaves"] += len(rows)
        audit.progress("leaves", audit.counts["leaves"])
    for what in announced.missing():
        audit.add("key_event", f"log {log.origin}", what)
    if leaves.empty:
        audit.add("log_beginning", f"log {log.origin}", "It has no leaf, not even the one it begins with.")
    await tree.end(sound=leaves.sound, succeeded=log.succeeded)


async def check_twice(audit: Audit) -> None:
    """Whether some receipt is in the logs more than once."""
    async for rows in audit.slices(_TWICE):
        for row in rows:
            audit.add("leaf_twice", f"receipt {row['request_id']}", f"It has {row['times']} leaves.")
