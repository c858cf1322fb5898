"""Turns a finished run into its receipt. The record format is `prysmproof/2`; `prysm.proof` checks it."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from prysm import __version__
from prysm.core.account import Account, account
from prysm.core.openai_form import answer_form, message_form
from prysm.core.values import dataclass
from prysm.proof.hashing import (
    NONCE_BYTES,
    PAYLOAD_TYPE,
    SALT_BYTES,
    commitment,
    proof_hash,
    stage_digest,
    text_digest,
)
from prysm.proof.sealed import Sealed
from prysm.proof.verify import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.plan import ChatRequest
    from prysm.core.run import Evidence, Finished, Stage, Verdict
    from prysm.proof.canonical import Json
    from prysm.proof.hashing import Encoding

_WIRE_TEXT_LIMIT = 200
"""Characters kept of a name a provider chose for itself."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one commitment; given to the caller and kept nowhere."""

    enc: Encoding
    salt: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The sealed record and what only the caller gets."""

    request_id: str
    sealed: Sealed
    account: Account
    sealed_at: str
    openings: dict[str, Opening]

    @property
    def proof_hash(self) -> str:
        """`sha256:<64 hex>` of the payload."""
        return "sha256:" + self.sealed.proof_hash.hex()


def canonical(value: Json) -> bytes:
    """What `prysm.proof.canonical` gives for a record, at an eighth of the time: every answer waits for it.

    Raises `TypeError` on a lone surrogate and on an integer of more than 53 bits, which RFC 8785 does not have.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


def make_receipt(run: Finished) -> Receipt:
    """Hash the stages, commit to the texts under fresh salts, and write the canonical record."""
    entropy = os.urandom(NONCE_BYTES + 2 * SALT_BYTES)
    nonce, salts = entropy[:NONCE_BYTES], (entropy[NONCE_BYTES:-SALT_BYTES], entropy[-SALT_BYTES:])
    bodies, listed, head = _stages(run.stages)
    spent, sealed_at = account(run.stages), rfc3339(datetime.now(UTC))
    commits, openings = _commitments(run, salts)
    record = _record(run, spent) | {
        "nonce": _b64(nonce),
        "sealed": sealed_at,
        "commit": commits,
        "stages": listed,
        "head": head,
    }
    payload = canonical(record)
    sealed = Sealed(run.request_id, payload, proof_hash(payload), bodies)
    return Receipt(str(record["request_id"]), sealed, spent, sealed_at, openings)


def new_request_id() -> UUID:
    """128 random bits, so that an id cannot be guessed."""
    return UUID(bytes=os.urandom(16))


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and a Z, as receipts write time."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def envelope(payload: bytes) -> dict[str, object]:
    """The DSSE envelope of a record; this version signs nothing, and says so with an empty list."""
    return {"payloadType": PAYLOAD_TYPE, "payload": _b64(payload), "signatures": []}


def _record(run: Finished, spent: Account) -> dict[str, Json]:
    plan, verdict = run.plan, run.verdict
    score = verdict.score if verdict else None
    return {
        "v": VERSION,
        "request_id": str(run.request_id),
        "created": rfc3339(run.created),
        "outcome": run.outcome,
        "error": run.error,
        "stream": run.request.stream,
        "simulated": any(stage.model.simulated for stage in run.stages if stage.model),
        "gateway": {"name": "prysm", "version": __version__},
        "policy": {"id": plan.policy.id, "bar": _decimal(plan.policy.bar)} if run.request.orchestrated else None,
        "strategy": {"name": plan.strategy, "forced": plan.forced},
        "mode": plan.mode,
        "task": plan.profile.task,
        "plan": {"reason_digest": text_digest(plan.reason)},
        "answer": _answer(verdict),
        "confidence": _decimal(score.confidence if score else None),
        "agreement": _decimal(score.agreement if score else None),
        "method": score.method if score else None,
        "evidence": _evidence(score.evidence if score else None),
        "degraded": list(run.degraded),
        "usage": {
            "input_tokens": spent.prompt_tokens,
            "output_tokens": spent.completion_tokens,
            "estimated": spent.estimated,
        },
        "cost": {"nano_usd": _amount(spent.total_nano), "price_version": run.price_version},
        "latency_ms": run.latency_ms,
        "retention": _retention(run.request),
    }


def _retention(request: ChatRequest) -> str:
    """How long the text is kept: "none", "zero" where the caller insisted on that, or seconds ("3600s")."""
    if request.kept_s is not None:
        return f"{request.kept_s}s"
    return "zero" if request.retention_zero else "none"


