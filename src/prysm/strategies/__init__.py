"""One file a strategy. Adding one is one file and one line here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from prysm.strategies.blender import Blender
from prysm.strategies.cascade import Cascade
from prysm.strategies.debate import Debate
from prysm.strategies.decompose_and_route import DecomposeAndRoute
from prysm.strategies.ensemble_moa import EnsembleMoa
from prysm.strategies.run import Run
from prysm.strategies.self_consistency import SelfConsistency
from prysm.strategies.single import Single

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.plan import StrategyName
    from prysm.core.run import Verdict


class Strategy(Protocol):
    """A way to spend calls on a prompt. Stateless: everything about one run is in its `Run`."""

    async def run(self, run: Run) -> Verdict:
        """Make the plan's calls and choose an answer; raises a `PrysmError` when there is none."""
        ...


STRATEGIES: Mapping[StrategyName, Strategy] = MappingProxyType(
    {
        "single": Single(),
        "cascade": Cascade(),
        "ensemble_moa": EnsembleMoa(),
        "blender": Blender(),
        "decompose_and_route": DecomposeAndRoute(),
        "self_consistency": SelfConsistency(),
        "debate": Debate(),
    }
)

__all__ = ["STRATEGIES", "Run", "Strategy"]
