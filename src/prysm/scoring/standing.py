"""Whether a completion is an answer at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from prysm.core.chat import Completion

Standing: TypeAlias = Literal["whole", "truncated", "refused", "repetitive", "empty"]

REFUSAL_CHARS = 240
REPETITION_CHARS = 2_000
MIN_TRIGRAMS = 40
MIN_DISTINCT = 0.20

_DECLINES = re.compile(
    r"\b(?:i|we)(?:'m| am| are)?(?: \w+)? "
    r"(?:can ?not|can't|unable to|not able to|won't|won't be able to|will not|decline to|refuse to|"
    r"don't feel comfortable|not comfortable)\s+(?:to )?(?:\w+ly )?"
    r"(?:help|assist|provid|answer|comply|fulfil|creat|generat|writ|discuss|engag|shar|do |support|continu|offer|"
    r"giv|participat)"
)

_NEGATIONS = ("not", "n't", "unable", "decline", "refuse")
"""One of these is in whatever declines, and none in most answers."""

_OF_CALLS: dict[str, Standing] = {"length": "truncated", "content_filter": "refused"}


def is_refusal(text: str) -> bool:
    """Tell whether a text opens by declining to answer. English only; in other languages it passes as an answer."""
    opening = text[:REFUSAL_CHARS].lower().replace("’", "'")
    for sign in _NEGATIONS:
        if sign in opening:
            return _DECLINES.search(opening) is not None
    return False


def is_repetitive(text: str) -> bool:
    """Tell whether the end of a text says the same few words over and over."""
    end = text[-REPETITION_CHARS:]
    units = end.split()
    if len(units) < MIN_TRIGRAMS and len(end) >= REPETITION_CHARS // 2:
        units = list(end)
    trigrams = len(units) - 2
    if trigrams < MIN_TRIGRAMS or len(set(units)) - 2 >= MIN_DISTINCT * trigrams:
        return False  # each word but the last two begins a trigram, so there are as many
    return len(set(zip(units, units[1:], units[2:], strict=False))) < MIN_DISTINCT * trigrams


def standing(completion: Completion) -> Standing:
    """Say what a completion is worth as an answer; what the provider filtered counts as refused."""
    if completion.tool_calls:
        return _OF_CALLS.get(completion.finish_reason, "whole")
    text = completion.text
    if not text or text.isspace():
        return "empty"
    if completion.refused or completion.finish_reason == "content_filter" or is_refusal(text):
        return "refused"
    if is_repetitive(text):
        return "repetitive"
    return "truncated" if completion.finish_reason == "length" else "whole"


def usable(completion: Completion) -> bool:
    """Tell whether a completion may vote; the others abstain."""
    return standing(completion) == "whole"
