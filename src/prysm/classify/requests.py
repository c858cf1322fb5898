"""Marks of several requests in one prompt: put as sentences, as questions, as items, or in one breath."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from prysm.classify.words import (
    AUXILIARIES,
    COMMANDS,
    IMPERATIVES,
    LEADS,
    MAKES,
    ORDERS,
    QUESTION_WORDS,
    STOP_WORDS,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

MOST_CLAUSES, MOST_QUESTIONS = 24, 8
OPENING_WORDS = 7
BRIEF = 70
"""Words up to which a prompt is read as spoken requests."""
ENUMERATED = "@enumerated"
"""The sign of a numbered list of tasks, which is several tasks whatever else the prompt shows."""
MOST = 4

_TASKS = IMPERATIVES | QUESTION_WORDS | AUXILIARIES | {"give", "tell", "name", "show", "provide"}
"""What opens an item that is a task; `use`, `include` and the like say more about the task at hand."""
_WRITTEN = COMMANDS - ORDERS
_INNER_STOP = re.compile(r"[.?!;]")
_BREAK = re.compile(r"[.!\n:]+")
_BACK = re.compile(
    r"\b(?:it|its|this|that|these|those|they|them|their|he|she|his|her|one|same|there|example|answer)\b"
)
"""Words that point back: a question with one of them hangs on the question before."""
_SUBJECTS = frozenset(["i", "you", "he", "she", "it", "we", "they", "the"])
"""Words before which `when` tells a time and asks for none: `When you are done, …`."""
_ABOUT_IT = re.compile(r" (?:about|on) (?:it|them|this|that)\b")
"""A subject that two things share: each can be made without the other."""
_ITEM = re.compile(r"\n[ \t]*(?:\(?\d{1,2}[.):]|\(?[a-e][.)]|[-*•])[ \t]+([A-Za-z']+)")
_FIRST_ITEM = re.compile(r"[.):](?<=[1a].)[ \t]")
_NUMBERED = re.compile(r"(?<!\S)\(?([1-9a-e])[.):][ \t]+(?:please )?(\S+)")
_ONLY_LIST = re.compile(r"\s*\(?[1a][.):][ \t]")
_FOLLOWING = re.compile(r"(?:following|these|each of the) (?:\w+ )?(?:questions|tasks|requests)|questions below")
_AND_THEN = re.compile(r"\band (?:then|also) ")
_RELATIVE = re.compile(r", (?:who|whose|which|where|when) ")
_APPOSED = re.compile(r"(?:what|which|who) [^,.?!]*(?:, [^,.?!]*)+, (?:is|are|was|were|has|have|had) ")
"""A question whose verb comes after an aside: `Which film, shot in 1950, was …?`"""
_STOPS = re.compile(r"[.?!:;\n]")
_JOINED = re.compile(rf"and\s+(?:{'|'.join(sorted(QUESTION_WORDS | MAKES))})\s")
"""Without it there are no two matters: one search spares most prompts that look."""
_ARTICLES = frozenset(["a", "an", "one", "two", "three", "some", "me"])
"""What stands before a thing that is new; `the` points to one that was named."""
_WISH = re.compile(
    r"(?:please|can you|could you|can i|will (?:it|there)|i(?:'d| d| would)? (?:like|want|need|rate)) "
)
"""Ways to begin a request that name no task yet."""


def requests(lower: str, seen: AbstractSet[str], count: int) -> set[str]:
    """Return the marks of several requests. `seen` are the prompt's words: what it lacks need not be searched."""
    out: set[str] = set()
    several = len(IMPERATIVES & seen) > 1
    one_breath = count <= BRIEF and "\n" not in lower
    spoken = one_breath and ("and" in seen or ", " in lower or _INNER_STOP.search(lower, 0, len(lower) - 1))
    if several or spoken:
        # Replaced one by one, which for a few characters is ten times as fast as str.translate.
        sentences = lower.replace("?", ".").replace("!", ".").replace(";", ".").replace("\n", ".")
        if several:
            _verbs(out, sentences)
        if spoken:
            _spoken(out, lower, sentences)
    if lower.count("?") > 1:
        _questions(out, lower)
    if "\n" in lower and len([word for word in _ITEM.findall(f"\n{lower}") if word in _TASKS]) > 1:
        out.add("@items")
    second = "2" in lower or "b." in lower or "b)" in lower or "b:" in lower
    if second and _FIRST_ITEM.search(lower) and _enumerated(lower):
        out.add(ENUMERATED)
    if not seen.isdisjoint(("questions", "tasks", "requests")) and _FOLLOWING.search(lower):
        out.add("@following")
    return out


