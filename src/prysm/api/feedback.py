"""What callers say of their answers. The comment is not kept: no text is, unless the operator wants it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.api import documented, parse
from prysm.api.proofs import no_receipt, parsed_id
from prysm.api.services import caller, read_body, services
from prysm.api.tenants import reach
from prysm.errors import InvalidRequest, NotFound
from prysm.store.feedback import Judge

if TYPE_CHECKING:
    from prysm.store.feedback import Judged

router = APIRouter(tags=["Feedback"])

_BIGINT = 2**63
RIGHT_FROM = 0.5


class FeedbackBody(BaseModel):
    """`POST /v1/feedback`: a run, and either a score or whether the answer was right."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: str
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    correct: bool | None = None
    comment: str | None = None

    def judgement(self) -> float:
        """The score, 0–1 to three decimals; raises `InvalidRequest` unless exactly one of the two is given."""
        if (self.score is None) == (self.correct is None):
            raise InvalidRequest("Give either 'score' (0 to 1) or 'correct' (true or false).", param="score")
        return float(bool(self.correct)) if self.score is None else round(self.score, 3)


@router.post(
    "/v1/feedback",
    **documented.run(FeedbackBody, "The judgement as it was kept.")
    | {"responses": documented.refusals(401, 403, 404, 413, 415, 422, 503)},
)
async def give(request: Request) -> dict[str, Any]:
    """Say how good an answer was; a comment is accepted and not stored.

    Saying it again replaces what was said. What another key said, an admin or root alone replaces.
    """
    body = parse.read(FeedbackBody, await read_body(request))
    score, request_id, by = body.judgement(), parsed_id(body.request_id), _judge(request)
    replaced = await services(request).feedback.put(request_id, score, by)
    if replaced is None:
        raise no_receipt() if by.org is None else _not_yours()
    return {
        "object": "feedback",
        "request_id": str(request_id),
        "score": score,
        "replaced": replaced,
        "comment_stored": False,
    }


@router.get("/v1/feedback", responses=documented.refusals(401, 403, 422, 503))
async def given(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int | None, Query(ge=1, lt=_BIGINT)] = None,
) -> dict[str, Any]:
    """What was said of answers, newest first, with what their receipts say of them; `after` is the last id seen.

    Root sees all, an admin its organisation's, others what was said of their key's runs and what they said.
    """
    found = await services(request).feedback.outcomes(limit + 1, after, _judge(request))
    return {"object": "list", "data": [_outcome(one) for one in found[:limit]], "has_more": len(found) > limit}


def _judge(request: Request) -> Judge:
    who = caller(request)
    return Judge(reach(request), who.key, over_all=who.role in ("root", "admin"))


def _not_yours() -> NotFound:
    return NotFound(
        "Your organisation has no run under this id whose usage is still kept ([retention] runs in prysm.toml says for "
        "how long). Use the `request_id` of an answer, with or without `prysm-`.",
        code="proof_not_found",
    )


def _outcome(judged: Judged) -> dict[str, Any]:
    """A judgement as a row that `prysm calibrate` reads; half a point or more counts as right."""
    return asdict(judged) | {"correct": judged.score >= RIGHT_FROM, "group": str(judged.request_id)}
