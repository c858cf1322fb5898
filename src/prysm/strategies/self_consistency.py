"""self_consistency: sample one model, return the answer most samples give (Wang et al., arXiv 2203.11171).

Samples come in waves and stop as soon as the majority is settled (Adaptive-Consistency, arXiv 2305.11860).
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

from prysm.core.run import Verdict
from prysm.scoring import Compared, score_votes
from prysm.strategies.called import called
from prysm.strategies.fan_out import fan_out, quorum_of
from prysm.strategies.prompts import hinted
from prysm.strategies.proposals import as_heard, vote

if TYPE_CHECKING:
    from prysm.core.run import Candidate
    from prysm.scoring import Ballot
    from prysm.strategies.run import Run

FIRST_WAVE = 3
NEXT_WAVES = 2
SETTLED = 0.93
"""P(the leader is the true majority) that ends sampling: 3-0, 6-1 and 8-2 do, 2-0 and 4-1 do not."""


class SelfConsistency:
    """Between 3 and `samples` calls of one model, in waves."""

    async def run(self, run: Run) -> Verdict:
        """Sample until the vote is settled or the samples are spent; raises when every sample failed."""
        drawn, asked, compared = [], 0, Compared()
        while asked < run.plan.samples:
            wave = min(FIRST_WAVE if asked == 0 else NEXT_WAVES, run.plan.samples - asked)
            drawn += await self._wave(run, asked, wave)
            asked += wave
            if drawn and _settles(run, drawn, compared):
                break
        if not drawn:
            raise run.all_failed()
        return as_heard(self._vote(run, drawn, asked, compared), len(drawn), asked)

    async def _wave(self, run: Run, first: int, n: int) -> list[Candidate]:
        model, messages = run.plan.models[0], hinted(run)
        calls = [
            run.ask("sample", model, messages=messages, sampling=run.sampled(i), sample=i)
            for i in range(first, first + n)
        ]
        return await fan_out(calls, quorum_of(n))

    def _vote(self, run: Run, drawn: list[Candidate], asked: int, compared: Compared) -> Verdict:
        if len(drawn) < asked:
            run.degrade(f"partial:{len(drawn)} of {asked} samples")
        ballot = vote(run, drawn, compared=compared)
        leader, second = top_two(ballot)
        run.note("vote", tuple(c.stage for c in drawn), f"{leader} of {len(drawn)} agree, next {second}")
        return called(run, drawn, ballot) or Verdict(ballot.winner, ballot.score)


def _settles(run: Run, drawn: list[Candidate], compared: Compared) -> bool:
    return is_settled(*top_two(score_votes(drawn, run.plan.profile, run.question, compared=compared)))


def top_two(ballot: Ballot) -> tuple[int, int]:
    """Sizes of the two largest clusters."""
    sizes = sorted((len(cluster.members) for cluster in ballot.score.clusters), reverse=True)
    return (*sizes, 0, 0)[0], (*sizes, 0, 0)[1]


def is_settled(leader: int, second: int) -> bool:
    """Whether P(share of the leader > 1/2 | a, b) under a uniform Beta prior reaches the mark.

    Closed form: P(Bin(a + b + 1, 1/2) <= a).
    """
    n = leader + second + 1
    return sum(comb(n, i) for i in range(leader + 1)) >= SETTLED * (1 << n)
