"""What a key leaves its caller to choose from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.errors import Forbidden

if TYPE_CHECKING:
    from prysm.core.caller import Caller
    from prysm.core.plan import ChatRequest


def narrowed(request: ChatRequest, caller: Caller) -> ChatRequest:
    """The request within what its caller's key allows. Raises `Forbidden` for what it names that the key does not."""
    models, strategies = caller.allowed_models, caller.allowed_strategies
    if models is None and strategies is None and not caller.retention_zero:
        return request
    if models is not None:
        _check_models(request, models)
    asked = request.strategy
    if strategies is not None and asked is not None and asked not in strategies:
        raise Forbidden(f"This key may not use the strategy {asked!r}: {_listed(strategies)}", param="strategy")
    return replace(
        request,
        allowed_models=models,
        allowed_strategies=strategies,
        retention_zero=request.retention_zero or caller.retention_zero,
        kept_s=None if caller.retention_zero else request.kept_s,
    )


def _check_models(request: ChatRequest, allowed: frozenset[str]) -> None:
    named = {
        "model": (request.pinned,),
        "models": request.models,
        "aggregator": (request.aggregator,),
        "judge_model": (request.judge,),
        "fallback": request.fallback,
    }
    for param, ids in named.items():
        for name in ids:
            if name is not None and name not in allowed:
                raise Forbidden(f"This key may not use the model {name[:64]!r}: {_listed(allowed)}", param=param)


def _listed(allowed: frozenset[str]) -> str:
    return f"it is limited to {', '.join(sorted(allowed))}." if allowed else "it is limited to none."
