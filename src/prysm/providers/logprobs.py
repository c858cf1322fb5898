"""Log probabilities of an answer's tokens. An answer is never refused for them: what cannot be read is not there.

https://platform.openai.com/docs/api-reference/chat/object and https://ai.google.dev/api/generate-content#LogprobsResult
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeGuard

from prysm.core.chat import TokenLogprob, TopLogprob
from prysm.providers.fields import optional

if TYPE_CHECKING:
    from collections.abc import Iterable


def of_openai(choice: dict[str, Any]) -> list[TokenLogprob | None]:
    """Read `logprobs` of a choice, or of a chunk of one; `None` stands for a token that cannot be read.

    An answer has them under `content`, a refusal under `refusal`.
    """
    told = optional(choice.get("logprobs"))
    entries = _listed(told.get("content")) + _listed(told.get("refusal"))
    return [_token(entry, optional(entry).get("top_logprobs")) for entry in entries]


def of_gemini(candidate: dict[str, Any]) -> list[TokenLogprob | None]:
    """Read `logprobsResult` of a candidate in the same way."""
    result = optional(candidate.get("logprobsResult"))
    chosen, tops = _listed(result.get("chosenCandidates")), _listed(result.get("topCandidates"))
    steps = zip_longest(chosen, tops[: len(chosen)])
    return [_token(entry, optional(top).get("candidates")) for entry, top in steps]


def whole(read: Iterable[TokenLogprob | None]) -> tuple[TokenLogprob, ...] | None:
    """Return the tokens of an answer, or `None` when there are none or one of them could not be read."""
    tokens = tuple(read)
    return tokens if tokens and _all_read(tokens) else None


def _all_read(tokens: tuple[TokenLogprob | None, ...]) -> TypeGuard[tuple[TokenLogprob, ...]]:
    return None not in tokens


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _token(entry: Any, others: Any) -> TokenLogprob | None:
    read = _read(entry)
    if read is None:
        return None
    top = [_read(other) for other in others] if others and isinstance(others, list) else ()
    return TokenLogprob(*read, tuple(TopLogprob(*one) for one in top if one is not None))


def _read(entry: Any) -> tuple[str, float, tuple[int, ...] | None] | None:
    """Read what stands beside a token; called for each of thousands, so it is to be quick."""
    if not isinstance(entry, dict):
        return None
    token, value = entry.get("token"), entry.get("logprob", entry.get("logProbability"))
    if not isinstance(token, str) or not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return token, float(value), _bytes(entry.get("bytes"))


def _bytes(value: Any) -> tuple[int, ...] | None:
    try:
        return tuple(bytes(value)) if isinstance(value, list) else None
    except (TypeError, ValueError):
        return None
