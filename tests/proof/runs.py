"""The records of three imagined runs, with every field that the gateway writes."""

from __future__ import annotations

import json
from typing import Any

import rfc8785
from tests.proof.made import b64, commitment, drawn, sha256, stage_digest

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 17 × 23?"}]
ANSWER = "17 × 23 = 391.\nFinal answer: 391"
SALTS = {"prompt": drawn("the salt of the prompt"), "answer": drawn("the salt of the answer")}
OPENINGS = {
    "prompt": {"enc": "jcs", "salt": b64(SALTS["prompt"])},
    "answer": {"enc": "utf8", "salt": b64(SALTS["answer"])},
}

Made = tuple[dict[str, Any], list[bytes]]
"""A record and the canonical bodies of its stages."""


def single() -> Made:
    """One call of one model."""
    stages = [stage(0, "answer", "small", cost="3350")]
    return record(stages, name="single", model="small", cost="3350", confidence="0.704")


def ensemble() -> Made:
    """Three proposals at the same time, a vote over them, and a synthesis of the vote: a graph, not a chain."""
    stages = [stage(0, "propose", "mid", cost="62000")]
    stages.append(stage(1, "propose", "strong", cost="246000"))
    stages.append(stage(2, "propose", "broken", status="failed", error="provider_error"))
    stages.append(
        stage(3, "vote", None, parents=[stage_digest(stages[0]), stage_digest(stages[1])], note="order 0,1")
    )
    stages.append(stage(4, "aggregate", "strong", parents=[stage_digest(stages[3])], cost="441000"))
    made = record(stages, name="ensemble_moa", model="strong", cost="749000", confidence="0.913", agreement="0.667")
    made[0].update(policy={"id": "depth", "bar": "0.850"}, degraded=["member_failed"], outcome="degraded")
    return made


def failed() -> Made:
    """No model answered: there is no answer, no figure and no commitment to an answer."""
    stages = [stage(0, "answer", "broken", status="failed", error="provider_error")]
    made = record(stages, name="single", model="broken", cost=None, confidence="0.000")
    gone = {"answer": None, "confidence": None, "method": None, "evidence": None}
    made[0].update(gone, outcome="failed", error="all_models_failed")
    made[0]["commit"]["answer"] = None
    return made


def interrupted() -> Made:
    """The gateway died: what was spent and done by then is not known."""
    made, _ = record([], name="single", model="", cost=None, confidence="0.000")
    unknown = ("answer", "confidence", "method", "evidence", "latency_ms")
    made.update(dict.fromkeys(unknown), outcome="interrupted", error="interrupted")
    made.update(usage={"input_tokens": None, "output_tokens": None, "estimated": False})
    made.update(commit={"prompt": None, "answer": None})
    return made, []


def recalled() -> Made:
    """The answer of an earlier run, out of the cache: a step without a try, and that run's receipt by its hash."""
    stages = [stage(0, "answer", "small", cost="0", attempts=[], note="cached")]
    made = record(stages, name="recalled", model="small", cost="0", confidence="0.704")
    made[0]["strategy"]["name"] = "single"
    made[0]["usage"].update(input_tokens=0, output_tokens=0)
    made[0].update(evidence=None, retention="3600s", cached=original())
    return made


def original() -> dict[str, str]:
    """The run whose answer it was, as `recalled` names it."""
    earlier, _ = single()
    return {"request_id": earlier["request_id"], "proof_hash": sha256(rfc8785.dumps(earlier))}


def stage(i: int, kind: str, model: str | None, **more: Any) -> bytes:
    """A stage's canonical body."""
    good = more.get("status", "ok") == "ok"
    called, answered = model is not None, model is not None and good
    body = {
        "i": i,
        "kind": kind,
        "status": "ok",
        "parents": more.get("parents", []),
        "started_ms": 3 * i,
        "ended_ms": 3 * i + 640,
        "model": model,
        "provider": "sandbox" if called else None,
        "served": f"{model}-2026-11-01" if answered else None,
        "provider_request_id": f"req_{i}" if answered else None,
        "system_fingerprint": "fp_ünïcode" if answered else None,
        "finish": "stop" if answered else None,
        "sample": 0,
        "tokens_in": 26 if answered else None,
        "tokens_out": 9 if answered else None,
        "tokens_estimated": False,
        "cost_nano_usd": more.get("cost"),
        "error": more.get("error"),
        "attempts": more.get(
            "attempts",
            [{"status": "ok" if good else "error", "code": 200 if good else 503, "ms": 640}] if called else [],
        ),
        "note": more.get("note"),
    }
    return rfc8785.dumps(body | {"status": more.get("status", "ok")})


def record(
    bodies: list[bytes], *, name: str, model: str, cost: str | None, confidence: str, agreement: str | None = None
) -> Made:
    """A record over stages; the last stage gave the answer."""
    listed = [
        {"i": i, "kind": json.loads(body)["kind"], "digest": stage_digest(body)} for i, body in enumerate(bodies)
    ]
    prompt = commitment(SALTS["prompt"], "prompt", "jcs", rfc8785.dumps(MESSAGES))
    answer = commitment(SALTS["answer"], "answer", "utf8", ANSWER.encode())
    made: dict[str, Any] = {
        "v": "prysmproof/2",
        "request_id": f"{drawn(name, 4).hex()}-0f3a-4c5d-9e7b-{drawn(model, 6).hex()}",
        "nonce": b64(drawn("nonce of " + name, 16)),
        "created": "2026-11-20T06:30:05.001Z",
        "sealed": "2026-11-20T06:30:06.244Z",
        "outcome": "ok",
        "error": None,
        "stream": False,
        "simulated": True,
        "gateway": {"name": "prysm", "version": "0.1.0"},
        "policy": None,
        "strategy": {"name": name, "forced": False},
        "mode": "balanced",
        "task": "math",
        "plan": {"reason_digest": sha256(b"The prompt is short and simple.")},
        "answer": {
            "stage": len(bodies) - 1,
            "model": model,
            "display": model.title(),
            "provider": "sandbox",
            "finish": "stop",
        },
        "confidence": confidence,
        "agreement": agreement,
        "method": f"calibrated-2/{name}/mathematics",
        "evidence": {
            "situation": name,
            "task_class": "mathematics",
            "features": {"prior": "0.8473", "round": "1.0000"},
        },
        "degraded": [],
        "usage": {"input_tokens": 26, "output_tokens": 9, "estimated": False},
        "cost": {"nano_usd": cost, "price_version": "builtin-1"},
        "latency_ms": 1243,
        "retention": "none",
        "commit": {
            "prompt": {"enc": "jcs", "alg": "HMAC-SHA256", "c": prompt},
            "answer": {"enc": "utf8", "alg": "HMAC-SHA256", "c": answer},
        },
        "stages": listed,
        "head": listed[-1]["digest"] if listed else None,
    }
    return made, bodies
