"""Which strategy a policy and a prompt call for."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.plan import Policy, Profile, StrategyName

Level: TypeAlias = Literal["efficiency", "balanced", "depth"]

BARS: Mapping[Level, float] = MappingProxyType({"efficiency": 0.62, "balanced": 0.72, "depth": 0.85})
"""The bars the three built-in policies start with."""

HARD_WORDS = 20
_DEBATED = frozenset({"reasoning", "math", "analysis"})


def auto_strategy(policy: Policy, profile: Profile) -> tuple[StrategyName, str]:
    """The first row of the table that matches, and the row in words."""
    if profile.compound:
        return "decompose_and_route", "the prompt asks for several things"
    return _by_level(level(policy), profile)


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
