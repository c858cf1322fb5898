"""Receipts, recomputed at the moment they are asked for."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.api import documented
from prysm.api.services import services
from prysm.errors import NotFound
from prysm.proof.entry import entry
from prysm.proof.hashing import stage_digest
from prysm.proof.sealed import Sealed  # noqa: TC001
from prysm.proof.verify import verify_payload
from prysm.receipt import envelope

router = APIRouter(tags=["Proofs"])

_ID_LENGTHS = (36, 32)


@router.get("/v1/proof/{request_id}", responses=documented.refusals(404, 503))
async def proof(request: Request, request_id: str) -> dict[str, Any]:
    """The receipt of a run, with a check of it made now. Needs no key: the id cannot be guessed."""
    sealed = await _sealed(request, request_id)
    claimed = "sha256:" + sealed.proof_hash.hex()
    report = verify_payload(sealed.payload, claimed, sealed.stages)
    return {
        "verified": report.ok,
        "request_id": str(sealed.request_id),
        "entry": entry(sealed.payload),
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in report.checks],
        "proof": {"version": 2, "proof_hash": claimed, "envelope": envelope(sealed.payload), "log": None},
    }


@router.get("/v1/proof/{request_id}/stages/{i}", responses=documented.refusals(404, 503))
async def stage(request: Request, request_id: str, i: int) -> dict[str, Any]:
    """The canonical bytes of one stage, so that anyone can hash them."""
    sealed = await _sealed(request, request_id)
    if not 0 <= i < len(sealed.stages):
        raise NotFound(f"This receipt has {len(sealed.stages)} stages, numbered from 0.", code="proof_not_found")
    body = sealed.stages[i]
    return {
        "request_id": str(sealed.request_id),
        "i": i,
        "kind": _field(body, "kind"),
        "digest": stage_digest(body),
        "body": base64.b64encode(body).decode(),
    }


async def _sealed(request: Request, request_id: str) -> Sealed:
    sealed = await services(request).receipts.get(parsed_id(request_id))
    if sealed is None:
        raise no_receipt()
    return sealed


def parsed_id(request_id: str) -> UUID:
    """The id of a run as callers write it, with or without `prysm-`; raises `NotFound` for what can be none."""
    bare = request_id.removeprefix("prysm-")
    try:
        if len(bare) in _ID_LENGTHS:
            return UUID(bare)
    except ValueError:
        pass
    raise no_receipt()


def no_receipt() -> NotFound:
    """The refusal of an id without a receipt."""
    return NotFound(
        "There is no receipt under this id. Use the `request_id` of an answer, with or without `prysm-`.",
        code="proof_not_found",
    )


def _field(body: bytes, name: str) -> Any:
    try:
        return orjson.loads(body)[name]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
