"""How well an answer looks. Correctness hardly shows there (AUROC .50–.60); what shows is what is missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prysm.core.plan import Profile
    from prysm.scoring.extract import Extracted
    from prysm.scoring.question import Question

SEEN_CHARS = 4_000
CLEAN_ENDS = frozenset(".!?…。！？`\")]}*:>|'”»;$")
PLAUSIBLE_CHARS = {"writing": 40, "analysis": 60, "code": 20, "extraction": 2}
MAX_PLAUSIBLE_CHARS = 40_000

_HEDGE = re.compile(
    r"\b(?:i think|i believe|i'm not sure|not sure|not certain|maybe|perhaps|possibly|probably|might be|could be|"
    r"it seems|i guess|unclear|hard to say|as far as i know|don't know|do not know)\b"
)
_HEDGES = (
    *("i think", "i believe", "t sure", "not certain", "maybe", "perhaps", "possibly", "probably", "might be"),
    *("could be", "it seems", "i guess", "unclear", "hard to say", " know"),
)
"""One of these is in whatever hedges, and none in most answers."""
_PART = re.compile(r"\n\s*\n|\n\s*(?:[-*•]|\d{1,2}[.)])\s")


def quality(text: str, profile: Profile, question: Question, extracted: Extracted | None) -> float:
    """Weigh, 0–1: ends cleanly, has the asked form, covers all parts, does not hedge, has a plausible length."""
    seen = text[-SEEN_CHARS:]
    return (
        0.35 * _complete(seen, extracted)
        + 0.25 * _has_form(seen, question, extracted)
        + 0.15 * _covers(seen, profile)
        + 0.15 * (1 - hedging(seen))
        + 0.10 * (PLAUSIBLE_CHARS.get(profile.task, 1) <= len(text) <= MAX_PLAUSIBLE_CHARS)
    )


def _complete(seen: str, extracted: Extracted | None) -> bool:
    end = seen.rstrip()[-1:]
    return extracted is not None or end in CLEAN_ENDS or (not end.isascii() and bool(end))


def _has_form(seen: str, question: Question, extracted: Extracted | None) -> bool:
    if question.closed:
        return extracted is not None
    return not question.code or "```" in seen or "\n" in seen


def _covers(seen: str, profile: Profile) -> float:
    """Compare an answer's parts with the questions of a compound prompt; to a plain one every answer is whole."""
    if not profile.compound:
        return 1.0
    asked = max(2, int(profile.signals.get("question_marks", 0)))
    return min(1.0, (1 + len(_PART.findall(seen))) / asked)


def hedging(seen: str) -> float:
    """Return hedges per sentence, at most 1."""
    lower = seen.lower()
    for sign in _HEDGES:  # a loop, here and in other readers of every answer: half the time of a generator
        if sign in lower:
            break
    else:
        return 0.0
    hedges = len(_HEDGE.findall(lower))
    return min(1.0, hedges / max(1, seen.count(". ") + seen.count("\n") + 1)) if hedges else 0.0
