"""cascade: cheap models first, the strong one only when they leave doubt (FrugalGPT, arXiv 2305.05176).

For a question with a comparable answer the gate is agreement of independent cheap models (agreement-based
cascading, arXiv 2407.02348), and what `gate` makes of it; an open one is for `open_cascade`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prysm.core.chat import Completion, Usage
from prysm.core.run import Candidate, Score, Verdict
from prysm.registry.cost import expected_cost
from prysm.scoring import answers, same, score_votes
from prysm.scoring.confidence import UNCALIBRATED
from prysm.strategies import gate
from prysm.strategies.asked import is_shaped
from prysm.strategies.ladder import ask, asked_at_once, climb, held_against, not_cleared, standing, voted, whole
from prysm.strategies.open_cascade import OpenCascade
from prysm.strategies.prompts import CLOSED_TASKS
from prysm.strategies.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.strategies.gate import Class, Difference, Gate, Judged
    from prysm.strategies.run import Run

CLEAR_LEAD = 0.35
"""Log odds by which the record must speak for a model before it goes ahead of a cheaper one or stands alone."""
PAIR = 2
DATA = "data"


class Cascade:
    """One to `k + 1` calls. Where answers can be compared, two cheap ones are, else the ladder is climbed.

    Keeps a record of whom the strong models sided with, and nothing of any run. A run with a seed adds to the record
    and does not go by it: what others asked must not change what a seed repeats.
    """

    def __init__(self, fitted: Gate | None = None) -> None:
        self._gate = fitted
        self._record = Record()

    async def run(self, run: Run) -> Verdict:
        """Climb until an answer is good enough under the policy; the best answer so far when the ladder ends."""
        tools = run.request.toolbox is not None
        if not tools and not gate.comparable(run.plan.profile, run.question, CLOSED_TASKS):
            return await OpenCascade(run).answer()
        fitted = self._gate or gate.fitted()
        found = fitted.of(run.plan.profile, run.question)
        known = self._record if run.request.sampling.seed is None else Record()
        if is_shaped(run.request):  # what was fitted, and is kept, is about words
            found, known = replace(found, kind=DATA, known=False, alone=False), Record()
        if known.is_strange(found.kind, found.differ):
            found = replace(found, known=False)
        return await _Closed(run, found, fitted.version, known, self._record).answer()


@dataclass(frozen=True, slots=True)
class _Closed:
    """A question whose answers can be compared. The run goes by what is `known`, and adds to what is `kept`."""

    run: Run
    found: Class
    version: str
    known: Record
    kept: Record

    async def answer(self) -> Verdict:
        """Ask one or two cheap models; more only when that is worth its price."""
        *cheap, strong = self.run.plan.models
        if self.run.request.judge is not None:
            self.run.degrade("unused:judge_model")  # agreement is the better gate
        if len(cheap) < PAIR and not self._may_agree_with_itself((*cheap, strong)[0]):
            return await self._unpaired(cheap, strong)
        pair = self._by_record(cheap or [strong])
        if self._is_no_saving(pair[:PAIR], strong):
            return await self._strong_first(strong, cheap)
        return await self._compare(pair, strong)

    def _may_agree_with_itself(self, model: Model) -> bool:
        """Whether the plan samples a lone model twice, and like answers could clear the bar.

        Without outcomes of their class its quality tells how far to trust them, whatever they say.
        """
        if self.run.plan.samples < PAIR:
            return False
        twice = [Candidate(i, model, Completion("Final answer: 1", "stop", Usage(None, None))) for i in range(PAIR)]
        score = score_votes(twice, self.run.plan.profile, self.run.question).score
        return not score.method.endswith(UNCALIBRATED) or (score.confidence or 0) >= self._bar

    def _by_record(self, cheap: Sequence[Model]) -> list[Model]:
        """The cheap models as planned; of the first two, a clearly more trusted one first; a lone one, twice."""
        first, second, *rest = cheap if len(cheap) > 1 else (*cheap, *cheap)
        swapped = self.known.lead(self.found.kind, second.id, first.id) > CLEAR_LEAD
        return [second, first, *rest] if swapped else [first, second, *rest]

    def _is_no_saving(self, cheap: Sequence[Model], strong: Model) -> bool:
        """Whether the strong model alone is expected to cost no more; never for models that the caller named."""
        costs = [expected_cost(model, self.run.plan.profile) for model in (*cheap, strong)]
        if self.run.request.models or None in costs or strong in cheap:
            return False
        *tried, last = (cost or 0 for cost in costs)
        return sum(tried) > (1 - self.found.differ) * last

    async def _strong_first(self, strong: Model, cheap: Sequence[Model]) -> Verdict:
        """The strong model's answer, below the bar or not: nothing better could be asked. Cheap ones stand in."""
        note = asked_at_once(self.run, strong)
        heard = await ask(self.run, [strong], [], note=note, after=cheap[:1])
        if not whole(heard):
            chosen, score = await climb(self.run, cheap, heard)
            return Verdict(chosen, score)
        chosen, score = standing(self.run, heard, heard)
        return Verdict(chosen, held_against(score, self._bar))

    async def _unpaired(self, cheap: Sequence[Model], strong: Model) -> Verdict:
        """No two cheap answers can be had, so the strong model's is needed.

        A cheap one beside it is a second opinion, which the caller named or a ceiling left in the strong one's place.
        """
        quality = [model.quality_for(self.run.plan.profile.task) for model in (*cheap, strong)]
        if cheap and not self.run.request.models and quality[0] < quality[-1]:
            return await self._strong_first(strong, cheap)
        heard = await ask(self.run, [*cheap, strong], [])
        if not heard:
            raise self.run.all_failed()
        chosen, score = standing(self.run, heard, heard)
        is_best = cheap or strong is self.run.plan.baseline
        judge = held_against if is_best else not_cleared  # a cheap model that is left alone agrees with nobody
        return Verdict(chosen, judge(score, self._bar))

    async def _compare(self, cheap: Sequence[Model], strong: Model) -> Verdict:
        first, second, *rest = cheap
        above = [model for model in (*rest, strong) if model not in (first, second)]
        heard, sure = await self._pair(first, second, above)
        if sure is not None:
            return Verdict(heard[0], self._score(sure))
        difference = self._difference(heard)
        if difference and not self._is_worth_it(difference):
            return self._settled(heard, difference)
        if difference is None and (agreed := self._agreed(heard)):
            return agreed
        chosen, score = await climb(self.run, above, heard)
        if difference and len(whole(heard)) == PAIR:  # no rung above gave an answer
            return Verdict(difference.better, not_cleared(self._told(difference, score), self._bar))
        if difference and chosen.model is strong:
            self._remember(heard[:PAIR], chosen)
        return Verdict(chosen, score)

    async def _pair(
        self, first: Model, second: Model, above: Sequence[Model]
    ) -> tuple[list[Candidate], float | None]:
        """Two answers at once; or one, with P(correct), where the record has it that one stands alone often enough.

        The rungs `above` them are asked after them, if at all.
        """
        kind, lead = self.found.kind, self.known.lead(self.found.kind, first.id, second.id)
        if not (self.found.alone and lead > CLEAR_LEAD and self.known.is_calm(kind, self.found.differ)):
            return await ask(self.run, [first, second], [], after=above), None
        heard = await ask(self.run, [first], [], after=[second, *above])
        judged = self._judged(heard)
        if judged and (sure := judged[0].probability(lead)) >= gate.sure_from(self._bar):
            return heard, sure
        return [*heard, *await ask(self.run, [second], heard, kind="answer", after=above)], None

    def _difference(self, heard: Sequence[Candidate]) -> Difference | None:
        """The odds of two models' answers that differ; None when they agree, or one of them is no answer.

        And None where an answer may be data, of which its words tell nothing: then the strong model is asked.
        """
        if self.found.kind == DATA:
            return None
        judged = self._judged(heard)
        if len(judged) < PAIR or heard[0].model is heard[1].model:
            return None
        differ = not same(*answers([candidate.said for candidate in heard], self.run.question))
        self.kept.compared(self.found.kind, differ=differ)
        if not differ:
            return None
        lead = self.known.lead(self.found.kind, heard[0].model.id, heard[1].model.id)
        return self.found.weigh(judged[0], judged[1], lead)

    def _is_worth_it(self, difference: Difference) -> bool:
        worth = difference.worth(self._bar)
        if self.found.known:
            return worth > 0
        promising = self.known.is_promising(self.found.kind, worth)
        self.kept.weighed(self.found.kind, worth, made=promising)
        return promising

    def _agreed(self, heard: Sequence[Candidate]) -> Verdict | None:
        """What all say. Of two models no strong one was better than these; two samples of one must clear the bar."""
        if len(whole(heard)) < PAIR:
            return None
        ballot = voted(self.run, heard)
        score = held_against(ballot.score, self._bar)
        if not ballot.unanimous or score.agreement is None:
            return None  # a copy of an answer agrees with nobody
        independent = ballot.closed and heard[0].model is not heard[1].model
        return Verdict(ballot.winner, score) if independent or score.bar_cleared else None

    def _settled(self, heard: Sequence[Candidate], difference: Difference) -> Verdict:
        """The better of two answers that differ; says so when it is below the bar and the strong model unasked."""
        score = self._told(difference, voted(self.run, heard).score)
        if not score.bar_cleared:
            self.run.degrade("not_escalated")
        return Verdict(difference.better, score)

    def _told(self, difference: Difference, vote: Score) -> Score:
        """The odds of the better answer, beside the vote."""
        return replace(self._score(difference.cheap), agreement=vote.agreement, clusters=vote.clusters)

    def _remember(self, pair: Sequence[Candidate], strong: Candidate) -> None:
        last, *cheap = answers([strong.said, *(candidate.said for candidate in pair)], self.run.question)
        for candidate, answer in zip(pair, cheap, strict=True):
            if same(answer, last):
                self.kept.sided_with(self.found.kind, candidate.model.id)

    def _judged(self, heard: Sequence[Candidate]) -> list[Judged]:
        """The answers that are answers at all, each looked at alone."""
        able = whole(heard)
        read = answers([candidate.said for candidate in able], self.run.question)
        return [
            self.found.judge(candidate, answer.extracted, self.run.question)
            for candidate, answer in zip(able, read, strict=True)
        ]

    def _score(self, probability: float) -> Score:
        method = self.version if self.found.known else f"{self.version} (uncalibrated)"
        return held_against(Score(probability, None, method), self._bar)

    @property
    def _bar(self) -> float:
        return self.run.plan.policy.bar
