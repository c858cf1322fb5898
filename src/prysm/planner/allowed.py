"""Plans within what the caller's key allows. What a request names was held against the key before it came here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.plan import STRATEGIES
from prysm.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, StrategyName

STAND_INS: tuple[StrategyName, ...] = ("cascade", "single", *STRATEGIES)
"""What takes the place of a strategy that the policy would choose and the key does not allow, the first that it does:
the nearest in what it spends."""


def allowed(models: Sequence[Model], request: ChatRequest) -> Sequence[Model]:
    """Those of the models that the key allows."""
    if request.allowed_models is None:
        return models
    return tuple([model for model in models if model.id in request.allowed_models])


def allowed_strategy(chosen: StrategyName, why: str, request: ChatRequest) -> tuple[StrategyName, str]:
    """The strategy that a policy chose, or one that the key allows in its place, with the reason."""
    within = request.allowed_strategies
    if within is None or chosen in within:
        return chosen, why
    other = next((name for name in STAND_INS if name in within), chosen)
    return other, f"{why}; this key does not allow {chosen}"


def check_strategy(strategy: StrategyName, within: frozenset[str]) -> None:
    """Raise `Forbidden` when a plan came down to a strategy that the key does not allow."""
    if strategy not in within:
        raise Forbidden(
            f"This request comes down to the strategy {strategy!r}, which this key does not allow. It allows "
            f"{', '.join(sorted(within)) or 'none'}: ask for one of them at /v2/orchestrate.",
            param="strategy",
        )
