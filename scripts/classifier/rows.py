"""The prompts a fit learns from, with what their sources say of them."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.classify.features import read
from prysm.classify.signs import signs
from prysm.core.chat import Message

from .labels import DIFFICULTIES, compound_of, task_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt with its signs; `task`, `compound` and `difficulty` (0–1) are `None` where its source does not say."""

    prompt: str
    source: str
    data_set: str
    task: str | None
    compound: bool | None
    difficulty: float | None
    signs: frozenset[str]

    @property
    def key(self) -> str:
        """The same for prompts that differ in case, spaces or punctuation only: they share a fold."""
        return re.sub(r"\W+", " ", self.prompt.lower())[:200]

    @property
    def fold(self) -> int:
        """0–4, by the prompt."""
        return int(hashlib.sha256(self.key.encode()).hexdigest(), 16) % FOLDS


def signs_of(prompt: str) -> frozenset[str]:
    """The signs the gateway would see."""
    return frozenset(signs(read([Message("user", prompt)])))


def read_rows(path: Path) -> list[Row]:
    """Read JSON lines, gzipped or not: `prompt`, `source`, and `label` (a task), `compound`, `difficulty` (0–1).

    Rows of the public sets that `labels.py` knows need none of the last three.
    """
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [_row(json.loads(line)) for line in text.splitlines()]


def _row(raw: Mapping[str, object]) -> Row:
    prompt, source = str(raw["prompt"]), str(raw["source"])
    labelled = "label" in raw or "compound" in raw or "category" not in raw
    task, compound = (raw.get("label"), raw.get("compound")) if labelled else (task_of(raw), compound_of(raw))
    grade = raw.get("difficulty")
    return Row(
        prompt=prompt,
        source=source,
        data_set=f"{source}:{raw.get('task', '')}",
        task=str(task) if task else None,
        compound=None if compound is None else bool(compound),
        difficulty=float(grade) if isinstance(grade, int | float) else DIFFICULTIES.get(str(grade)),
        signs=signs_of(prompt),
    )
