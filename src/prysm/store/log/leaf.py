"""A leaf of the log, and the statements that the log makes about itself."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Literal

from prysm.core.values import dataclass
from prysm.proof import dsse, leaves
from prysm.proof.canonical import canonical
from prysm.proof.merkle import leaf_hash

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.proof.canonical import Json
    from prysm.store.log.keys import LogKey
    from prysm.store.log.pin import Pin
    from prysm.store.log.tree import Head


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one place of the log holds: the digest of what lies elsewhere, or of the statement in `body`.

    `request_id` is the run of a receipt, or the id of an audit event; statements are canonical JSON.
    """

    kind: int
    digest: bytes
    request_id: UUID | None = None
    body: bytes | None = None

    @property
    def entry(self) -> bytes:
        """The bytes that are hashed into the tree."""
        return leaves.entry(self.kind, self.digest)

    @property
    def hash(self) -> bytes:
        """The leaf hash."""
        return leaf_hash(leaves.entry(self.kind, self.digest))


def beginning(origin: str, predecessor: Pin | Head | None) -> Leaf:
    """Leaf 0 of a log; a predecessor is the log that it goes on from, with the last checkpoint known of it."""
    before: Json = None
    if predecessor is not None:
        before = {"origin": predecessor.origin, "checkpoint": predecessor.note}
    return _statement(leaves.BEGINNING, {"v": "prysmlog/1", "origin": origin, "predecessor": before})


def key_event(event: Literal["add", "close"], key: LogKey) -> Leaf:
    """A key becomes valid after this leaf, or ceases to be valid with it."""
    public = base64.b64encode(key.public).decode()
    body: Json = {"v": "prysmkey/1", "event": event, "kid": key.kid, "use": key.use, "public": public}
    return _statement(leaves.KEY, body)


def _statement(kind: int, statement: Json) -> Leaf:
    body = canonical(statement)
    return Leaf(kind, dsse.digest(leaves.LOG_PAYLOAD_TYPE, body), body=body)
