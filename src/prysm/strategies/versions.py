"""Several versions of one answer, written side by side by one model (OpenAI's `n`)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.errors import PrysmError

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.run import Candidate
    from prysm.strategies.run import Run


async def versions(run: Run, model: Model, within: float | None = None) -> tuple[Candidate, ...]:
    """As many answers of `model` as the caller asked for, or, when some of the calls fail, as there are.

    `within` seconds they are given up.
    Raises the first failure when all fail, and that of a version which broke off before the caller's eyes.
    """
    n = run.request.n
    if n == 1:
        return (await run.ask("answer", model, final=True, within=within),)
    ended = await asyncio.gather(*(_version(run, model, i, within) for i in range(n)), return_exceptions=True)
    failures = [(i, end) for i, end in enumerate(ended) if isinstance(end, BaseException)]
    made = tuple([end for end in ended if not isinstance(end, BaseException)])
    for i, failure in failures:
        if not made or i in run.shown or not isinstance(failure, PrysmError):
            raise failure
    if failures:
        run.degrade(f"partial:{len(made)} of {n} versions")
    return made


async def _version(run: Run, model: Model, i: int, within: float | None) -> Candidate:
    """The `i`-th; a seed that made all of them the same would defeat the purpose."""
    own = run.request.sampling
    sampling = replace(own, seed=own.seed_of(i))
    return await run.ask("answer", model, sampling=sampling, sample=i, final=True, choice=i, within=within)
