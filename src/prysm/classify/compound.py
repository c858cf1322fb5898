"""Whether a prompt holds several tasks that could be answered apart."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from prysm.classify.cues import ADDED_IMPERATIVES, AGGREGATES, IMPERATIVES, JOINERS, QUESTION_OPENERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prysm.classify.features import Features

MIN_ITEMS = 2
MIN_QUESTION_WORDS = 3
MIN_LOOKUPS = 3
CLAUSE_WORDS = 5
BRIEF_WORDS = 120
"""Words up to which questions and names are the prompt's own, not those of a passage it quotes."""

_TASK_OPENERS = IMPERATIVES | ADDED_IMPERATIVES | QUESTION_OPENERS
_ITEM = re.compile(r"\n[ \t]*(?:\(?\d{1,2}[.):]|\(?[a-e][.)]|[-*•])[ \t]+([A-Za-z']+)")
_CLAUSE = re.compile(r"[,.;:!?\n]+")
_SENTENCE_END = re.compile(r"[.!\n:]+")
_LONG_NAME = re.compile(r"\b[A-Z][\w'’-]+(?: (?:of |the )?[A-Z][\w'’-]+)+")


def is_compound(features: Features) -> bool:
    """Two enumerated tasks, two real questions, two different instructions, or several facts to combine."""
    lower = features.edges.lower()
    if features.lines > 1 and _enumerated(features.text) >= MIN_ITEMS:
        return True
    if len(_instructions(features, lower)) >= MIN_ITEMS:
        return True
    brief = features.words <= BRIEF_WORDS
    return brief and (
        (features.questions >= MIN_ITEMS and _questions(lower) >= MIN_ITEMS) or _combines_lookups(features)
    )


def _enumerated(text: str) -> int:
    return sum(1 for opener in _ITEM.findall(f"\n{text}") if opener.lower() in _TASK_OPENERS)


def _questions(lower: str) -> int:
    """Count question sentences that open like one; `Really?` is none."""
    return sum(1 for before in lower.split("?")[:-1] if _asks(_SENTENCE_END.split(before)[-1]))


def _asks(sentence: str) -> bool:
    words = sentence.split(None, CLAUSE_WORDS)
    return len(words) >= MIN_QUESTION_WORDS and not QUESTION_OPENERS.isdisjoint(words[:2])


def _instructions(features: Features, lower: str) -> set[str]:
    """Return the different imperatives that open a clause: `summarise …, then translate it`."""
    joined = {verb for joiner, verb in pairwise(features.cue_words) if verb in IMPERATIVES and joiner in JOINERS}
    return joined.union(_clause_verbs(lower))


def _clause_verbs(lower: str) -> Iterator[str]:
    for clause in _CLAUSE.split(lower):
        for word in clause.split(None, CLAUSE_WORDS)[:CLAUSE_WORDS]:
            if word in IMPERATIVES:
                yield word
            if word not in JOINERS:
                break


def _combines_lookups(features: Features) -> bool:
    """Whether the answer combines facts about several named things: `the ratio of … to …, and of …`."""
    if AGGREGATES.isdisjoint(features.cue_words):
        return False
    return len(set(_LONG_NAME.findall(features.edges))) >= MIN_LOOKUPS
