"""What a prompt asks for: which task, how hard, and whether it is several tasks in one."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.classify.compound import is_compound
from prysm.classify.difficulty import difficulty, difficulty_score
from prysm.classify.features import Features, read
from prysm.classify.tasks import best_task, task_scores
from prysm.core.plan import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.chat import Message
    from prysm.core.model import Task

__all__ = ["classify"]

SIGN = 2.0
"""Weight from which a task is named among the signals."""


def classify(messages: Sequence[Message]) -> Profile:
    """Read the last user message; system prompts count as tokens only.

    Hand-set rules over words and shape: no model, no I/O, bounded time whatever the prompt.
    """
    features = read(messages)
    scores = task_scores(features)
    task = best_task(scores, features)
    compound = is_compound(features)
    score = difficulty_score(features, task, compound=compound)
    return Profile(
        task=task,
        difficulty=difficulty(score, features),
        difficulty_score=score,
        compound=compound,
        words=features.words,
        prompt_tokens=features.prompt_tokens,
        signals=_signals(features, scores, score, compound=compound),
    )


def _signals(
    features: Features, scores: Mapping[Task, float], score: int, *, compound: bool
) -> Mapping[str, bool | int | str]:
    """Say what fired: every task with a good sign, heaviest first, and the numbers that were not zero."""
    fired = sorted((task for task in scores if scores[task] >= SIGN), key=scores.__getitem__, reverse=True)
    signals: dict[str, bool | int | str] = dict.fromkeys(fired, True)
    if compound:
        signals["compound"] = True
    signals |= {"words": features.words, "difficulty": score}
    for name, count in (("question_marks", features.questions), ("numbers", features.numbers)):
        if count:
            signals[name] = count
    return MappingProxyType(signals)
