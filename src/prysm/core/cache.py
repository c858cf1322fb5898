"""The response cache: what a caller wants of it, and what it was found to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.values import dataclass

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.run import Stage, Verdict


@dataclass(frozen=True, slots=True)
class Caching:
    """A caller's wish: an answer that was kept, no older than `ttl_s`, or else a new one, to be kept for so long.

    `ttl_s` of None leaves the time to the operator. `sample` tells apart answers to one request of which a caller wants
    several, each with an entry of its own. `wanted` is false where a caller does without what his key asks for.
    """

    wanted: bool = True
    ttl_s: int | None = None
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Original:
    """The run that gave an answer first, `age_s` seconds ago, and the hash of its receipt, `sha256:<64 hex>`."""

    request_id: str
    proof_hash: str
    age_s: int


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer of an earlier run. `stages` are steps that made no call, one for each version of the answer.

    `models` are the ids of those that had a part in the answer.
    """

    original: Original
    stages: tuple[Stage, ...]
    verdict: Verdict
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an answer is kept: under `key` (32 bytes), of the organisation `org`, for `ttl_s` seconds."""

    org: UUID
    key: bytes
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """That the cache was asked. `entry` is where an answer may be kept; None: it must not be, or cannot."""

    entry: Entry | None = None
    found: Recalled | None = None


NOWHERE = Lookup()
"""What is told of a request whose answer may neither come from the cache nor be kept there."""
