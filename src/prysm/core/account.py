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
    prompt = answer = 0
    spent: int | None = 0
    of_prompts: int | None = 0
    of_answers: int | None = 0
    estimated = False
    for stage in stages:
        usage = stage.usage
        if usage is None:
            continue
        prompt += usage.prompt_tokens or 0
        answer += usage.completion_tokens or 0
        spent = _plus(spent, stage.cost_nano)
        estimated = estimated or usage.estimated
        if stage.model is not None:  # no tokens cost nothing, whatever the price
            price = stage.model.price
            of_prompts = _plus(of_prompts, price.input_cost(usage) if usage.prompt_tokens != 0 else 0)
            of_answers = _plus(of_answers, price.output_cost(usage) if usage.completion_tokens != 0 else 0)
    return Account(prompt, answer, spent, of_prompts, of_answers, estimated)


def _plus(sum_: int | None, cost: int | None) -> int | None:
    return None if sum_ is None or cost is None else sum_ + cost
