"""What a run says while it works. A JSON answer ignores them; a stream shows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from prysm.core.payer import FREELY, Admitted
from prysm.core.values import dataclass

if TYPE_CHECKING:
    from prysm.core.cache import Lookup
    from prysm.core.chat import Piece
    from prysm.core.plan import Plan
    from prysm.core.run import Stage, StageKind


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan stands, and the run was let in; calls begin now, unless the cache has the answer."""

    plan: Plan
    admitted: Admitted = FREELY
    cache: Lookup | None = None


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A model was called."""

    kind: StageKind
    model: str


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A step ended, well or not."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the final answer: of its `choice`-th version, where the caller asked for several.

    Once one is out, no other model may replace the answer of `model`.
    """

    piece: Piece
    model: str
    choice: int = 0


Event: TypeAlias = Planned | StageStarted | StageFinished | Delta
Emit: TypeAlias = Callable[[Event], Awaitable[None]]
"""Takes an event to the caller; awaiting it is the backpressure of a slow reader."""


async def ignore(_: Event) -> None:
    """Emit to nobody."""
