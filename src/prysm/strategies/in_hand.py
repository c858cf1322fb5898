"""What a run that is out of time has already heard: the best answer in hand is worth more than none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.scoring import score_single, score_votes, usable
from prysm.strategies.proposals import as_heard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.run import Candidate
    from prysm.strategies.run import Run

PANELS = frozenset({"self_consistency", "ensemble_moa", "blender", "debate"})
"""Strategies whose first step asks several for the same."""


def best_in_hand(run: Run) -> Verdict | None:
    """The answer that those heard so far vote for; None when none can be used, or the caller saw a part of another."""
    heard = [candidate for candidate in run.answers if usable(candidate.completion)]
    if run.streamed or not heard:
        return None
    run.degrade("deadline")
    return as_heard(_vote(run, heard), *_attendance(run)) if run.plan.strategy in PANELS else _vote(run, heard)


def _vote(run: Run, heard: Sequence[Candidate]) -> Verdict:
    if len(heard) == 1:
        return Verdict(heard[0], score_single(heard[0], run.plan.profile, run.question))
    ballot = score_votes(heard, run.plan.profile, run.question)
    return Verdict(ballot.winner, ballot.score)


def _attendance(run: Run) -> tuple[int, int]:
    """How many members of the panel answered, and how many were asked; answers to others' answers do not count."""
    answered = sum(run.stages[one.stage].kind != "revise" for one in run.answers)
    return answered, sum(stage.kind in {"propose", "sample"} for stage in run.stages)