def _answer(verdict: Verdict | None) -> Json:
    if verdict is None:
        return None
    candidate = verdict.candidate
    return {
        "stage": candidate.stage,
        "model": candidate.model.id,
        "display": candidate.model.display,
        "provider": candidate.model.provider,
        "finish": candidate.completion.finish_reason,
    }


def _evidence(evidence: Evidence | None) -> Json:
    """The figures behind the confidence: with an outcome beside them, a row that calibration can be fitted on."""
    if evidence is None:
        return None
    features: dict[str, Json] = {name: f"{value:.4f}" for name, value in evidence.features.items() if value}
    return {"situation": evidence.situation, "task_class": evidence.task_class, "features": features}


def _commitments(run: Finished, salts: tuple[bytes, bytes]) -> tuple[dict[str, Json], dict[str, Opening]]:
    """HMACs of the messages or inputs, as OpenAI's API writes them, and of the answer; a failed run has none."""
    prompt = canonical(_asked(run.request))
    commits: dict[str, Json] = {"prompt": _commit(salts[0], "prompt", "jcs", prompt), "answer": None}
    openings = {"prompt": Opening("jcs", _b64(salts[0]))}
    if run.verdict is not None:
        enc, answer = _answered(run.verdict)
        commits["answer"] = _commit(salts[1], "answer", enc, answer)
        openings["answer"] = Opening(enc, _b64(salts[1]))
    return commits, openings


def _asked(request: ChatRequest) -> Json:
    if request.embed is not None:
        return request.embed.form()
    return [message_form(message) for message in request.messages]


def _answered(verdict: Verdict) -> tuple[Encoding, bytes]:
    """The answer's bytes: its text where it is text alone, else every choice as OpenAI's API writes messages.

    Of vectors it is the base64 of all their numbers, little-endian float32, in the order of the inputs.
    """
    done = verdict.candidate.completion
    if done.vectors is not None:
        return "utf8", base64.b64encode(done.vectors.data)
    if verdict.others or done.tool_calls or done.refused:
        return "jcs", canonical([answer_form(choice.completion) for choice in verdict.choices])
    return "utf8", done.text.encode()


def _commit(salt: bytes, label: str, enc: Encoding, data: bytes) -> Json:
    value = commitment(salt, label, enc, data)
    return {"enc": enc, "alg": "HMAC-SHA256", "c": value}


def _stages(stages: Sequence[Stage]) -> tuple[tuple[bytes, ...], list[Json], str | None]:
    """Canonical bodies, the list for the record, and the digest of the last."""
    bodies: list[bytes] = []
    digests: list[str] = []
    for stage in stages:
        body = canonical(_stage_body(stage, [digests[parent] for parent in stage.parents]))
        bodies.append(body)
        digests.append(stage_digest(body))
    listed: list[Json] = [
        {"i": stage.i, "kind": stage.kind, "digest": digest} for stage, digest in zip(stages, digests, strict=True)
    ]
    return tuple(bodies), listed, digests[-1] if digests else None


def _stage_body(stage: Stage, parents: list[str]) -> Json:
    done, usage = stage.completion, stage.usage
    return {
        "i": stage.i,
        "kind": stage.kind,
        "status": stage.status,
        "parents": list(parents),
        "started_ms": stage.started_ms,
        "ended_ms": stage.ended_ms,
        "model": stage.model.id if stage.model else None,
        "provider": stage.model.provider if stage.model else None,
        "served": _wire(done.served_model if done else None),
        "provider_request_id": _wire(done.provider_request_id if done else None),
        "system_fingerprint": _wire(done.system_fingerprint if done else None),
        "finish": done.finish_reason if done else None,
        "sample": stage.sample,
        "tokens_in": usage.prompt_tokens if usage else None,
        "tokens_out": usage.completion_tokens if usage else None,
        "tokens_estimated": usage.estimated if usage else False,
        "cost_nano_usd": _amount(stage.cost_nano),
        "error": stage.error,
        "attempts": [{"status": a.status, "code": a.code, "ms": a.ms} for a in stage.attempts],
        "note": stage.note,
    }


def _wire(text: str | None) -> str | None:
    """A provider's own word, cut to a bound and made safe to encode."""
    return None if text is None else text[:_WIRE_TEXT_LIMIT].encode(errors="replace").decode()


def _decimal(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _amount(nano: int | None) -> str | None:
    return None if nano is None else str(nano)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
