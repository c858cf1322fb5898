#!/usr/bin/env python3
"""Count the prompts that decompose_and_route takes apart without a call, by the label people gave them.

    literal_splits.py PROMPTS.jsonl[.gz]

A row is {"prompt", "source", "category"}. One line a label: prompts, those classified as compound, those split
literally, how many of these are both, and the parts of each split.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prysm.classify import classify
from prysm.core.chat import Message
from prysm.strategies.subtasks import enumerated

SEVERAL = frozenset({"compound", "compound-comparison", "parallelisable"})


@dataclass(slots=True)
class Count:
    """The prompts of one label."""

    prompts: int = 0
    classified: int = 0
    split: int = 0
    both: int = 0
    parts: Counter[int] = field(default_factory=Counter)

    def add(self, prompt: str) -> None:
        """Classify and split one prompt as production does."""
        compound, parts = classify([Message("user", prompt)]).compound, enumerated(prompt)
        self.prompts += 1
        self.classified += compound
        if parts is not None:
            self.split += 1
            self.both += compound
            self.parts[len(parts.subtasks)] += 1

    def __str__(self) -> str:
        parts = ", ".join(f"{number} of {size}" for size, number in sorted(self.parts.items()))
        return (
            f"{self.prompts} prompts, {self.classified} classified as compound, {self.split} split literally, "
            f"{self.both} both; parts: {parts or 'none'}"
        )


def label(row: dict[str, Any]) -> str:
    """Keep what says that a prompt asks for several things; all else is one label."""
    return row["category"] if row["category"] in SEVERAL else "other"


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description="Prompts that are taken apart without a call.")
    parser.add_argument("prompts", type=Path)
    path = parser.parse_args().prompts
    counts: defaultdict[str, Count] = defaultdict(Count)
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            counts[label(row)].add(row["prompt"])
    for name, count in sorted(counts.items()):
        sys.stdout.write(f"{name}: {count}\n")


if __name__ == "__main__":
    main()
