"""blender: rank the answers pair by pair, fuse the best (LLM-Blender, arXiv 2306.02561).

The paper's ranker is a trained cross-encoder whose weights no package carries; a judge model ranks here, every pair in
both orders. The fused answer is returned only if the judge does not prefer the best single one.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

from prysm.core.run import Verdict
from prysm.errors import BudgetExceeded, ProviderError
from prysm.scoring import score_fused, usable
from prysm.strategies.called import called, in_words
from prysm.strategies.judge import prefer
from prysm.strategies.patience import patience_with, until
from prysm.strategies.prompts import aggregate
from prysm.strategies.proposals import alone, as_heard, heard, propose, settled, shuffled, standing, vote
from prysm.strategies.validity import Unfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.run import Candidate
    from prysm.scoring import Ballot
    from prysm.strategies.run import Run

TOP = 3
FUSER_TEMPERATURE = 0.3

Pair: TypeAlias = tuple[int, int]


class Blender:
    """`k` proposals, `k (k - 1)` verdicts, one fusion, two verdicts on it."""

    async def run(self, run: Run) -> Verdict:
        """Propose, rank, fuse, check; raises when every proposer failed."""
        proposals = await propose(run, phases_after=3)
        return as_heard(await self._decide(run, proposals), len(proposals), len(run.plan.models))

    async def _decide(self, run: Run, proposals: list[Candidate]) -> Verdict:
        if len(proposals) == 1:
            return alone(run, proposals[0])
        ballot = vote(run, proposals)
        if settled(proposals, ballot):
            run.note("vote", tuple(c.stage for c in proposals), f"all {len(proposals)} agree, nothing to rank")
            return Verdict(ballot.winner, ballot.score)
        if tools := called(run, proposals, ballot):
            return tools
        texts = in_words(proposals)
        if len(texts) == 1:
            return Verdict(ballot.winner, ballot.score)
        ranked, swept = await self._rank(run, texts, ballot)
        best = Verdict(ranked[0], standing(run, ranked[0], proposals, ballot))
        if swept and ballot.closed:
            return best
        return await self._fuse(run, ranked, ballot) or best

    async def _rank(self, run: Run, proposals: list[Candidate], ballot: Ballot) -> tuple[list[Candidate], bool]:
        """Best first, and whether the first won every comparison; without half the verdicts, by the vote."""
        pairs = list(combinations(range(len(proposals)), 2))
        compared = await heard(run, [_compared(run, proposals, pair) for pair in pairs], phases_after=2)
        verdicts = {pair: result for pair, result in compared if result is not None}
        if 2 * len(verdicts) < len(pairs):
            run.degrade("judge_failed")
            return sorted(proposals, key=lambda c: c is not ballot.winner), False
        points = net_wins(len(proposals), verdicts)
        order = sorted(range(len(proposals)), key=lambda i: (-points[i], proposals[i] is not ballot.winner))
        table = ", ".join(f"{proposals[i].model.id} {points[i]:+.2f}" for i in order)
        run.note("rank", tuple(c.stage for c in proposals), f"net wins per comparison: {table}")
        return [proposals[i] for i in order], points[order[0]] == 1.0 and len(verdicts) == len(pairs)

    async def _fuse(self, run: Run, ranked: Sequence[Candidate], ballot: Ballot) -> Verdict | None:
        """The fusion of the best, or None when it failed or does harm."""
        top, order = shuffled(run, ranked[:TOP])
        try:
            fuser = run.plan.aggregator or ranked[0].model
            fusing = run.ask(
                "aggregate",
                fuser,
                messages=aggregate(run.request.messages, [c.text for c in top], run.nonce),
                sampling=run.cooled(FUSER_TEMPERATURE),
                parents=tuple(c.stage for c in top),
                within=run.clock.share(phases_after=1),
                note=order,
            )
            fused = await until(run, fusing, patience_with(run, fuser))
        except (ProviderError, BudgetExceeded) as error:
            run.degrade("invalid_merge" if isinstance(error, Unfit) else "aggregator_failed")
            return None
        if usable(ranked[0].completion) and not usable(fused.completion):
            run.degrade("aggregator_unusable")
            return None
        harm = await prefer(run, run.plan.judge or ranked[0].model, ranked[0], fused)
        run.note("verify", (fused.stage, ranked[0].stage), _HARM[harm])
        if harm is None:
            run.degrade("judge_failed")
        return None if harm == 1 else Verdict(fused, score_fused(fused, ballot, run.plan.profile, run.question))


_HARM: Mapping[int | None, str] = {
    1: "the best single answer is better than the fusion and is returned",
    0: "the fusion is no worse than the best single answer",
    -1: "the fusion is better than the best single answer",
    None: "the fusion could not be checked",
}


async def _compared(run: Run, proposals: Sequence[Candidate], pair: Pair) -> tuple[Pair, int | None]:
    a, b = (proposals[i] for i in pair)
    return pair, await prefer(run, run.plan.judge or proposals[0].model, a, b, phases_after=2)


def net_wins(n: int, verdicts: Mapping[Pair, int]) -> list[float]:
    """Wins less losses per comparison made, -1 to 1, for each of `n` candidates."""
    totals, counts = [0] * n, [0] * n
    for (i, j), result in verdicts.items():
        totals[i] += result
        totals[j] -= result
        counts[i] += 1
        counts[j] += 1
    return [total / count if count else 0.0 for total, count in zip(totals, counts, strict=True)]
