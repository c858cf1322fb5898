"""What the strategies are held against: each model alone, two fixed rules of agreement, and the limit.

The rules take equality from the scoring, as the strategies do, so that a comparison is about the rule alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.replay.play import Played
from prysm.scoring import answers, same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.replay.recording import Recorded, Row

AGREE2_POOL, MAJORITY3_POOL = 3, 4
"""Models each rule needs: two or three cheap ones, and a strong one to fall back on."""


def alone(row: Row, model: Model) -> Played:
    """One model, once."""
    return _played(row, [model], correct=_first(row, model).correct)


def agree2(row: Row, pool: Sequence[Model]) -> Played:
    """Ask the two cheapest: the first one's answer if they agree, else the strong model's."""
    one, two, strong = pool[0], pool[1], pool[-1]
    if _same(row, one, two):
        return _played(row, [one, two], correct=_first(row, one).correct)
    return _played(row, [one, two, strong], correct=_first(row, strong).correct, escalated=True)


def majority3(row: Row, pool: Sequence[Model]) -> Played:
    """Ask the three cheapest: the answer that two of them give, else the strong model's."""
    cheap, strong = list(pool[:3]), pool[-1]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        if _same(row, cheap[one], cheap[two]):
            return _played(row, cheap, correct=_first(row, cheap[one]).correct)
    return _played(row, [*cheap, strong], correct=_first(row, strong).correct, escalated=True)


def oracle(row: Row, pool: Sequence[Model]) -> Played:
    """The cheapest model that is right, known by magic; where none is, the cheapest."""
    singles = sorted((alone(row, model) for model in pool), key=lambda played: played.cost_nano or 0)
    return next((played for played in singles if played.correct), singles[0])


def _first(row: Row, model: Model) -> Recorded:
    return row.answers[model.id][0]


def _same(row: Row, one: Model, two: Model) -> bool:
    a, b = answers([_first(row, one).text, _first(row, two).text], row.prompt)
    return same(a, b)


def _played(row: Row, asked: Sequence[Model], *, correct: bool, escalated: bool = False) -> Played:
    costs = [model.price.cost(_first(row, model).usage) for model in asked]
    known = [cost for cost in costs if cost is not None]
    return Played(
        correct=correct,
        cost_nano=sum(known) if len(known) == len(costs) else None,
        calls=len(asked),
        escalated=escalated,
        confidence=None,
        agreement=None,
    )
