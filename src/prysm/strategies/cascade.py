"""cascade: cheap models first, the strong one only when they leave doubt (FrugalGPT, arXiv 2305.05176).

For a question with a comparable answer the gate is agreement of independent cheap models (agreement-based
cascading, arXiv 2407.02348), and what `gate` makes of it; for an open one it is the score of the single answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.core.run import Score, Verdict
from prysm.errors import BudgetExceeded, ProviderError
from prysm.registry.cost import expected_cost
from prysm.scoring import answers, same, score_escalated, score_single, score_votes, usable
from prysm.strategies import gate
from prysm.strategies.fan_out import fan_out
from prysm.strategies.prompts import CLOSED_TASKS, with_answer_hint
from prysm.strategies.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model
    from prysm.core.run import Candidate, StageKind
    from prysm.scoring import Ballot
    from prysm.strategies.gate import Class, Difference, Gate, Judged
    from prysm.strategies.run import Run

BELOW_THE_BAR = 0.01
"""An answer returned because the ladder ended stays this far below the bar: it did not clear it."""
CLEAR_LEAD = 0.35
"""Log odds by which the record must speak for a model before it goes ahead of a cheaper one or stands alone."""


class Cascade:
    """One to `k + 1` calls. Where answers can be compared, two cheap ones are, else the ladder is climbed.

    Keeps a record of whom the strong models sided with, and nothing of any run.
    """

    def __init__(self, fitted: Gate | None = None) -> None:
        self._gate = fitted
        self._record = Record()

    async def run(self, run: Run) -> Verdict:
        """Climb until an answer is good enough under the policy; the best answer so far when the ladder ends."""
        *cheap, strong = run.plan.models
        if len(cheap) < 2 or not gate.comparable(run.plan.profile, run.question, CLOSED_TASKS):  # noqa: PLR2004
            return await _climb(run, [[model] for model in run.plan.models], [])
        found = (self._gate or gate.fitted()).of(run.plan.profile, run.question)
        if _is_no_saving(run, cheap[:2], strong, found):
            return await _climb(run, [[strong], cheap], [])
        return await self._compare(run, found, self._by_record(found, cheap), strong)

    def _by_record(self, found: Class, cheap: Sequence[Model]) -> list[Model]:
        """The cheap models as planned; of the first two, a clearly more trusted one first."""
        first, second, *rest = cheap
        swapped = self._record.lead(found.kind, second.id, first.id) > CLEAR_LEAD
        return [second, first, *rest] if swapped else [first, second, *rest]

    async def _compare(self, run: Run, found: Class, cheap: Sequence[Model], strong: Model) -> Verdict:
        """Ask one or two cheap models; more only when that is worth its price."""
        bar = run.plan.policy.bar
        first, second, *rest = cheap
        if self._record.is_strange(found.kind, found.differ):
            found = replace(found, known=False, alone=False)
        alone = found.alone and self._record.lead(found.kind, first.id, second.id) > CLEAR_LEAD
        heard = await _ask(run, [first] if alone else [first, second], [])
        if alone:
            judged = _judged(run, found, heard)
            if judged and judged[0].probability >= gate.sure_from(bar):
                return Verdict(heard[0], self._score(found, judged[0].probability, bar))
            heard += await _ask(run, [second], heard, kind="answer")
        difference = self._difference(run, found, heard)
        if difference and not self._is_worth_it(found, difference, bar):
            return self._settled(run, found, heard, difference)
        ballot = _voted(run, heard) if difference is None and len(heard) > 1 and found.known else None
        if ballot and ballot.closed and ballot.unanimous:
            return Verdict(ballot.winner, _held_against(ballot.score, bar))  # no strong model was better than these
        look: list[list[Model]] = [[]] if len(heard) > 1 and difference is None else []  # where they may agree
        verdict = await _climb(run, [*look, *([model] for model in rest), [strong]], heard)
        if difference and verdict.candidate.model is strong:
            self._remember(run, found, heard[:2], verdict.candidate)
        return verdict

    def _difference(self, run: Run, found: Class, heard: Sequence[Candidate]) -> Difference | None:
        """The odds of two answers that differ; None when they agree, or one of them is no answer."""
        judged = _judged(run, found, heard)
        if len(judged) < 2:  # noqa: PLR2004 - a pair
            return None
        differ = not same(*answers([candidate.text for candidate in heard], run.question))
        self._record.compared(found.kind, differ=differ)
        if not differ:
            return None
        lead = self._record.lead(found.kind, heard[0].model.id, heard[1].model.id)
        return found.weigh(judged[0], judged[1], lead)

    def _is_worth_it(self, found: Class, difference: Difference, bar: float) -> bool:
        worth = difference.worth(bar)
        return worth > 0 if found.known else self._record.promising(found.kind, worth)

    def _settled(self, run: Run, found: Class, heard: Sequence[Candidate], difference: Difference) -> Verdict:
        """The better of two answers that differ, with the odds it has."""
        ballot = _voted(run, heard)
        score = self._score(found, difference.cheap, run.plan.policy.bar)
        told = replace(score, agreement=ballot.score.agreement, clusters=ballot.score.clusters)
        return Verdict(difference.better, told)

    def _remember(self, run: Run, found: Class, pair: Sequence[Candidate], strong: Candidate) -> None:
        last, *cheap = answers([strong.text, *(candidate.text for candidate in pair)], run.question)
        for candidate, answer in zip(pair, cheap, strict=True):
            if same(answer, last):
                self._record.sided_with(found.kind, candidate.model.id)

    def _score(self, found: Class, probability: float, bar: float) -> Score:
        version = (self._gate or gate.fitted()).version
        method = version if found.known else f"{version} (uncalibrated)"
        return Score(probability, None, method, bar_cleared=probability >= bar)


async def _climb(run: Run, rungs: Sequence[Sequence[Model]], heard: list[Candidate]) -> Verdict:
    """Ask rung by rung until an answer clears the bar; `heard` was asked before, an empty rung only looks at it."""
    score: Score | None = None
    for rung in rungs:
        latest = await _ask(run, rung, heard) if rung else heard
        if not latest:
            continue
        heard = [*heard, *latest] if rung else heard
        chosen, score = _judge(run, heard, latest)
        if (score.confidence or 0) >= run.plan.policy.bar:
            return Verdict(chosen, replace(score, bar_cleared=True))
    if not heard:
        raise run.all_failed()
    if score is None:
        chosen, score = _judge(run, heard, heard)
    return Verdict(chosen, _not_cleared(score, run.plan.policy.bar))


async def _ask(
    run: Run, rung: Sequence[Model], heard: Sequence[Candidate], kind: StageKind | None = None
) -> list[Candidate]:
    """The answers of one rung; a failed model or a reached ceiling leaves a gap and is said."""
    messages = with_answer_hint(run.request.messages, run.plan.profile.task)
    parents = tuple(candidate.stage for candidate in heard) if kind is None else ()
    kind = kind or ("escalate" if heard else "answer")
    calls = [run.ask(kind, model, messages=messages, parents=parents) for model in rung]
    if len(calls) > 1:
        found = await fan_out(calls, len(calls))
    else:
        try:
            found = [await calls[0]]
        except (ProviderError, BudgetExceeded) as error:
            run.degrade("ceiling_reached" if isinstance(error, BudgetExceeded) else "rung_failed")
            return []
    if len(found) < len(rung):
        run.degrade("rung_failed")
    return found


def _judge(run: Run, heard: Sequence[Candidate], latest: Sequence[Candidate]) -> tuple[Candidate, Score]:
    """The answer that stands after this rung: the vote's winner, or the latest and strongest model's own."""
    profile, question = run.plan.profile, run.question
    if len(heard) == 1:
        return heard[0], score_single(heard[0], profile, question)
    ballot = _voted(run, heard)
    if ballot.closed and ballot.unanimous:
        return ballot.winner, ballot.score
    best = max(latest, key=lambda candidate: candidate.model.quality_for(profile.task))
    return best, score_escalated(heard.index(best), heard, ballot, profile, question).score


def _voted(run: Run, heard: Sequence[Candidate]) -> Ballot:
    ballot = score_votes(heard, run.plan.profile, run.question)
    run.note("vote", tuple(c.stage for c in heard), f"{len(ballot.score.clusters)} answers among {len(heard)}")
    return ballot


def _judged(run: Run, found: Class, heard: Sequence[Candidate]) -> list[Judged]:
    """The answers that are answers at all, each looked at alone."""
    standing = [candidate for candidate in heard if usable(candidate.completion)]
    read = answers([candidate.text for candidate in standing], run.question)
    return [
        found.judge(candidate, answer.extracted, run.question)
        for candidate, answer in zip(standing, read, strict=True)
    ]


def _is_no_saving(run: Run, cheap: Sequence[Model], strong: Model, found: Class) -> bool:
    """Whether the strong model alone is expected to cost no more; never for models that the caller named."""
    costs = [expected_cost(model, run.plan.profile) for model in (*cheap, strong)]
    if run.request.models or None in costs:
        return False
    *tried, last = (cost or 0 for cost in costs)
    return sum(tried) > (1 - found.differ) * last


def _held_against(score: Score, bar: float) -> Score:
    cleared = score.confidence is not None and score.confidence >= bar
    return replace(score, bar_cleared=True) if cleared else _not_cleared(score, bar)


def _not_cleared(score: Score, bar: float) -> Score:
    confidence = None if score.confidence is None else min(score.confidence, bar - BELOW_THE_BAR)
    return replace(score, confidence=confidence, bar_cleared=False)
