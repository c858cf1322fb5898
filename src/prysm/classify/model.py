"""The fitted reader of prompts: one table of weights over signs, for every question asked of a prompt.

A weight is a byte, and the weights of a sign for all the questions ("lanes") are packed into one integer, so that a
prompt is read by summing some tens of integers. No array library; one file, read once.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import compress
from typing import TYPE_CHECKING

from prysm.core.model import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from prysm.core.model import Task

LANE_BYTES = 4
"""Room for millions of signs of a byte each, and one `struct` call to unpack."""
ZERO = 128
"""What a weight of 0 is stored as."""
SPEAKS = ZERO + 12
"""A stored weight from which a sign is worth naming: about .4 of log-odds."""
FEW, UNIT = 16, 4.0
"""The sum over n signs is scaled by UNIT / √n, n at least FEW: a long prompt is no surer than a short one."""
COMPOUND, DIFFICULTY = "compound", "difficulty"
LANES = (*TASKS, COMPOUND, DIFFICULTY)
_DAMPED = UNIT / math.sqrt(FEW)
_SUMS = struct.Struct(f"<{len(LANES) + 1}I")


@dataclass(slots=True)
class Reading:
    """What the table says of a prompt.

    `compound`: log-odds that several tasks are asked for in one. `difficulty`: 0–100.
    """

    task: Task
    compound: float
    difficulty: float


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of every sign over `LANES`: packed in `table`, with a scale (one for all tasks) and a bias a lane.

    `speaks` names the strong signs of each lane, each with its place among them, the heaviest first; `strong` are
    the same as sets, which meet a set in half the time.
    """

    version: str
    scales: tuple[float, ...]
    biases: tuple[float, ...]
    table: Mapping[str, int]
    speaks: Mapping[str, Mapping[str, int]]
    strong: Mapping[str, frozenset[str]]

    @classmethod
    def parse(cls, text: str) -> Weights:
        """Read what `scripts/fit_classifier.py` writes: JSON with the signs, and their weights in base64, by lines.

        Raises `ValueError` when lanes, signs and weights do not belong together.
        """
        raw = json.loads(text)
        names = " ".join(raw["signs"]).split(" ")
        weights = base64.b64decode("".join(raw["weights"]))
        if tuple(raw["lanes"]) != LANES or len(weights) != len(names) * len(LANES):
            raise ValueError(
                f"These weights are not for this classifier. Fit them again: {len(names)} signs with lanes {LANES}."
            )
        speaks = {lane: _strong(names, weights[at :: len(LANES)]) for at, lane in enumerate(LANES)}
        strong = {lane: frozenset(places) for lane, places in speaks.items()}
        table = _packed(names, weights)
        return cls(raw["version"], tuple(raw["scales"]), tuple(raw["biases"]), table, speaks, strong)

    def read(self, shown: AbstractSet[str]) -> Reading:
        """Read one prompt by its signs. What every task has in common, the stored zeros, changes no order."""
        total = sum(filter(None, map(self.table.get, shown)))
        *sums, compound, hard, known = _SUMS.unpack(total.to_bytes(_SUMS.size, "little"))
        zeros, scales, biases = ZERO * known, self.scales, self.biases
        damp = UNIT / math.sqrt(known) if known > FEW else _DAMPED
        scale = damp * scales[0]
        scores = [scale * one + biases[at] for at, one in enumerate(sums)]
        grade = (hard - zeros) * scales[-1] * damp + biases[-1]
        if not 0.0 <= grade <= 1.0:
            grade = min(1.0, max(0.0, grade))
        return Reading(TASKS[scores.index(max(scores))], (compound - zeros) * scales[-2] + biases[-2], 100 * grade)

    def why(self, shown: AbstractSet[str], lane: str, most: int = 3) -> list[str]:
        """Return the signs that speak most for a lane, heaviest first."""
        said = self.strong[lane] & shown
        return sorted(said, key=self.speaks[lane].__getitem__)[:most] if said else []


@cache
def weights() -> Weights:
    """The weights this package ships."""
    return Weights.parse(files("prysm.classify").joinpath("weights.json").read_text(encoding="utf-8"))


def _strong(names: Sequence[str], weights: bytes) -> dict[str, int]:
    """The signs that speak for one lane, with their places from the heaviest; equal weights go by the alphabet."""
    speaks = bytes(byte >= SPEAKS for byte in range(256))
    strong = compress(zip(weights, names, strict=True), weights.translate(speaks))
    return {sign: place for place, (_, sign) in enumerate(sorted(strong, key=lambda row: (-row[0], row[1])))}


def _packed(names: Sequence[str], weights: bytes) -> dict[str, int]:
    """Pack each sign's bytes into one integer, LANE_BYTES apart, with a 1 on top that counts the signs."""
    size = LANE_BYTES * len(LANES)
    spread = bytearray(size * len(names))
    spread[::LANE_BYTES] = weights
    one = 1 << (8 * size)
    starts = range(0, len(spread), size)
    return {
        name: one + int.from_bytes(spread[at : at + size], "little") for name, at in zip(names, starts, strict=True)
    }
