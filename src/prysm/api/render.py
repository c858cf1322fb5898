"""An answer as JSON: OpenAI's fields, and the `prysm` block with everything we know about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.api import cached
from prysm.api.choices import choice, usage
from prysm.core.model import NANO_PER_USD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.run import Cluster, Stage
    from prysm.gateway import Answer


def chat_completion(answer: Answer, *, legacy: bool = False) -> dict[str, Any]:
    """`POST /v1/chat/completions`; `legacy`: in the spelling of callers who gave `functions`."""
    return _openai(answer, "chat.completion", block(answer), legacy=legacy)


def orchestration(answer: Answer, *, trace: bool, legacy: bool) -> dict[str, Any]:
    """`POST /v2/orchestrate`."""
    prysm = block(answer)
    if trace:
        prysm["stages"] = [stage(item) for item in answer.stages]
    return _openai(answer, "orchestration", prysm, legacy=legacy)


def block(answer: Answer) -> dict[str, Any]:
    """The `prysm` block."""
    receipt, several = answer.receipt, answer.request.orchestrated
    body = orchestrated(answer) if several else routing(answer.plan, answer)
    told = {
        "request_id": receipt.request_id,
        "latency_ms": answer.latency_ms,
        "simulated": True in [item.model.simulated for item in answer.stages if item.model],
        "orchestration" if several else "routing": body,
        "cost": cost(answer),
        "calls": calls(answer),
        "proof": proof(answer),
        "openings": {name: {"enc": one.enc, "salt": one.salt} for name, one in receipt.openings.items()},
    }
    return told if answer.cache is None else told | cached.shown(answer.cache)


def routing(plan: Plan, answer: Answer | None = None) -> dict[str, Any]:
    """Which model, why it, and why not the others; of the model that answered, when one did."""
    if answer is None:
        model, score, degraded, failed = plan.models[0], None, plan.degraded, []
    else:
        model, score = answer.verdict.candidate.model, answer.verdict.score
        degraded, failed = answer.degraded, _given_up(answer.stages)
    signals = plan.profile.signals | {"difficulty": plan.profile.difficulty_score}
    return {
        "model": model.id,
        "model_display": model.display,
        "display": model.display,
        "provider": model.provider,
        "tier": model.tier,
        "task": plan.profile.task,
        "mode": plan.mode,
        "why": plan.reason,
        "signals": signals,
        "signals_detected": [name for name, value in signals.items() if value is True],
        "in_cost": usd(model.price.input),
        "out_cost": usd(model.price.output),
        "confidence": score.confidence if score else None,
        "confidence_method": score.method if score else None,
        "degraded": list(degraded),
        "alternatives": [
            {"model": other.model.id, "est_cost_usd": usd(other.est_cost_nano), "why_not": other.why_not}
            for other in plan.alternatives
        ]
        if plan.alternatives
        else [],
        "fallbacks": [{"model": item.model.id, "error": item.error} for item in failed if item.model],
    }


def _given_up(stages: Sequence[Stage]) -> list[Stage]:
    """The calls that another model had to make; one whose answer was repaired went on."""
    failed = [item for item in stages if item.model and item.status != "ok"]
    if not failed:
        return failed
    repaired = {parent for item in stages if item.kind == "repair" for parent in item.parents}
    return [item for item in failed if item.i not in repaired]


def orchestrated(answer: Answer) -> dict[str, Any]:
    """Policy, strategy, and how far to trust the answer."""
    score = answer.verdict.score
    return planned(answer.plan) | {
        "models_used": _used(answer),
        "confidence": score.confidence,
        "agreement": score.agreement,
        "confidence_method": score.method,
        "bar_cleared": score.bar_cleared,
        "degraded": list(answer.degraded),
        "clusters": [_cluster(cluster) for cluster in score.clusters],
    }


def planned(plan: Plan) -> dict[str, Any]:
    """The same block before anything ran: both numbers null."""
    return {
        "policy": plan.policy.id,
        "strategy": plan.strategy,
        "reason": plan.reason,
        "forced": plan.forced,
        "task": plan.profile.task,
        "signals": plan.profile.signals | {"difficulty": plan.profile.difficulty_score},
        "models_used": _unique((*plan.models, *((plan.aggregator,) if plan.aggregator else ()))),
        "confidence": None,
        "agreement": None,
        "confidence_method": None,
        "bar": plan.policy.bar,
        "bar_cleared": None,
        "degraded": list(plan.degraded),
        "clusters": [],
    }


def dry_run(plan: Plan, created: int) -> dict[str, Any]:
    """A plan and its price, without an answer."""
    estimate = plan.estimate
    return {
        "object": "orchestration.plan",
        "created": created,
        "model": plan.models[0].id,
        "choices": [],
        "prysm": {
            "orchestration": planned(plan),
            "estimate": {
                "calls_max": estimate.calls_max,
                "cost_usd_expected": usd(estimate.cost_expected_nano),
                "cost_usd_max": usd(estimate.cost_max_nano),
                "latency_ms_expected": estimate.latency_ms_expected,
            },
        },
    }


def cost(answer: Answer) -> dict[str, Any]:
    """What was spent, and what the strongest model alone would have cost for the same prompt and answers."""
    spent, baseline, alone = answer.receipt.account, answer.plan.baseline, _alone(answer)
    saved = None if alone is None or spent.total_nano is None else alone - spent.total_nano
    return {
        "total_usd": usd(spent.total_nano),
        "input_usd": usd(spent.input_nano),
        "output_usd": usd(spent.output_nano),
        "baseline_model": baseline.id if baseline else None,
        "baseline_usd": usd(alone),
        "saved_usd": usd(saved),
        "estimated": spent.estimated,
        "price_version": answer.price_version,
    }


def _alone(answer: Answer) -> int | None:
    if answer.plan.baseline is None:
        return None
    price, alone = answer.plan.baseline.price, 0
    for made in answer.verdict.choices:
        usage = answer.stages[made.stage].usage
        each = price.cost(usage) if usage else None
        if each is None:
            return None
        alone += each
    return alone


def calls(answer: Answer) -> list[dict[str, Any]]:
    """The model calls of the run: none where the cache had the answer."""
    if answer.recalled is not None:
        return []
    return [call(item, answer.request) for item in answer.stages if item.model is not None]


def call(item: Stage, request: ChatRequest) -> dict[str, Any]:
    """One model call of the run; `byok` is there where it was made with a key of the caller's organisation."""
    model, usage, own = item.model, item.usage, request.own_providers
    made = {
        "model": model.id if model else None,
        "provider": model.provider if model else None,
        "attempts": len(item.attempts),
        "tokens_in": usage.prompt_tokens if usage else None,
        "tokens_out": usage.completion_tokens if usage else None,
        "cost_usd": usd(item.cost_nano),
        "status": item.status,
        "ms": item.ended_ms - item.started_ms,
    }
    return made | {"byok": True} if own and made["provider"] in own else made


