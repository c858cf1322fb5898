"""`POST /v1/chat/completions`: OpenAI's route, one model or several behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002

from prysm.api import bodies, documented, render
from prysm.api.respond import RunResponse, Shape
from prysm.api.services import read_body, services
from prysm.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    gateway, chat = services(request).gateway, body.chat_request()
    if chat.policy is not None and chat.policy not in gateway.planner.policies:
        raise _no_such_model(body.model, gateway.planner.policies)
    return RunResponse(gateway, chat, shape)


def _no_such_model(name: str, policies: Iterable[str]) -> NotFound:
    """On this route a policy is a model, so an unknown one is missing, not malformed."""
    known = ", ".join(f"prysm/{policy}" for policy in policies)
    return NotFound(
        f"There is no model {name[:64]!r}. Use 'auto', an id of GET /v1/models, {known}, or prysm/<strategy>.",
        param="model",
        code="model_not_found",
    )
