"""What the strategies are held against: each model alone, votes, two fixed rules of agreement, and the limit.

The rules take equality from the scoring, as the strategies do, so that a comparison is about the rule alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.classify import classify
from prysm.core.chat import Completion
from prysm.core.run import Candidate
from prysm.registry.cost import total
from prysm.replay.play import Played
from prysm.scoring import answers, same, score_votes

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


def vote(row: Row, panel: Sequence[Model]) -> Played:
    """Ask the whole panel, a model named twice for its next sample: the answer of the largest cluster."""
    at = [panel[:i].count(model) for i, model in enumerate(panel)]
    said = [row.answers[model.id][sample] for model, sample in zip(panel, at, strict=True)]
    candidates = [
        Candidate(i, model, Completion(one.text, "stop", one.usage))
        for i, (model, one) in enumerate(zip(panel, said, strict=True))
    ]
    ballot = score_votes(candidates, classify(row.messages), row.prompt)
    return Played(
        correct=said[ballot.winner.stage].correct,
        cost_nano=total(model.price.cost(one.usage) for model, one in zip(panel, said, strict=True)),
        calls=len(panel),
        escalated=False,
        confidence=ballot.score.confidence,
        agreement=ballot.score.agreement,
    )


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
    return Played(
        correct=correct,
        cost_nano=total(model.price.cost(_first(row, model).usage) for model in asked),
        calls=len(asked),
        escalated=escalated,
        confidence=None,
        agreement=None,
    )