def _opener(clause: str, commands: AbstractSet[str]) -> str:
    """Return the word with which the clause asks for something, or nothing."""
    words = clause.split(None, OPENING_WORDS)
    if len(words) > OPENING_WORDS:
        words.pop()
    for at, raw in enumerate(words, 1):
        word = raw if raw.isalpha() else raw.strip("\"'()*-:,")
        if word in LEADS:
            continue
        if word in commands:
            return word if at < len(words) else ""
        if word in QUESTION_WORDS:
            return "" if word == "when" and not _SUBJECTS.isdisjoint(words[at : at + 1]) else word
        return word if at == 1 and word in AUXILIARIES else ""
    return ""


def _verbs(out: set[str], sentences: str) -> None:
    """How many different tasks are named at the start of a clause."""
    joined = (
        sentences.replace(" and then ", ".")
        .replace(" and also ", ".")
        .replace(", and ", ".")
        .replace(", then ", ".")
    )
    clauses = joined.split(".", MOST_CLAUSES)
    verbs = {_opener(clause, IMPERATIVES) for clause in clauses if " " in clause} & IMPERATIVES
    if len(verbs) > 1:
        out.add(f"@verbs{min(MOST, len(verbs))}")


def _questions(out: set[str], lower: str) -> None:
    """How many real questions there are, and how many of them do not hang on the one before."""
    asked = [_BREAK.split(part)[-1].strip() for part in lower.split("?", MOST_QUESTIONS)[:-1]]
    asked = [question for question in asked if question.count(" ") > 1 and _opener(question, COMMANDS)]
    if len(asked) > 1:
        out.add(f"@questions{min(MOST, len(asked))}")
    apart = sum(
        1
        for first, second in pairwise(asked)
        if not _BACK.search(second) and not _content(first) & _content(second)
    )
    if apart:
        out.add(f"@apart{min(3, apart)}")


def _content(question: str) -> set[str]:
    return set(question.replace(",", " ").split()) - STOP_WORDS


def _spoken(out: set[str], lower: str, sentences: str) -> None:
    """Requests joined by commas and `and`, as people speak them to an assistant."""
    if (
        lower.count(", ") > 1
        and _APPOSED.match(lower)
        and not AUXILIARIES.intersection(lower.split(",", 1)[0].split())
    ):
        sentences = sentences.replace(", ", " ")
    split = (
        (_RELATIVE.sub(" ", sentences) if ", wh" in lower else sentences)
        .replace(", ", ".")
        .replace(" and ", ".")
        .split(".")
    )
    clauses = [_opener(clause, COMMANDS) for clause in split if " " in clause.strip()]
    if not clauses:
        return
    if _JOINED.search(lower) and _two_matters(lower):
        out.add("@two_matters")
    first, asked = clauses[0], len(clauses) - clauses.count("")
    if asked > bool(first) and (first or _WISH.match(lower)):
        out.add("@ask_and_ask")
        spoken = first not in _WRITTEN and "." not in lower.rstrip(".?!")
        if spoken and not ORDERS.isdisjoint(clauses[1:]):
            out.add("@ask_and_order")
    if asked > 1:
        out.add(f"@spoken{min(MOST, asked)}" if first else f"@spoken_late{min(3, asked)}")
    if " and then " in lower or " and also " in lower:
        _and_then(out, lower, asked)


def _two_matters(lower: str) -> bool:
    """Tell whether `and` joins two questions, or a task and a thing to make, of which neither mentions the other."""
    for before, after in pairwise(_STOPS.sub(" . ", lower).split(" and ")):
        second = after.split(" . ", 1)[0]
        words = second.split(None, 2)
        if len(words) <= 2:  # noqa: PLR2004 - a verb and more
            continue
        opener = words[0]
        asks = opener in QUESTION_WORDS
        makes = opener in MAKES and words[1] in _ARTICLES
        if not (asks or makes):
            continue
        first = before.rsplit(" . ", 1)[-1]
        begins = len(first.split()) > 1 and _opener(first.rstrip(", "), IMPERATIVES)
        if not begins or begins == opener or (asks and begins not in QUESTION_WORDS):
            continue
        if makes:
            second = _ABOUT_IT.sub("", second)
        if not _BACK.search(second.split(" that ", 1)[0]) and not _content(first) & _content(second):
            return True
    return False


def _and_then(out: set[str], lower: str, asked: int) -> None:
    parts = _AND_THEN.split(lower)[1:]
    if any(_opener(part, COMMANDS) or _WISH.match(part) for part in parts):
        out.add("@then_ask")
    out.add(f"@and_then{min(2, len(parts))}")
    if asked > 1:
        out.add("@and_then&spoken")


def _enumerated(lower: str) -> bool:
    """Whether items numbered from the first each open with a task, or the prompt is a numbered list and no more."""
    numbered = _NUMBERED.findall(lower)
    whole = _ONLY_LIST.match(lower) is not None
    return "".join([number for number, word in numbered if whole or word in _TASKS]).startswith(("12", "ab"))
