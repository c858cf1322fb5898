"""`/v1/responses`: OpenAI's Responses API over the same runs as every other route."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response

from prysm.api import documented, parse, responses_kept
from prysm.api.in_words import InWords
from prysm.api.openai import known_policy
from prysm.api.respond import RunResponse, Shape
from prysm.api.responses_body import ResponsesBody
from prysm.api.responses_events import ResponseWriter
from prysm.api.responses_kept import Keeping
from prysm.api.responses_render import ResponseObject
from prysm.api.services import caller, read_body, services
from prysm.errors import InvalidRequest, UnsupportedParameter

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.api.respond import Runs

router = APIRouter(tags=["OpenAI"])
KEPT = documented.refusals(401, 404, 503)


@router.post("/v1/responses", **documented.run(ResponsesBody, "A response."))
async def create(request: Request) -> Response:
    """Answer as `/v1/chat/completions` does, in the shape of the Responses API.

    Responses are kept, for `previous_response_id`, where `[retention] content` is set; `store` says whether this one
    is. The id is `resp_` and the run's `request_id` without dashes.
    """
    body, found = parse.read(ResponsesBody, await read_body(request)), services(request)
    kept, owner = responses_kept.is_kept(body, found.shelf, zero=caller(request).retention_zero), _owner(request)
    before = await responses_kept.earlier(found.shelf, body.previous_response_id, owner, found.body_limit)
    chat = body.chat_request(before)
    known_policy(chat, body.model, found.gateway.planner.policies)
    request_id: UUID = request.scope["state"]["request_id"]
    response = ResponseObject(body, request_id, stored=kept)
    gateway: Runs = found.gateway
    if kept and found.shelf is not None:
        chat = replace(chat, kept_s=int(found.shelf.period.total_seconds()))
        previous = responses_kept.parsed(body.previous_response_id or "")
        gateway = Keeping(found.gateway, found.shelf, response, owner, previous, responses_kept.input_of(body))
    events, at_once = bool(body.prysm_events), chat.orchestrated
    writer = ResponseWriter(response, events=events, at_once=at_once)
    runs = InWords(gateway, body.names(), partial(body.places, before))
    return RunResponse(runs, chat, Shape(render=response.finished, writer=lambda _: writer))


@router.get("/v1/responses/{response_id}", responses=documented.refusals(400) | KEPT)
async def retrieve(request: Request, response_id: str, *, stream: bool = False) -> Response:
    """A response that was kept, as it was answered."""
    if stream:
        raise UnsupportedParameter("'stream': a kept response is read whole; leave it out.", param="stream")
    kept = await responses_kept.read(services(request).shelf, response_id, _owner(request))
    return Response(kept.body, media_type="application/json")


@router.delete("/v1/responses/{response_id}", responses=KEPT)
async def delete(request: Request, response_id: str) -> dict[str, Any]:
    """Delete a response that was kept, with its input. Conversations that went on from it cannot go on."""
    shelf, run = services(request).shelf, responses_kept.parsed(response_id)
    if shelf is None or run is None or not await shelf.store.delete(run, _owner(request)):
        raise responses_kept.not_kept(shelf)
    return {"id": response_id, "object": "response", "deleted": True}


@router.get("/v1/responses/{response_id}/input_items", responses=KEPT)
async def input_items(
    request: Request,
    response_id: str,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: str | None = None,
) -> dict[str, Any]:
    """The items a kept response was asked with, less those of the responses before it."""
    kept = await responses_kept.read(services(request).shelf, response_id, _owner(request))
    items = responses_kept.input_items(kept)
    listed = items if order == "asc" else items[::-1]
    ids = [item["id"] for item in listed]
    if after is not None and after not in ids:
        raise InvalidRequest("'after' is the id of none of these items: give the last_id of a page.", param="after")
    begin = 0 if after is None else ids.index(after) + 1
    page = listed[begin : begin + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": begin + limit < len(listed),
    }


@router.post("/v1/responses/{response_id}/cancel", responses=documented.refusals(400, 401) | KEPT)
async def cancel(request: Request, response_id: str) -> Response:
    """Refuse: only what runs in the background can be cancelled, and nothing does."""
    if (shelf := services(request).shelf) is not None:  # else there are no responses, whose ever
        await responses_kept.read(shelf, response_id, _owner(request))
    raise InvalidRequest(
        f"{response_id[:64]!r} does not run in the background. To stop an answer, close its connection.",
        param="response_id",
    )


def _owner(request: Request) -> str:
    """What the key that asks is told apart by."""
    return caller(request).id
