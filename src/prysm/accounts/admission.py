"""What a run has to hold before its first call, and what it is charged when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import orjson

from prysm.core.payer import Payer
from prysm.core.values import dataclass
from prysm.errors import BudgetExceeded
from prysm.registry.cost import EXPECTED_OUTPUT, output_cap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from prysm.core.account import Account
    from prysm.core.caller import Caller
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.run import Finished

MOST_HELD_NANO = 4 * 10**18
"""More than any budget has, and no more than the database can add to one."""


@dataclass(frozen=True, slots=True)
class Counting:
    """The budgets that count a run; `hard`: one of them refuses what goes beyond it."""

    budgets: tuple[UUID, ...] = ()
    hard: bool = False


class Budgets(Protocol):
    """Knows the budgets there are."""

    def budgets(self, caller: Caller, tags: tuple[str, ...]) -> Counting:
        """Those that count a run of this caller under these tags."""
        ...


def tags_of(caller: Caller, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """What a run is attributed to, as `key=value`: the key's tags, which no caller can replace, and `metadata`."""
    fixed = {tag.partition("=")[0] for tag in caller.tags}
    return (*caller.tags, *(f"{name}={value}" for name, value in metadata.items() if name not in fixed))


def payer_of(caller: Caller, request: ChatRequest, plan: Plan, known: Budgets, *, free: bool = False) -> Payer:
    """Who pays for the run and, where anything limits it, the worst it can cost and the tokens it may use.

    `free`: it calls nobody, and counts as a request all the same. Raises `BudgetExceeded` when a hard limit is to be
    held and nobody knows what the run may cost.
    """
    tags = tags_of(caller, request.metadata) if caller.tags or request.metadata else ()
    counting = Counting() if free else known.budgets(caller, tags)
    prepaid = caller.prepaid and not free and not _all_brought(request, plan)
    firm = counting.hard or prepaid
    held = _worst(plan, firm=firm) if firm or counting.budgets else 0
    return Payer(
        caller.org,
        caller.project,
        caller.key,
        caller.tags if request.retention_zero else tags,  # `metadata` is text of the caller's: counted, not kept
        plan.strategy,
        plan.mode,
        plan.policy.id,
        plan.profile.task,
        held,
        _tokens(request, plan) if caller.limits and not free else 0,
        counting.budgets,
        caller.limits,
        prepaid,
        held if firm else None,
    )


def charge_of(payer: Payer, run: Finished, spent: Account) -> bytes:
    """What the run is charged, as the store reads it: every call of it, losers and failures too."""
    answered = run.verdict.candidate.model if run.verdict is not None else None
    return orjson.dumps(
        {
            **payer.whose(),
            "id": run.request_id,
            "outcome": run.outcome,
            "model": answered.id if answered else None,
            "provider": answered.provider if answered else None,
            "tokens_in": spent.prompt_tokens,
            "tokens_out": spent.completion_tokens,
            "cost": spent.total_nano,
            "estimated": spent.estimated,
            "brought": _brought(run) if run.request.own_providers and spent.total_nano is not None else 0,
            **_parts(run, answered),
        }
    )


def _parts(run: Finished, answered: Model | None) -> dict[str, list[dict[str, Any]]]:
    """What each model had of the run, where others were called than the one that answered.

    Together they are the run's tokens and, where every part's is known, its cost.
    """
    if answered is not None and (len(run.stages) == 1 or run.original is not None):
        return {}  # nearly all runs
    calls = [(stage, stage.model, stage.usage) for stage in run.stages if stage.model and stage.usage]
    if all(model is answered for _, model, _ in calls):
        return {}
    parts: dict[tuple[str, str], dict[str, Any]] = {}
    for stage, model, usage in calls:
        none = {
            "model": model.id,
            "provider": model.provider,
            "calls": 0,
            "tokens_in": 0,
            "tokens_out": 0,
            "cost": 0,
        }
        part = parts.setdefault((model.id, model.provider), none)
        part["calls"] += 1
        part["tokens_in"] += usage.prompt_tokens or 0
        part["tokens_out"] += usage.completion_tokens or 0
        known = part["cost"] is not None and stage.cost_nano is not None
        part["cost"] = part["cost"] + stage.cost_nano if known else None
    return {"parts": list(parts.values())}


def _all_brought(request: ChatRequest, plan: Plan) -> bool:
    """Whether every call goes to a provider on the organisation's own account: then no credits are needed."""
    own, helpers = request.own_providers, (plan.aggregator, plan.judge)
    return own is not None and all(m.provider in own for m in (*plan.models, *plan.fallbacks, *helpers) if m)


def _brought(run: Finished) -> int:
    """What the calls cost that the organisation pays its provider itself: no credits are taken for them."""
    own = run.request.own_providers or {}
    return sum(stage.cost_nano or 0 for stage in run.stages if stage.model and stage.model.provider in own)


def _worst(plan: Plan, *, firm: bool) -> int:
    worst = plan.estimate.cost_max_nano
    if worst is not None:
        return min(worst, MOST_HELD_NANO)
    if not firm:
        return 0
    raise BudgetExceeded(
        "Nobody can tell what this may cost, and a hard budget or prepaid credits must cover it: a model has no known "
        "price, or a file no known length. Name models whose prices are in the catalog.",
        param="model",
    )


def _tokens(request: ChatRequest, plan: Plan) -> int:
    """What a rate of tokens counts until the true number is known: the planned calls, at their usual length."""
    profile, asked = plan.profile, request.sampling.max_tokens
    answer = EXPECTED_OUTPUT[profile.task] if asked is None else max(output_cap(m, asked) for m in plan.models)
    return (profile.prompt_tokens + answer) * len(plan.models) * max(plan.samples, plan.rounds, request.n)
