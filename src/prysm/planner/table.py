"""Which strategy a policy and a prompt call for."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.errors import UnsupportedParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.plan import Policy, Profile, StrategyName

Level: TypeAlias = Literal["efficiency", "balanced", "depth"]

BARS: Mapping[Level, float] = MappingProxyType({"efficiency": 0.62, "balanced": 0.72, "depth": 0.85})
"""The bars the three built-in policies start with."""

AVAILABLE: tuple[StrategyName, ...] = ("single", "cascade", "ensemble_moa", "self_consistency")
"""What this version can run. The others are refused when asked for by name, and replaced, saying so, otherwise."""

HARD_WORDS = 20
_DEBATED = frozenset({"reasoning", "math", "analysis"})


def auto_strategy(policy: Policy, profile: Profile) -> tuple[StrategyName, str]:
    """The first row of the table that matches, and the row in words."""
    if profile.compound:
        return "decompose_and_route", "the prompt asks for several things"
    return _by_level(level(policy), profile)


def without(strategy: StrategyName, policy: Policy, profile: Profile) -> StrategyName:
    """What stands in for a strategy this version cannot run: the table's answer for the prompt as one task."""
    if strategy == "decompose_and_route":
        strategy, _ = _by_level(level(policy), profile)
    return strategy if strategy in AVAILABLE else "ensemble_moa"


def require_available(strategy: StrategyName) -> None:
    """Refuse a strategy that was asked for by name and cannot be run."""
    if strategy not in AVAILABLE:
        raise UnsupportedParameter(
            f"The strategy '{strategy}' is not available in this version. Use one of {', '.join(AVAILABLE)}, "
            "or leave it out and a policy will choose.",
            param="strategy",
        )


def level(policy: Policy) -> Level:
    """The rows a policy reads; an operator's own policy reads those of the bar nearest to its own."""
    return next((own for own in BARS if own == policy.id), min(BARS, key=lambda own: abs(BARS[own] - policy.bar)))


def _by_level(own: Level, profile: Profile) -> tuple[StrategyName, str]:
    if own == "depth":
        if profile.task in _DEBATED:
            return "debate", f"depth on {profile.task}"
        return "ensemble_moa", "depth"
    if profile.difficulty == "trivial":
        return "single", "a trivial prompt"
    if own == "balanced" and profile.difficulty == "hard" and profile.words >= HARD_WORDS:
        return "ensemble_moa", "a hard prompt"
    return "cascade", f"a {profile.difficulty} prompt"
