"""A prompt taken apart: sub-tasks, what each needs, and the checks that make a model's plan usable."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

MIN_PARTS, MAX_PARTS = 2, 6
OVERLAP = 0.9
"""Two sub-tasks sharing more of their words than this are one sub-task said twice. Each repeats the context it needs,
so different ones share much."""

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


@dataclass(frozen=True, slots=True)
class Subtask:
    """One part: `task` says it in full; `needs` are indices of earlier parts whose answers it reads."""

    task: str
    needs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """The sub-tasks in an order in which each comes after what it needs.

    `literal`: the caller enumerated them, so their answers can be put side by side without a synthesis.
    `preamble` is what the caller said before the list; it belongs to every part.
    """

    subtasks: tuple[Subtask, ...]
    literal: bool
    preamble: str = ""

    def waves(self) -> list[list[int]]:
        """Indices that can run together, wave by wave."""
        level: list[int] = []
        for subtask in self.subtasks:
            level.append(1 + max((level[need] for need in subtask.needs), default=-1))
        return [[i for i, at in enumerate(level) if at == wave] for wave in range(max(level) + 1)]


def enumerated(prompt: str) -> Parts | None:
    """Parts that the prompt itself lists: tasks, one an item, that stand alone, with nothing after the list.

    None when it does not; a model can still take it apart.
    """
    marks = list(_MARKER.finditer(prompt))
    if not MIN_PARTS <= len(marks) <= MAX_PARTS:
        return None
    ends = [*(mark.start() for mark in marks[1:]), len(prompt)]
    items = [prompt[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    if not all(map(_is_task, items)) or _refers_back(items):
        return None
    return Parts(tuple(map(Subtask, items)), literal=True, preamble=prompt[: marks[0].start()].strip())


def _is_task(item: str) -> bool:
    """Whether an item is a task, all of it: a line that is not indented no longer belongs to the list."""
    return (item.endswith("?") or _OPENERS.match(item) is not None) and _FLUSH_LINE.search(item) is None


def _refers_back(items: list[str]) -> bool:
    """Whether an item leans on an earlier one ("then translate it"): such a list is a chain, not a set."""
    return any(_BACKWARD.search(item) for item in items[1:])


def planned(reply: str) -> Parts | str:
    """The parts of a model's plan, or what is wrong with it, in words it can act on."""
    try:
        listed = json.loads(reply[reply.find("{") : reply.rfind("}") + 1])["subtasks"]
    except (ValueError, KeyError, TypeError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        return 'Reply with one JSON object {"subtasks": [{"task": "...", "needs": []}]} and nothing else.'
    if not MIN_PARTS <= len(listed) <= MAX_PARTS:
        return f"Give between {MIN_PARTS} and {MAX_PARTS} sub-tasks."
    return _checked(listed)


def _checked(listed: list[Any]) -> Parts | str:
    subtasks: list[Subtask] = []
    for i, entry in enumerate(listed):
        task, needs = (entry.get("task"), entry.get("needs", [])) if isinstance(entry, dict) else (None, None)
        if not isinstance(task, str) or not task.strip():
            return f"Sub-task {i} has no text in 'task'."
        if not isinstance(needs, list) or not all(type(need) is int and 0 <= need < i for need in needs):
            return f"'needs' of sub-task {i} must list numbers of sub-tasks before it, counted from 0."
        if any(_overlap(task, earlier.task) > OVERLAP for earlier in subtasks):
            return f"Sub-task {i} repeats an earlier one."
        subtasks.append(Subtask(task.strip(), tuple(dict.fromkeys(needs))))
    return Parts(tuple(subtasks), literal=False)


def _overlap(a: str, b: str) -> float:
    first, second = set(a.lower().split()), set(b.lower().split())
    return len(first & second) / len(first | second)
