"""`POST /v1/chat/completions`: OpenAI's route, one model or several behind it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002

from prysm.api import bodies, documented, render
from prysm.api.respond import RunResponse, Shape
from prysm.api.services import read_body, services

router = APIRouter(tags=["OpenAI"])


@router.post("/v1/chat/completions", **documented.run(bodies.ChatBody, "A chat completion."))
async def chat_completions(request: Request) -> Response:
    """Answer a chat: `auto` routes, a catalog id pins, `prysm/<policy or strategy>` orchestrates."""
    body = bodies.read(bodies.ChatBody, await read_body(request))
    shape = Shape(
        render=render.chat_completion,
        events=bool(body.prysm_events),
        usage=body.stream_options is not None and body.stream_options.include_usage,
        trace=False,
    )
    return RunResponse(services(request).gateway, body.chat_request(), shape)
