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
        cost = stage.cost_nano
        spent = None if spent is None or cost is None else spent + cost
        estimated = estimated or usage.estimated
        if stage.model is not None:  # no tokens cost nothing, whatever the price
            price = stage.model.price
            cost = price.input_cost(usage) if usage.prompt_tokens != 0 else 0
            of_prompts = None if of_prompts is None or cost is None else of_prompts + cost
            cost = price.output_cost(usage) if usage.completion_tokens != 0 else 0
            of_answers = None if of_answers is None or cost is None else of_answers + cost
    return Account(prompt, answer, spent, of_prompts, of_answers, estimated)
