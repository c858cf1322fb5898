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

_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able|afraid i)|i (?:cannot|can't|can not|won't|will not|must decline|"
    r"don't feel comfortable)|as an ai\b|(?:i|we) (?:must|have to) (?:refuse|decline)|i apologi[sz]e, but)"
)
_REFUSED_ACT = re.compile(
    r"\b(?:cannot|can't|can not|unable to|not able to|won't(?: be able to)?|will not|must decline|decline to|refuse to|"
    r"comfortable)\s*(?:to )?(?:help|assist|provide|answer|comply|fulfil|fulfill|do that|create|generate|write|discuss|"
    r"engage|support|continue|share|offer|give|participate|with)?\b"
)
_WITHHOLDS = re.compile(
    r"\b(?:help|assist|provide|answer|comply|fulfil|create|generate|write|discuss|engage|share|do that)"
)


def is_refusal(text: str) -> bool:
    """Tell whether a text opens by declining to answer. English only; other languages pass as answers."""
    opening = text[:REFUSAL_CHARS].lower().replace("’", "'")
    if not opening.lstrip(' \n*_"').startswith(
        ("i", "sorry", "as an", "unfortunately", "my apolog", "we ", "no, i")
    ):
        return False
    opening = opening.replace("sorry, but i", "i'm sorry i") if opening.startswith("sorry") else opening
    if _REFUSAL.search(opening) is None:
        return False
    act = _REFUSED_ACT.search(opening)
    return act is not None and _WITHHOLDS.search(opening, act.start()) is not None


def is_repetitive(text: str) -> bool:
    """Tell whether the end of a text says the same few words over and over."""
    end = text[-REPETITION_CHARS:]
    units = end.split()
    if len(units) < MIN_TRIGRAMS and len(end) >= REPETITION_CHARS // 2:
        units = list(end)
    trigrams = len(units) - 2
    return (
        trigrams >= MIN_TRIGRAMS
        and len(set(zip(units, units[1:], units[2:], strict=False))) < MIN_DISTINCT * trigrams
    )


def standing(completion: Completion) -> Standing:
    """Say what a completion is worth as an answer; what the provider filtered counts as refused."""
    if not completion.text.strip():
        return "empty"
    if completion.finish_reason == "content_filter" or is_refusal(completion.text):
        return "refused"
    if is_repetitive(completion.text):
        return "repetitive"
    return "truncated" if completion.finish_reason == "length" else "whole"


def usable(completion: Completion) -> bool:
    """Tell whether a completion may vote; the others abstain."""
    return standing(completion) == "whole"
