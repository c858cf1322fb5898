"""Fetch a receipt with all that it takes to check it, and check it on this side."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from prysm.client import wire
from prysm.client.errors import BadAnswer, GatewayError, PrysmClientError
from prysm.proof import verify
from prysm.proof.document import MAX_STAGES, NoReceipt, require_receipt, stage_count
from prysm.proof.trust import Refused, gap

if TYPE_CHECKING:
    from collections.abc import Generator

    from prysm.client.reply import Reply
    from prysm.client.wire import Call
    from prysm.proof.report import Report
    from prysm.proof.trust import Trust

    Asking: TypeAlias = Generator[Call, Reply, Any]
    """Yields calls and is sent their replies, or has the error of a refusal thrown into it."""

LOG_WAIT_S = 2
"""How long the gateway may wait for a fresh receipt to come into the log."""


def verify_document(document: object, request_id: str | None = None, **given: Any) -> Report:
    """Recompute the receipt in a proof document, the answer of `GET /v1/proof/{id}`. Needs no network.

    `request_id` and what else may be given: see `prysm.proof.verify.verify_document`. Raises `BadAnswer` when the
    document is no proof at all; a defect in a proof is a failed check.
    """
    return verify.verify_document(_receipt(document), request_id, **given)


def whole_document(request_id: str) -> Asking:
    """The receipt, in the log if that does not take long, with its `stages` and the gateway's `keys`.

    Without `stages` when one of them is gone, without `keys` when the gateway publishes none: the report will say so.
    """
    document = yield wire.proof(request_id, wait_s=LOG_WAIT_S)
    stages = yield from _stages(request_id, stage_count(_receipt(document)))
    if stages is not None:
        document["stages"] = stages
    if (keys := (yield from _if_there(wire.keys()))) is not None:
        document["keys"] = keys
    return document


def _stages(request_id: str, count: int) -> Asking:
    """All stages; None when one of them is gone, or when there are more than any verifier takes."""
    stages: list[Any] = []
    while len(stages) < count <= MAX_STAGES:
        stage = yield from _if_there(wire.stage(request_id, len(stages)))
        if stage is None:
            break
        stages.append(stage)
    return stages if len(stages) == count else None


def verification(request_id: str, trust: Trust | None, given: dict[str, Any]) -> Asking:
    """The report on a receipt, with a consistency proof where what is remembered calls for one."""
    document = yield from whole_document(request_id)
    if given.get("consistency") is None and trust is not None and (sizes := gap(document, trust)) is not None:
        given = {**given, "consistency": (yield from _asked(wire.consistency(*sizes)))}
    return verify_document(document, request_id, trust=trust, **given)


def _asked(call: Call) -> Asking:
    """The answer, or that there was none: a gateway that will not prove its history has failed to."""
    try:
        return (yield call)
    except PrysmClientError as error:
        return Refused(error.message)


def _if_there(call: Call) -> Asking:
    try:
        return (yield call)
    except GatewayError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def _receipt(document: object) -> Any:
    try:
        require_receipt(document)
    except NoReceipt as error:
        raise BadAnswer(f"This is no receipt: {error}.") from error
    return document
