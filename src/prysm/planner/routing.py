"""Why a model won a prompt, and why each other one lost, in plain English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.model import NANO_PER_USD
from prysm.core.plan import Alternative
from prysm.registry.cost import expected_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.plan import Profile, RoutingMode
    from prysm.registry.value import Ranked


def alternatives(
    ranked: Sequence[Ranked], chosen: Ranked, excluded: Sequence[tuple[Model, str]], profile: Profile
) -> tuple[Alternative, ...]:
    """The runners-up with the reason each lost, best first, then the models that could not take the prompt."""
    losers = [row for row in ranked if row.model is not chosen.model]
    ran_up = [Alternative(row.model, row.cost_nano, _why_not(row, chosen)) for row in losers]
    unfit = [Alternative(model, expected_cost(model, profile), reason) for model, reason in excluded]
    return (*ran_up, *unfit)


def why(chosen: Ranked, profile: Profile, mode: RoutingMode) -> str:
    """Why the chosen model won, in plain English."""
    price = "unknown price" if chosen.cost_nano is None else f"about ${chosen.cost_nano / NANO_PER_USD:.6f}"
    return (
        f"A {profile.difficulty} {profile.task} prompt: {chosen.model.display} gives the best {mode} value "
        f"(expected quality {chosen.quality:.2f}, {price})"
    )


def _why_not(row: Ranked, chosen: Ranked) -> str:
    if row.cost_nano is None:
        return "its price is unknown"
    gain = row.quality - chosen.quality
    if gain <= 0:
        return f"expected quality {-gain:.2f} lower" if gain else "the same expected quality for no lower price"
    if chosen.cost_nano:
        return f"only {gain:.2f} more expected quality for {row.cost_nano / chosen.cost_nano:.1f} times the price"
    return f"only {gain:.2f} more expected quality, and it is not free"
