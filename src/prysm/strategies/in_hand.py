"""What a run that is out of time has already heard: the best answer in hand is worth more than none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.scoring import score_single, score_votes, usable

if TYPE_CHECKING:
    from prysm.strategies.run import Run


def best_in_hand(run: Run) -> Verdict | None:
    """The answer that those heard so far vote for; None when none can be used, or the caller saw a part of another."""
    heard = [candidate for candidate in run.answers if usable(candidate.completion)]
    if run.streamed or not heard:
        return None
    run.degrade("deadline")
    if len(heard) == 1:
        return Verdict(heard[0], score_single(heard[0], run.plan.profile, run.question))
    ballot = score_votes(heard, run.plan.profile, run.question)
    return Verdict(ballot.winner, ballot.score)
