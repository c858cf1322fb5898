"""Who makes vectors of a caller's texts: the model that was named, or the cheapest, and its twins at other hosts.

Vectors of different models cannot be compared, so no other model ever stands in.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from prysm.core.plan import Alternative, Estimate, Plan
from prysm.errors import NoProviderAvailable
from prysm.planner.allowed import allowed
from prysm.planner.pool import judged, narrow
from prysm.registry.cost import expected_cost, total, worst_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.embedding import Embed
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Policy, Profile
    from prysm.planner.pool import Pool
    from prysm.registry.catalog import Catalog


def embedding_plan(
    request: ChatRequest, profile: Profile, candidates: Sequence[Model], catalog: Catalog, policy: Policy
) -> Plan:
    """Plan for `candidates`: the one that was named, or every one that is live; raises when none can take it."""
    if not candidates:
        raise NoProviderAvailable(
            "No model that makes embeddings is live. Set a provider key (OPENAI_API_KEY, …), or list a model with "
            'capabilities = ["embeddings"] in prysm.toml.',
            param="model",
        )
    pool = narrow(candidates, request, profile, catalog.provider)
    first = _cheapest(pool.models, profile)
    same = [
        model
        for model in allowed(catalog.embedders(), request)
        if model.upstream == first.upstream and model is not first
    ]
    found = judged(same, request, profile, catalog.provider, named=True)
    twins = tuple(model for model, why in found if why is None)
    named = request.pinned is not None
    why = "was named by the caller" if named else "is the cheapest that makes embeddings"
    return Plan(
        strategy="single",
        policy=replace(policy, min_confidence=None, max_latency_ms=None),
        mode="direct" if named else request.routing_mode,
        profile=profile,
        models=(first,),
        reason=f"{first.display} {why}.",
        estimated=partial(_estimate, (first, *twins), request.embed, profile),
        forced=named,
        fallbacks=twins,
        alternatives=_alternatives(pool, first, profile),
    )


def _cheapest(models: Sequence[Model], profile: Profile) -> Model:
    """The first of the cheapest; one of unknown price comes last."""
    costs = [(expected_cost(model, profile), model) for model in models]
    known = [(cost, model) for cost, model in costs if cost is not None]
    return min(known, key=lambda row: row[0])[1] if known else models[0]


def _alternatives(pool: Pool, chosen: Model, profile: Profile) -> tuple[Alternative, ...]:
    lost = [(model, "its embeddings do not cost less") for model in pool.models if model is not chosen]
    return tuple(Alternative(model, expected_cost(model, profile), why) for model, why in (*lost, *pool.excluded))


def _estimate(models: Sequence[Model], embed: Embed | None, profile: Profile) -> Estimate:
    most = 0 if embed is None else embed.tokens_at_most
    return Estimate(
        calls_max=len(models),
        cost_expected_nano=expected_cost(models[0], profile),
        cost_max_nano=total(worst_cost(model, most, 0) for model in models),
        latency_ms_expected=models[0].latency_ms,
    )
