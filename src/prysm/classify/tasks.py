"""Which of the nine tasks a prompt asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prysm.classify.cues import CUES, FOREIGN_CUES
from prysm.core.model import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prysm.classify.features import Features
    from prysm.core.model import Task

FIRST_WORDS, FIRST_BOOST = 12, 1.5
MIDDLE_WORDS, MIDDLE_BOOST = range(60, 180), 0.6
FOREIGN_CHARS, FOREIGN_WEIGHT = 300, 4.0
SHORT_CHAT_WORDS = 3
MANY_NUMBERS = 3
SHORT_SUM_WORDS, SUM_WEIGHT, ARITHMETIC_WEIGHT = 6, 6.0, 3.0

_CODE_LINE = re.compile(
    r"\n[ \t]*(?:def |class \w+[:({]|import |from \w+ import|#include|public |private |function \w|const \w+ =|"
    r"let \w+ =|var \w+ =|select .* from|assert |elif |for \w+ in .*:|@\w+\(|</?[a-z]+>|#!/)"
)
_CODE_MARKS = ("()", ";\n", "{\n", "=>", "!=", "==", "+=", "->", "</", "::")
_LATEX = re.compile(
    r"\\(?:frac|dfrac|sqrt|int|sum|boxed|cdot|leq?|geq?|infty|begin|times|pi|theta|angle|log|sin|cos|dots|\[|\()|"
    r"\$[^$\n]{0,80}[a-z0-9)][^$\n]{0,80}\$"
)
_ARITHMETIC = re.compile(r"\d(?: ?[-+*/^×÷=] ?\(?-?\d|[a-z] ?[-+=])")


def task_scores(features: Features) -> dict[Task, float]:
    """Weigh every sign; a task with no sign is not in the answer."""
    scores: dict[Task, float] = {}
    for task, weight in (*_word_signs(features), *_shape_signs(features), *_foreign_signs(features)):
        scores[task] = scores.get(task, 0.0) + weight
    return scores


def best_task(scores: dict[Task, float], features: Features) -> Task:
    """Return the heaviest task, the earlier of `TASKS` on a tie.

    With no sign at all, a few words without a question mark are chat and the rest is factual.
    """
    if not scores:
        return "factual" if features.questions or features.words > SHORT_CHAT_WORDS else "chat"
    return max(TASKS, key=lambda task: scores.get(task, 0.0))


def _word_signs(features: Features) -> Iterator[tuple[Task, float]]:
    """Each cue once: a word said ten times is one sign. Those that open the prompt count more, its middle less."""
    seen: set[str] = set()
    last = ""
    for at, word in enumerate(features.cue_words):
        for cue in (word, f"{last}_{word}"):
            if cue in CUES and cue not in seen:
                seen.add(cue)
                boost = FIRST_BOOST if at < FIRST_WORDS else MIDDLE_BOOST if at in MIDDLE_WORDS else 1.0
                for task, weight in CUES[cue]:
                    if task != "chat" or at < FIRST_WORDS // 3:
                        yield task, weight * boost
        last = word


def _shape_signs(features: Features) -> Iterator[tuple[Task, float]]:
    text, lower = features.text, features.lower
    if "```" in text or lower.startswith(("def ", "import ", "class ")) or _CODE_LINE.search(lower):
        yield "code", 6.0
        return
    marks = sum(1 for mark in _CODE_MARKS if mark in features.edges)
    if marks:
        yield "code", min(6.0, 2.5 * marks)
    if ("\\" in text or "$" in text) and _LATEX.search(text):
        yield "math", 5.0
    elif features.numbers and ("f(x)" in lower or _ARITHMETIC.search(lower)):
        yield "math", SUM_WEIGHT if features.words <= SHORT_SUM_WORDS else ARITHMETIC_WEIGHT
    if features.numbers >= MANY_NUMBERS:
        yield "math", 1.5


def _foreign_signs(features: Features) -> Iterator[tuple[Task, float]]:
    if features.text.isascii():
        return
    seen: set[Task] = set()
    opening = features.lower[:FOREIGN_CHARS]
    for cue, task in FOREIGN_CUES:
        if task not in seen and cue in opening:
            seen.add(task)
            yield task, FOREIGN_WEIGHT
