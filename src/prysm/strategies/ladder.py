"""The rungs of a cascade: how one is asked, and which of the answers heard so far stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.errors import BudgetExceeded, ProviderError
from prysm.scoring import score_escalated, score_single, score_votes, usable
from prysm.strategies.fan_out import fan_out
from prysm.strategies.patience import share_of
from prysm.strategies.prompts import hinted
from prysm.strategies.run import SAMPLING_TEMPERATURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Sampling
    from prysm.core.model import Model
    from prysm.core.run import Candidate, Score, StageKind
    from prysm.scoring import Ballot
    from prysm.strategies.run import Run

BELOW_THE_BAR = 0.01
"""An answer returned because the ladder ended stays this far below the bar: it did not clear it."""


async def ask(
    run: Run,
    rung: Sequence[Model],
    heard: Sequence[Candidate],
    *,
    kind: StageKind | None = None,
    note: str | None = None,
    after: Sequence[Model] = (),
) -> list[Candidate]:
    """The answers of one rung, all of its models at once; a model that stands there again is sampled again.

    Under a deadline the models that may be asked `after` it are left their share of the time.
    A failed model or a reached ceiling leaves a gap, a refusal, an empty, a cut or an endless answer is none; both are
    said.
    """
    messages = hinted(run)
    parents = tuple(candidate.stage for candidate in heard) if kind is None else ()
    kind = kind or ("escalate" if heard else "answer")
    calls, within = [], share_of(run, rung, after)
    for at, model in enumerate(rung):
        sample, sampling = rung[:at].count(model), _warm(run, at) if rung.count(model) > 1 else None
        calls.append(
            run.ask(
                kind,
                model,
                messages=messages,
                sampling=sampling,
                sample=sample,
                parents=parents,
                within=within,
                note=note,
            )
        )
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
    if len(whole(found)) < len(found):
        run.degrade("unusable_answer")
    return found


def whole(heard: Sequence[Candidate]) -> list[Candidate]:
    """Those that are answers at all."""
    return [candidate for candidate in heard if usable(candidate.completion)]


async def climb(run: Run, rungs: Sequence[Model], heard: list[Candidate]) -> tuple[Candidate, Score]:
    """Ask model by model until an answer clears the bar; raises when nothing at all was heard.

    `heard` was asked before, and grows. Of a question whose answers can be compared no answer stands alone before the
    last rung.
    """
    latest: list[Candidate] = []
    found: tuple[Candidate, Score] | None = None
    for at, model in enumerate(rungs, start=1):
        latest, found = await ask(run, [model], heard, after=rungs[at:]), None
        heard += latest
        if whole(latest) and (len(whole(heard)) > 1 or model is rungs[-1]):
            found = chosen, score = standing(run, heard, latest)
            if (score.confidence or 0) >= run.plan.policy.bar:
                return chosen, replace(score, bar_cleared=True)
    if not heard:
        raise run.all_failed()
    chosen, score = found or standing(run, heard, latest)
    return chosen, not_cleared(score, run.plan.policy.bar)


def standing(run: Run, heard: Sequence[Candidate], latest: Sequence[Candidate]) -> tuple[Candidate, Score]:
    """The answer that stands after a rung: the latest and strongest model's own, or the vote's winner.

    The vote decides when all say the same, and when the latest rung gave no answer.
    """
    profile, question = run.plan.profile, run.question
    if len(heard) == 1:
        return heard[0], score_single(heard[0], profile, question)
    ballot, able = voted(run, heard), whole(latest)
    if not able or (ballot.closed and ballot.unanimous):
        return ballot.winner, ballot.score
    best = max(able, key=lambda candidate: candidate.model.quality_for(profile.task))
    return best, score_escalated(heard.index(best), heard, ballot, profile, question).score


def voted(run: Run, heard: Sequence[Candidate]) -> Ballot:
    """A vote, and a stage that tells of it."""
    ballot = score_votes(heard, run.plan.profile, run.question)
    run.note("vote", tuple(c.stage for c in heard), f"{len(ballot.score.clusters)} answers among {len(heard)}")
    return ballot


def held_against(score: Score, bar: float) -> Score:
    """The score, with whether it clears the bar."""
    cleared = score.confidence is not None and score.confidence >= bar
    return replace(score, bar_cleared=True) if cleared else not_cleared(score, bar)


def not_cleared(score: Score, bar: float) -> Score:
    """The score of an answer that did not clear the bar, and does not say so in its confidence either."""
    confidence = None if score.confidence is None else min(score.confidence, bar - BELOW_THE_BAR)
    return replace(score, confidence=confidence, bar_cleared=False)


def asked_at_once(run: Run, strong: Model) -> str:
    """Say, in the reason of the plan, that the cheap models are passed over; returns the note of the call."""
    said = f"The cheap models would save nothing here, so {strong.display} is asked at once"
    run.plan = replace(run.plan, reason=f"{run.plan.reason} {said}.")
    return said


def _warm(run: Run, sample: int) -> Sampling:
    """Sampling under which a model does not repeat itself."""
    sampling = run.sampled(sample)
    if sampling.temperature != 0:
        return sampling
    run.degrade("temperature_raised")
    return replace(sampling, temperature=SAMPLING_TEMPERATURE)
