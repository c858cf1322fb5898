"""Confidence in an answer that others were heard beside: more agreement never lowers it, dissent never raises it.

Each situation has a fit of its own, and within one the signs of its weights see to that. Between them these bounds do:

- unanimous answers of one model are trusted no less than the best of them alone;
- an answer that nobody shares, or that as many speak against as for, is trusted no more than it would be alone;
- answers of several models are trusted no less than those of one of them that are all that is left without the rest.

What a cluster's answers look like by themselves counts as that of the most trusted: they say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from prysm.scoring import confidence
from prysm.scoring.calibration import Evidence
from prysm.scoring.evidence import of_vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prysm.scoring.calibration import Parameters, Situation

    Features = Mapping[str, float]


class Trust(NamedTuple):
    """P(correct), 0–1, how it was found, and from what."""

    value: float
    method: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Stand:
    """The answers that say one thing, and who says others.

    `answers` are the features of each by itself, by model, the one to be returned first; `against` the models of
    each other cluster's answers. Copies of a call are in neither. `share` is the weight of the stand, 0–1.
    """

    task_class: str
    answers: Mapping[str, Sequence[Features]]
    against: Sequence[Sequence[str]]
    share: float

    def trust(self, parameters: Parameters, situation: Situation | None = None) -> Trust:
        """Return how far to trust it; `situation` if that is not told by who was heard."""
        dissenting = {model for group in self.against for model in group}
        if situation is None and len({*self.answers, *dissenting}) == 1:
            return self._of_one(parameters, *self.answers)
        own = [model for model, looks in self.answers.items() for _ in looks]
        vote = of_vote(0, [own, *self.against], [self.share])
        found = self._best(parameters, situation or "panel", vote, *self.answers)
        matched = len(own) <= max(map(len, self.against), default=0)
        if len(self.answers) == 1 or matched:
            return _bounded(found, min(found, max(self._each(parameters, self.answers), key=_value), key=_value))
        left = self._each(parameters, (model for model in self.answers if dissenting <= {model}))
        return _bounded(found, max((found, *left), key=_value))

    def _each(self, parameters: Parameters, models: Iterable[str]) -> list[Trust]:
        return [self._of_one(parameters, model) for model in models]

    def _of_one(self, parameters: Parameters, model: str) -> Trust:
        """Trust the stand as if this model alone had been heard."""
        own = [model] * len(self.answers[model])
        against = [group for found in self.against if (group := [one for one in found if one == model])]
        alone = self._best(parameters, "single", {}, model)
        if len(own) == 1 and not against:
            return alone
        vote = of_vote(0, [own, *against], [len(own) / (len(own) + sum(map(len, against)))])
        found = self._best(parameters, "samples", vote, model)
        if not against:
            return _bounded(found, max(found, alone, key=_value))
        return _bounded(found, min(found, alone, key=_value)) if len(own) == 1 else found

    def _best(self, parameters: Parameters, situation: Situation, vote: Features, *models: str) -> Trust:
        every = [Evidence(situation, self.task_class, {**own, **vote}) for m in models for own in self.answers[m]]
        return max((Trust(*confidence.assessed(one, parameters), one) for one in every), key=_value)


def _value(found: Trust) -> float:
    return found.value


def _bounded(found: Trust, by: Trust) -> Trust:
    """Keep the evidence of what happened, with the figure that binds and its method."""
    return Trust(by.value, by.method, found.evidence)
