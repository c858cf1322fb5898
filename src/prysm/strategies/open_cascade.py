"""A cascade over an open question: one cheap answer at a time, a judge or its own score as the gate.

Good answers to an open question differ in their words, so each is scored alone, and none by how it resembles another.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.registry.cost import expected_cost
from prysm.scoring import score_single, score_votes, usable
from prysm.scoring.logistic import logit, sigmoid
from prysm.strategies.judge import approves
from prysm.strategies.ladder import ask, asked_at_once, held_against, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.run import Candidate, Score
    from prysm.strategies.run import Run

ALONE = 0.8
"""P(correct) beyond which no answer to an open question is trusted without a judge."""
JUDGED = "judged-v0 (uncalibrated)"
RELIABLE = (0.5, 0.95)
"""Bounds of how often a judge is taken to be right."""


@dataclass(frozen=True, slots=True)
class OpenCascade:
    """The models that are expected to spare the strong one, cheapest first, then the strong one."""

    run: Run
    heard: list[Verdict] = field(default_factory=list)

    async def answer(self) -> Verdict:
        """Ask until an answer clears the bar; the best one when the ladder ends. Raises when every call failed."""
        *cheap, strong = self.run.plan.models
        passed_over = []
        for at, model in enumerate(cheap, start=1):
            if not self._may_spare(strong, model):
                passed_over.append(model)
            elif await self._clears(model, self._judge(model), [*cheap[at:], strong]):
                return self._best()
        note = asked_at_once(self.run, strong) if passed_over and not self.heard else None
        stand_ins = [] if self._answers() else passed_over
        await self._clears(strong, None, stand_ins[:1], note)
        for at, model in enumerate(stand_ins, start=1):
            if self._answers():
                break
            await self._clears(model, None, stand_ins[at:])
        return self._best()

    def _may_spare(self, strong: Model, model: Model) -> bool:
        """Whether asking a cheap model first is expected to cost no more than the strong one alone.

        Its answer is taken to be good enough as often as its quality says, where a judge may find so or its quality is
        over the bar; and no second time by a model that is no better. Never doubted of models that the caller named.
        """
        quality = self._quality(model)
        if self.run.request.models:
            return True
        if any(self._quality(answer.model) >= quality for answer in self._answers()):
            return False
        if self._judge(model) is None and min(quality, ALONE) < self.run.plan.policy.bar:
            return False
        cost, dear = (expected_cost(each, self.run.plan.profile) for each in (model, strong))
        return cost is None or dear is None or cost <= quality * dear

    def _judge(self, model: Model) -> Model | None:
        """Who judges a model's answer: judges favour their own words, so never itself."""
        judge = self.run.plan.judge
        return None if judge is None or judge.id == model.id else judge

    async def _clears(
        self, model: Model, judge: Model | None, left: Sequence[Model], note: str | None = None
    ) -> bool:
        """Ask a model, with those `left` to ask after it; whether it gave an answer that clears the bar."""
        heard = [one.candidate for one in self.heard]
        found = await ask(self.run, [model], heard, note=note, after=[*([judge] if judge else []), *left])
        self.heard.extend([Verdict(candidate, await self._scored(candidate, judge, left)) for candidate in found])
        return bool(whole(found)) and (self.heard[-1].score.confidence or 0) >= self.run.plan.policy.bar

    async def _scored(self, candidate: Candidate, judge: Model | None, left: Sequence[Model]) -> Score:
        """The answer's own score; with a judge, the odds of both, a judge being right as often as its quality says."""
        score = score_single(candidate, self.run.plan.profile, self.run.question)
        if judge is None or score.confidence is None or not usable(candidate.completion):
            return score
        approved = await approves(self.run, judge, candidate, left)
        if approved is None:
            self.run.degrade("judge_failed")
            return score
        weight = logit(min(RELIABLE[1], max(RELIABLE[0], self._quality(judge))))
        odds = logit(score.confidence) + (weight if approved else -weight)
        return replace(score, confidence=sigmoid(odds), method=JUDGED)

    def _answers(self) -> list[Candidate]:
        return whole([one.candidate for one in self.heard])

    def _quality(self, model: Model) -> float:
        return model.quality_for(self.run.plan.profile.task)

    def _best(self) -> Verdict:
        """The most trusted answer, the last of equals, with how alike all are."""
        if not self.heard:
            raise self.run.all_failed()
        best = max(reversed(self.heard), key=_trust)
        score, profile = best.score, self.run.plan.profile
        if len(self._answers()) > 1:
            shared = score_votes([one.candidate for one in self.heard], profile, self.run.question).score
            score = replace(score, agreement=shared.agreement, clusters=shared.clusters)
        return Verdict(best.candidate, held_against(score, self.run.plan.policy.bar))


def _trust(verdict: Verdict) -> tuple[bool, float]:
    return usable(verdict.candidate.completion), verdict.score.confidence or 0.0