def stage(item: Stage) -> dict[str, Any]:
    """One step of the run, calls and votes alike."""
    return {
        "i": item.i,
        "kind": item.kind,
        "model": item.model.id if item.model else None,
        "provider": item.model.provider if item.model else None,
        "status": item.status,
        "started_ms": item.started_ms,
        "ended_ms": item.ended_ms,
        "tokens_in": item.usage.prompt_tokens if item.usage else None,
        "tokens_out": item.usage.completion_tokens if item.usage else None,
        "cost_usd": usd(item.cost_nano),
        "parents": list(item.parents),
        "error": item.error,
        "note": item.note,
    }


def proof(answer: Answer) -> dict[str, Any]:
    """The receipt in short; the whole of it is at `url`."""
    receipt, model = answer.receipt, answer.verdict.candidate.model
    request_id = receipt.request_id
    return {
        "version": 2,
        "request_id": request_id,
        "timestamp": receipt.sealed_at,
        "proof_hash": receipt.proof_hash,
        "url": f"/v1/proof/{request_id}",
        "state": answer.durable,
        "model": model.id,
        "provider": model.provider,
        "mode": answer.plan.mode,
        "reason": answer.plan.reason,
        "verifiable": answer.durable == "sealed",
    }


def usd(nano: int | None) -> float | None:
    """Nano-dollars as a JSON number; unknown stays null."""
    return None if nano is None else nano / NANO_PER_USD


def _openai(answer: Answer, kind: str, prysm: dict[str, Any], *, legacy: bool) -> dict[str, Any]:
    done, told = answer.verdict.candidate, answer.request.sampling.logprobs
    choices = [choice(0, done.completion, told=told, legacy=legacy)]
    if answer.verdict.others:
        others = enumerate(answer.verdict.others, 1)
        choices += [choice(i, made.completion, told=told, legacy=legacy) for i, made in others]
    return {
        "id": f"prysm-{answer.receipt.request_id}",
        "object": kind,
        "created": int(answer.created.timestamp()),
        "model": done.model.id,
        "choices": choices,
        "usage": usage(answer),
        "service_tier": done.completion.service_tier,
        "system_fingerprint": done.completion.system_fingerprint,
        "prysm": prysm,
    }


def _cluster(cluster: Cluster) -> dict[str, Any]:
    return {"models": list(cluster.models), "weight": round(cluster.weight, 4), "answer": cluster.answer}


def _used(answer: Answer) -> list[str]:
    """Who had a part in the answer, here or in the run that gave it first."""
    if answer.recalled is not None:
        return list(answer.recalled.models)
    return _unique(item.model for item in answer.stages if item.model and item.status == "ok")


def _unique(models: Iterable[Model]) -> list[str]:
    return list(dict.fromkeys(model.id for model in models))
