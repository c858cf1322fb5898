"""What a run used and cost in all, every call summed, losers and failures too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prysm.core.run import Stage


@dataclass(frozen=True, slots=True)
class Account:
    """Tokens, and integer nano-dollars where every price is known. `estimated`: some counts are ours."""

    prompt_tokens: int
    completion_tokens: int
    total_nano: int | None
    input_nano: int | None
    output_nano: int | None
    estimated: bool


def account(stages: Iterable[Stage]) -> Account:
    """Sum the calls among the stages."""
    calls = [(stage, stage.usage) for stage in stages if stage.usage is not None]
    prices = [(stage.model.price, usage) for stage, usage in calls if stage.model is not None]
    return Account(
        prompt_tokens=sum([usage.prompt_tokens or 0 for _, usage in calls]),
        completion_tokens=sum([usage.completion_tokens or 0 for _, usage in calls]),
        total_nano=_sum([stage.cost_nano for stage, _ in calls]),
        input_nano=_sum([_unless_none(price.input_cost(usage), usage.prompt_tokens) for price, usage in prices]),
        output_nano=_sum(
            [_unless_none(price.output_cost(usage), usage.completion_tokens) for price, usage in prices]
        ),
        estimated=any(usage.estimated for _, usage in calls),
    )


def _unless_none(cost: int | None, tokens: int | None) -> int | None:
    """The cost, unless there were no tokens: those cost nothing, whatever the price."""
    return 0 if tokens == 0 else cost


def _sum(costs: list[int | None]) -> int | None:
    return None if None in costs else sum([cost for cost in costs if cost is not None])
