"""What a prompt asks for: which task, how hard, and whether it is several tasks in one."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.classify.difficulty import level, surface
from prysm.classify.features import TOKENS_PER_WORD, Features, read
from prysm.classify.model import COMPOUND, weights
from prysm.classify.requests import ENUMERATED
from prysm.classify.signs import signs
from prysm.core.plan import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message
    from prysm.core.embedding import Embed
    from prysm.core.model import Task
    from prysm.core.tools import Toolbox

__all__ = ["classify", "of_inputs"]

FEW_WORDS = 3
COMPOUND_FROM = 0.5
"""Log-odds above which a prompt is several tasks in one: precision and recall meet there (docs/classifier.md)."""

_NUMBER = re.compile(r"\d[\d.,]*")


def classify(messages: Sequence[Message], toolbox: Toolbox | None = None) -> Profile:
    """Read the last user message; system prompts and the definitions of tools count as tokens only.

    A table of fitted weights over words and shape: no I/O after the first call, bounded time whatever the prompt.
    """
    features, table = read(messages, toolbox), weights()
    shown = signs(features)
    reading = table.read(shown)
    task = reading.task
    named = table.why(shown, task)
    if not named:
        task = _unsigned(features, task)
    compound = reading.compound > COMPOUND_FROM or ENUMERATED in shown
    numbers = len(_NUMBER.findall(features.lower)) if "0" in shown else 0
    score = round((surface(features, shown, task, numbers=numbers, compound=compound) + reading.difficulty) / 2)
    signals = _signals(features, task, named, score, numbers)
    if compound:
        signals |= {COMPOUND: True, "compound_signs": " ".join(table.why(shown, COMPOUND))}
    difficulty = level(score, features, shown, task)
    return Profile(
        task, difficulty, score, compound, features.words, features.prompt_tokens, MappingProxyType(signals)
    )


def of_inputs(embed: Embed) -> Profile:
    """What is known of texts that are to become vectors: how many and about how long they are."""
    tokens = embed.estimated_tokens
    return Profile(
        task="embedding",
        difficulty="normal",
        difficulty_score=0,
        compound=False,
        words=round(tokens / TOKENS_PER_WORD),
        prompt_tokens=tokens,
        signals=MappingProxyType({"inputs": len(embed.inputs)}),
    )


def _unsigned(features: Features, likeliest: Task) -> Task:
    """The task of a prompt that shows no sign of one: a few words said without asking are chat."""
    if features.words > FEW_WORDS:
        return likeliest
    return "factual" if features.questions else "chat"


def _signals(
    features: Features, task: Task, named: Sequence[str], score: int, numbers: int
) -> dict[str, bool | int | str]:
    """Say what was decided and by which signs, and the numbers that were not zero.

    In a sign `_` joins two words, `^` opens the prompt, `0` is a number, `#` marks shape and `@` several requests.
    """
    signals: dict[str, bool | int | str] = {task: True, "words": features.words, "difficulty": score}
    if named:
        signals["signs"] = " ".join(named)
    if features.questions:
        signals["question_marks"] = features.questions
    if numbers:
        signals["numbers"] = numbers
    return signals
