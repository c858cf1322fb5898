"""Which strategy a policy and a prompt call for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.errors import UnsupportedParameter

if TYPE_CHECKING:
    from prysm.core.plan import Policy, Profile, StrategyName

AVAILABLE: tuple[StrategyName, ...] = ("single", "cascade", "ensemble_moa", "self_consistency")
"""What this version can run. The others are refused when asked for by name, and replaced, saying so, otherwise."""

HARD_WORDS = 20
_DEBATED = frozenset({"reasoning", "math", "analysis"})


def auto_strategy(policy: Policy, profile: Profile) -> tuple[StrategyName, str]:
    """The first row of the table that matches, and the row in words."""
    if profile.compound:
        return "decompose_and_route", "the prompt asks for several things"
    return _by_level(_level(policy), profile)


def without(strategy: StrategyName, policy: Policy, profile: Profile) -> StrategyName:
    """What stands in for a strategy this version cannot run: the table's answer for the prompt as one task."""
    if strategy == "decompose_and_route":
        strategy, _ = _by_level(_level(policy), profile)
    return strategy if strategy in AVAILABLE else "ensemble_moa"


def require_available(strategy: StrategyName) -> None:
    """Refuse a strategy that was asked for by name and cannot be run."""
    if strategy not in AVAILABLE:
        raise UnsupportedParameter(
            f"The strategy '{strategy}' is not available in this version. Use one of {', '.join(AVAILABLE)}, "
            "or leave it out and a policy will choose.",
            param="strategy",
        )


def _by_level(level: str, profile: Profile) -> tuple[StrategyName, str]:
    if level == "depth":
        if profile.task in _DEBATED:
            return "debate", f"depth on {profile.task}"
        return "ensemble_moa", "depth"
    if profile.difficulty == "trivial":
        return "single", "a trivial prompt"
    if level == "balanced" and profile.difficulty == "hard" and profile.words >= HARD_WORDS:
        return "ensemble_moa", "a hard prompt"
    return "cascade", f"a {profile.difficulty} prompt"


def _level(policy: Policy) -> str:
    """The row a policy reads; an operator's own policy reads the row whose bar is nearest to its own."""
    bars = {"efficiency": 0.62, "balanced": 0.72, "depth": 0.85}
    return policy.id if policy.id in bars else min(bars, key=lambda level: abs(bars[level] - policy.bar))
