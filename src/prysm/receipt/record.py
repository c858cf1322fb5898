"""The fields of a record, `prysmproof/2`: of the run, and of each of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm import __version__
from prysm.proof.hashing import stage_digest, text_digest
from prysm.proof.verify import VERSION
from prysm.receipt.spelling import amount, canonical, decimal, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from prysm.core.account import Account
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.run import Evidence, Finished, Stage, Verdict
    from prysm.proof.canonical import Json

_WIRE_TEXT_LIMIT = 200
"""Characters kept of a name a provider chose for itself."""

_GATEWAY: Json = {"name": "prysm", "version": __version__}
_NO_ANSWER: dict[str, Json] = dict.fromkeys(("answer", "confidence", "agreement", "method", "evidence"))


def beginning(
    request: ChatRequest, plan: Plan, request_id: UUID, created: datetime, price_version: str
) -> dict[str, Json]:
    """What is known of a run before its first call."""
    return {
        "v": VERSION,
        "request_id": str(request_id),
        "created": rfc3339(created),
        "stream": request.stream,
        "simulated": True in [model.simulated for model in plan.models],
        "gateway": _GATEWAY,
        "policy": {"id": plan.policy.id, "bar": decimal(plan.policy.bar)} if request.orchestrated else None,
        "strategy": {"name": plan.strategy, "forced": plan.forced},
        "mode": plan.mode,
        "task": plan.profile.task,
        "plan": {"reason_digest": text_digest(plan.reason)},
        "degraded": list(plan.degraded),
        "cost": {"nano_usd": None, "price_version": price_version},
        "retention": _retention(request),
    }


def ending(run: Finished, spent: Account) -> dict[str, Json]:
    """What became of it; a reason that grew on the way, and what turned out to be simulated, among it."""
    told: dict[str, Json] = {
        "outcome": run.outcome,
        "error": run.error,
        "simulated": True in [stage.model.simulated for stage in run.stages if stage.model],
        "plan": {"reason_digest": text_digest(run.plan.reason)},
        "degraded": list(run.degraded),
        "usage": {
            "input_tokens": spent.prompt_tokens,
            "output_tokens": spent.completion_tokens,
            "estimated": spent.estimated,
        },
        "cost": {"nano_usd": amount(spent.total_nano), "price_version": run.price_version},
        "latency_ms": run.latency_ms,
        **(_NO_ANSWER if run.verdict is None else _answered(run.verdict)),
    }
    if run.original is not None:  # the answer is that run's: the cache had it
        told["cached"] = {"request_id": run.original.request_id, "proof_hash": run.original.proof_hash}
    return told


def cut_off() -> dict[str, Json]:
    """The ending of a run whose gateway died: what it had spent and done by then is not known."""
    return {
        "outcome": "interrupted",
        "error": "interrupted",
        **_NO_ANSWER,
        "usage": {"input_tokens": None, "output_tokens": None, "estimated": False},
        "latency_ms": None,
    }


def _retention(request: ChatRequest) -> str:
    """How long the text is kept: "none", "zero" where the caller insisted on that, or seconds ("3600s")."""
    if request.kept_s is not None:
        return f"{request.kept_s}s"
    return "zero" if request.retention_zero else "none"


def _answered(verdict: Verdict) -> dict[str, Json]:
    """Who gave the answer, and how far to trust it."""
    candidate, score = verdict.candidate, verdict.score
    model = candidate.model
    return {
        "answer": {
            "stage": candidate.stage,
            "model": model.id,
            "display": model.display,
            "provider": model.provider,
            "finish": candidate.completion.finish_reason,
        },
        "confidence": decimal(score.confidence),
        "agreement": decimal(score.agreement),
        "method": score.method,
        "evidence": _evidence(score.evidence),
    }


def _evidence(evidence: Evidence | None) -> Json:
    """The figures behind the confidence: with an outcome beside them, a row that calibration can be fitted on."""
    if evidence is None:
        return None
    features: dict[str, Json] = {name: f"{value:.4f}" for name, value in evidence.features.items() if value}
    return {"situation": evidence.situation, "task_class": evidence.task_class, "features": features}


def stage_bodies(stages: Sequence[Stage]) -> tuple[tuple[bytes, ...], list[Json], str | None]:
    """Canonical bodies, the list for the record, and the digest of the last."""
    bodies: list[bytes] = []
    digests: list[str] = []
    listed: list[Json] = []
    for stage in stages:
        body = canonical(_stage_body(stage, digests))
        digest = stage_digest(body)
        bodies.append(body)
        digests.append(digest)
        listed.append({"i": stage.i, "kind": stage.kind, "digest": digest})
    return tuple(bodies), listed, digests[-1] if digests else None


def _stage_body(stage: Stage, digests: list[str]) -> Json:
    """`digests` are those of the stages before."""
    done, usage, model = stage.completion, stage.usage, stage.model
    return {
        "i": stage.i,
        "kind": stage.kind,
        "status": stage.status,
        "parents": [digests[parent] for parent in stage.parents] if stage.parents else [],
        "started_ms": stage.started_ms,
        "ended_ms": stage.ended_ms,
        "model": model.id if model else None,
        "provider": model.provider if model else None,
        "served": _wire(done.served_model if done else None),
        "provider_request_id": _wire(done.provider_request_id if done else None),
        "system_fingerprint": _wire(done.system_fingerprint if done else None),
        "finish": done.finish_reason if done else None,
        "sample": stage.sample,
        "tokens_in": usage.prompt_tokens if usage else None,
        "tokens_out": usage.completion_tokens if usage else None,
        "tokens_estimated": usage.estimated if usage else False,
        "cost_nano_usd": amount(stage.cost_nano),
        "error": stage.error,
        "attempts": [{"status": a.status, "code": a.code, "ms": a.ms} for a in stage.attempts],
        "note": stage.note,
    }


def _wire(text: str | None) -> str | None:
    """A provider's own word, cut to a bound and made safe to encode."""
    if text is None or (len(text) <= _WIRE_TEXT_LIMIT and text.isascii()):
        return text
    return text[:_WIRE_TEXT_LIMIT].encode(errors="replace").decode()
