"""A prompt that lists its own tasks: such a list is taken apart without a call."""

from __future__ import annotations

import re
from typing import NamedTuple

MIN_PARTS, MAX_PARTS = 2, 6

_MARKER = re.compile(r"^[ \t]*(?:\(?\d{1,2}[.):]|\(?[a-h][.)]|[-*•])[ \t]+", re.MULTILINE)
_FLUSH_LINE = re.compile(r"\n\S|\n\s*\n")

_OPENERS = re.compile(
    r"(?:add|analy[sz]e|answer|are|calculate|can|check|classify|compare|complete|compose|compute|convert|correct|count|"
    r"create|define|derive|describe|design|determine|discuss|do|does|draft|estimate|evaluate|explain|extract|find|fix|"
    r"generate|give|how|identify|implement|in|is|list|make|name|outline|paraphrase|plan|please|propose|prove|provide|"
    r"recommend|refactor|rewrite|simplify|solve|state|suggest|summari[sz]e|tell|test|translate|what|when|where|which|"
    r"who|whom|whose|why|write)\b",
    re.IGNORECASE,
)
"""Words that open a task. An item that opens otherwise may be material (options to compare, say), not a task."""

_BACKWARD = re.compile(
    r"\b(?:it|its|this|these|those|them|they|then|both|above|previous|earlier|"
    r"that(?=\s*(?:$|[.,;:!?]|(?:in|into|to|for|with|by|as)\b))|"
    r"the (?:result|answer|same|first|second|third|last)|"
    r"(?:step|part|item|point|task|question|number) ?\(?[\da-h]\b)\b",
    re.IGNORECASE,
)


class Listed(NamedTuple):
    """The tasks of a list, and what the caller said before it; that belongs to every one of them."""

    preamble: str
    tasks: tuple[str, ...]


def listed(prompt: str) -> Listed | None:
    """Tasks that the prompt itself lists: one an item, that stand alone, with nothing after the list.

    None when it does not; a model can still take it apart.
    """
    marks = list(_MARKER.finditer(prompt))
    if not MIN_PARTS <= len(marks) <= MAX_PARTS:
        return None
    ends = [*(mark.start() for mark in marks[1:]), len(prompt)]
    items = [prompt[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    if not all(map(_is_task, items)) or _refers_back(items):
        return None
    return Listed(prompt[: marks[0].start()].strip(), tuple(items))


def _is_task(item: str) -> bool:
    """Whether an item is a task, all of it: a line that is not indented no longer belongs to the list."""
    return (item.endswith("?") or _OPENERS.match(item) is not None) and _FLUSH_LINE.search(item) is None


def _refers_back(items: list[str]) -> bool:
    """Whether an item leans on an earlier one ("then translate it"): such a list is a chain, not a set."""
    return any(_BACKWARD.search(item) for item in items[1:])
