"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's Messages API over the same runs as every route."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import JSONResponse, Response

from prysm.api import documented, messages_render, parse
from prysm.api.counted import counted
from prysm.api.in_words import InWords
from prysm.api.messages_body import CountBody, MessagesBody
from prysm.api.messages_count import count
from prysm.api.messages_events import MessageWriter
from prysm.api.openai import known_model, known_policy
from prysm.api.problems import ANTHROPIC_ERROR
from prysm.api.respond import RunResponse, Shape
from prysm.api.services import read_body, services
from prysm.errors import InvalidRequest

VERSIONS = ("2023-06-01", "2026-10-21")
"""Versions of the API that are spoken here (https://docs.anthropic.com/en/api/versioning). The newer one took fields
away (`temperature`, `top_p`, `top_k`), which are honoured here under either."""

router = APIRouter(tags=["Anthropic"])


def _documented(body: type[MessagesBody | CountBody], answer: str) -> dict[str, Any]:
    """What the OpenAPI document says of a route, with Anthropic's envelope for errors."""
    said = documented.run(body, answer)
    refused = {"application/json": {"schema": ANTHROPIC_ERROR}}
    said["responses"] = {
        status: told if status == 200 else told | {"content": refused}  # noqa: PLR2004 - the answer itself
        for status, told in said["responses"].items()
    }
    return said


@router.post("/v1/messages", **_documented(MessagesBody, "A message."))
async def messages(request: Request) -> Response:
    """Answer as `/v1/chat/completions` does, in the shape of Anthropic's Messages API."""
    _known_version(request)
    body = parse.read(MessagesBody, await read_body(request))
    gateway, chat = services(request).gateway, body.chat_request()
    known_policy(chat, body.model, gateway.planner.policies)
    writer = partial(MessageWriter, events=bool(body.prysm_events), at_once=chat.orchestrated)
    runs = InWords(gateway, body.names(), body.places)
    return RunResponse(runs, chat, Shape(render=messages_render.message, writer=writer))


@router.post("/v1/messages/count_tokens", **_documented(CountBody, "About how many tokens a prompt has."))
async def count_tokens(request: Request) -> Response:
    """Estimate the tokens of a prompt, without asking anyone."""
    _known_version(request)
    body = parse.read(CountBody, await read_body(request))
    planner = services(request).gateway.planner
    known_model(body.model, planner.policies, planner.catalog)
    headers = await counted(request)
    return JSONResponse({"input_tokens": count(body.conversation(), body.toolbox())}, headers=headers)


def _known_version(request: Request) -> None:
    """Raise `InvalidRequest` for a version of the API whose shapes may be others. None has to be named."""
    version = request.headers.get("anthropic-version", VERSIONS[0])
    if version not in VERSIONS:
        raise InvalidRequest(
            f"anthropic-version: {version[:32]!r} is not spoken here; use {' or '.join(VERSIONS)}."
        )
