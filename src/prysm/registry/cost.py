"""What calls will cost, expected and at the worst, before any is made. Integer nano-dollars; None is unknown."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.chat import Usage
from prysm.core.model import TOKENS_PER_MTOK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prysm.core.chat import Message
    from prysm.core.model import Model, Task
    from prysm.core.plan import Profile

EXPECTED_OUTPUT: Mapping[Task, int] = MappingProxyType(
    {
        "code": 500,
        "math": 300,
        "reasoning": 300,
        "analysis": 600,
        "writing": 600,
        "translation": 200,
        "extraction": 150,
        "factual": 120,
        "chat": 120,
    }
)
"""Tokens of a usual answer by task. Orders of magnitude for comparing plans, not a forecast of one answer."""

DEFAULT_OUTPUT_CAP = 4096
"""Output cap of a call when neither the caller nor the catalog gives one."""

_TOKENS_AROUND_A_MESSAGE = 8


def expected_cost(model: Model, profile: Profile) -> int | None:
    """One usual call."""
    return model.price.cost(Usage(profile.prompt_tokens, EXPECTED_OUTPUT[profile.task]))


def worst_cost(model: Model, prompt_tokens: int, max_tokens: int) -> int | None:
    """One call whose prompt is at most `prompt_tokens` and whose answer is as long as it may be."""
    price = model.price
    if price.input is None or price.output is None:
        return None
    dearest_input = max(price.input, price.cache_write or 0, price.cached_input or 0)
    dearest_output = max(price.output, price.reasoning or 0)
    return sum(-(-side // TOKENS_PER_MTOK) for side in (prompt_tokens * dearest_input, max_tokens * dearest_output))


def tokens_at_most(messages: Sequence[Message]) -> int:
    """A bound on the prompt's tokens: no byte-level vocabulary makes more tokens than there are bytes."""
    return sum(len(message.content.encode()) + _TOKENS_AROUND_A_MESSAGE for message in messages)


def output_cap(model: Model, asked: int | None) -> int:
    """Tokens one answer may have: what was asked for, within what the model can give."""
    limit = model.max_output_tokens or DEFAULT_OUTPUT_CAP
    return min(asked, limit) if asked is not None else limit


def total(costs: Iterable[int | None]) -> int | None:
    """Their sum, unknown as soon as one is."""
    listed = list(costs)
    return None if None in listed else sum(cost for cost in listed if cost is not None)
