"""A prompt taken apart: sub-tasks, what each needs, and the checks that make a model's plan usable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from prysm.classify.listed import MAX_PARTS, MIN_PARTS, listed

OVERLAP = 0.9
"""Two sub-tasks sharing more of their words than this are one sub-task said twice. Each repeats the context it needs,
so different ones share much."""


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
    """Parts that the prompt itself lists; None when it lists none."""
    found = listed(prompt)
    return found and Parts(tuple(map(Subtask, found.tasks)), literal=True, preamble=found.preamble)


def planned(reply: str) -> Parts | str:
    """The parts of a model's plan, or what is wrong with it, in words it can act on."""
    try:
        entries = json.loads(reply[reply.find("{") : reply.rfind("}") + 1])["subtasks"]
    except (ValueError, KeyError, TypeError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        return 'Reply with one JSON object {"subtasks": [{"task": "...", "needs": []}]} and nothing else.'
    if not MIN_PARTS <= len(entries) <= MAX_PARTS:
        return f"Give between {MIN_PARTS} and {MAX_PARTS} sub-tasks."
    return _checked(entries)


def _checked(entries: list[Any]) -> Parts | str:
    subtasks: list[Subtask] = []
    for i, entry in enumerate(entries):
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
