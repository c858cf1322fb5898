"""Answers that call tools: voted on, and never shown to a model to be judged, rewritten or argued over.

Where no call has the majority, calls of the same tools are merged argument by argument, if what comes out fits the
tools' schemas.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from prysm.core.chat import Completion, Usage
from prysm.core.run import Candidate, Verdict
from prysm.scoring.json_values import spelled
from prysm.strategies.validity import call_flaw, calls_value, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.content import ToolCall
    from prysm.core.tools import Toolbox
    from prysm.scoring import Ballot
    from prysm.strategies.run import Run

HALF = 0.5
ID_CHARS = 24

_Option: TypeAlias = "tuple[tuple[ToolCall, ...], float]"


def calls_tools(candidate: Candidate) -> bool:
    """Whether an answer calls tools."""
    return bool(candidate.completion.tool_calls)


def in_words(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that call no tool."""
    return [candidate for candidate in candidates if not calls_tools(candidate)]


def called(run: Run, candidates: Sequence[Candidate], ballot: Ballot) -> Verdict | None:
    """The verdict where the vote is for calling tools; None, said in the trace, where it is for words."""
    parents = tuple(candidate.stage for candidate in candidates)
    calling = sum(map(calls_tools, candidates))
    if not calls_tools(ballot.winner):
        if calling:
            run.note("vote", parents, f"{calling} of {len(candidates)} call tools and are outvoted")
        return None
    run.note(
        "vote",
        parents,
        f"{calling} of {len(candidates)} call tools, {len(ballot.score.clusters)} answers among them",
    )
    return Verdict(_merged(run, candidates, ballot) or ballot.winner, ballot.score)


def _merged(run: Run, candidates: Sequence[Candidate], ballot: Ballot) -> Candidate | None:
    """A call of what most say of each argument; None where that is the winner's own, or fits no schema."""
    box, own = run.request.toolbox, ballot.winner.completion.tool_calls
    options = [
        (candidates[found.members[0]].completion.tool_calls, found.weight) for found in ballot.score.clusters
    ]
    alike = [option for option in options if _tools(option[0]) == _tools(own)]
    if box is None or len(alike) == 1 or max(_tools(own).values()) > 1 or any(made.custom for made in own):
        return None
    merged = tuple(_by_argument(made, alike, box) for made in own)
    if calls_value(merged, box) == calls_value(own, box):
        return None
    if any(call_flaw(made, box) for made in merged):
        run.note(
            "verify",
            (run.stages[-1].i,),
            "merged by argument the call would not fit its schema: the winner's own stands",
        )
        return None
    merged = tuple(replace(made, id=_fresh_id(run, i, made), signature=None) for i, made in enumerate(merged))
    stage = run.note("aggregate", (run.stages[-1].i,), f"{len(alike)} calls merged by argument, without a call")
    done = Completion("", "tool_calls", Usage(None, None), tool_calls=merged)
    return Candidate(stage, ballot.winner.model, done, calls_value(merged, box))


def _by_argument(own: ToolCall, options: Sequence[_Option], box: Toolbox) -> ToolCall:
    """One call with each argument as most have it, or as the winner has it where there is no majority."""
    said = [
        (filled(next(made for made in calls if made.name == own.name), box), weight) for calls, weight in options
    ]
    mine, names = filled(own, box), dict.fromkeys(name for found, _ in said for name in found)
    total, merged = sum(weight for _, weight in said), dict[str, Any]()
    for name in names:
        weights: defaultdict[str | None, float] = defaultdict(float)
        for found, weight in said:
            weights[spelled(found[name]) if name in found else None] += weight
        most = max(weights, key=lambda value: weights[value])
        chosen = mine
        if weights[most] > HALF * total:
            chosen = next(found for found, _ in said if (spelled(found[name]) if name in found else None) == most)
        if name in chosen:
            merged[name] = chosen[name]
    return replace(own, arguments=spelled(merged))


def _tools(calls: Sequence[ToolCall]) -> Counter[str]:
    return Counter(made.name for made in calls)


def _fresh_id(run: Run, i: int, made: ToolCall) -> str:
    """An id for a call that no model made; the same in a run with the same seed."""
    text = f"{run.nonce}/{i}/{made.name}({made.arguments})"
    return f"call_{hashlib.sha256(text.encode()).hexdigest()[:ID_CHARS]}"
