"""How hard a prompt looks, 0–100: the mean of a rule over its surface and of what was fitted to people's levels.

Both are weak, each in its own world: the rule orders prompts by the models that miss them within one benchmark, the
fitted table by the knowledge they ask for (docs/classifier.md has the figures). The score orders prompts; it does not
promise that a model will fail.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from prysm.classify.words import (
    AUXILIARIES,
    CONSTRAINT_WORDS,
    MODALS,
    QUESTION_WORDS,
    REASONING_WORDS,
    REQUEST_OPENERS,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from prysm.classify.features import Features
    from prysm.core.model import Task
    from prysm.core.plan import Difficulty

TRIVIAL_BELOW, HARD_FROM = 34, 47
"""Between look-ups and school word problems, and between those and competition mathematics; the sets overlap."""
FEW_WORDS, FEW_WORDS_BELOW = 8, 40
MANY_LINES = 24
"""Lines from which more add no more."""
LOOKUP = 4
"""Base of a plain question for a fact; the same asked as an instruction starts at `_BASE`."""
SUM = 5
"""What a sum of a few numbers and signs is set to."""

_BASE: dict[Task, float] = {
    "code": 24,
    "math": 20,
    "reasoning": 24,
    "analysis": 20,
    "writing": 18,
    "translation": 8,
    "extraction": 14,
    "factual": 16,
    "chat": 0,
}
_LENGTH = tuple(min(30.0, 5.5 * math.log2(1 + words / 8)) for words in range(400))
"""What so many words add; more add no more."""
_TELLING = REASONING_WORDS | CONSTRAINT_WORDS
_ASKING = QUESTION_WORDS | AUXILIARIES | MODALS
_WORKED_OUT: frozenset[Task] = frozenset(["code", "math", "reasoning", "analysis"])
_SMALL_SUM = re.compile(r"^\W*(?:what(?:'s| is)|calculate|compute)?\s*[\d\s.,+*/x×÷^()=?-]{3,40}$")


def surface(features: Features, shown: AbstractSet[str], task: Task, *, numbers: int, compound: bool) -> float:
    """Add up what makes prompts hard, 0–100; each part has its ceiling."""
    if numbers and _SMALL_SUM.match(features.lower):
        return SUM
    score = LOOKUP if task == "factual" and _is_lookup(features) else _BASE[task]
    score += _LENGTH[features.words] if features.words < len(_LENGTH) else 30.0
    if telling := _TELLING & shown:
        score += min(24.0, 8.0 * len(REASONING_WORDS & telling))
        score += min(16.0, 4.0 * len(CONSTRAINT_WORDS & telling))
    if numbers:
        score += min(8.0, 1.0 * numbers)
    if features.questions > 1:
        score += min(6.0, 2.0 * (features.questions - 1))
    score += features.lines / 3 if features.lines < MANY_LINES else MANY_LINES / 3
    return min(100.0, score + 8.0 if compound else score)


def _is_lookup(features: Features) -> bool:
    opening = features.found[:2]
    asks = features.questions == 1 or not _ASKING.isdisjoint(opening)
    return asks and not (opening and opening[0] in REQUEST_OPENERS)


def level(score: int, features: Features, shown: AbstractSet[str], task: Task) -> Difficulty:
    """Cut the score in three. What takes steps to work out is trivial only in a few words that ask for no thought."""
    if score >= HARD_FROM:
        return "hard"
    if features.words < FEW_WORDS and REASONING_WORDS.isdisjoint(shown):
        return "trivial" if score < FEW_WORDS_BELOW else "normal"
    return "trivial" if score < TRIVIAL_BELOW and task not in _WORKED_OUT else "normal"
