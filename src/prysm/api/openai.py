"""`POST /v1/chat/completions`: OpenAI's route, one model or several behind it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002

from prysm.api import bodies, documented, parse, render
from prysm.api.chunks import ChunkWriter
from prysm.api.respond import RunResponse, Shape
from prysm.api.services import read_body, services
from prysm.core.plan import ChatRequest
from prysm.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection

    from prysm.registry.catalog import Catalog

router = APIRouter(tags=["OpenAI"])

WHOLE = Shape(render.chat_completion)
LEGACY = Shape(partial(render.chat_completion, legacy=True))


@router.post("/v1/chat/completions", **documented.run(bodies.ChatBody, "A chat completion."))
async def chat_completions(request: Request) -> Response:
    """Answer a chat: `auto` routes, a catalog id pins, `prysm/<policy or strategy>` orchestrates."""
    body = parse.read(bodies.ChatBody, await read_body(request))
    gateway, chat, extras = services(request).gateway, body.chat_request(), body.extras
    known_policy(chat, body.model, gateway.planner.policies)
    if not chat.stream:
        return RunResponse(gateway, chat, LEGACY if extras.legacy else WHOLE)
    writer = partial(
        ChunkWriter,
        events=bool(extras.prysm_events),
        usage=body.wants_usage,
        trace=False,
        logprobs=chat.sampling.logprobs,
        legacy=extras.legacy,
    )
    return RunResponse(gateway, chat, Shape(render.chat_completion, writer))


def known_model(name: str, policies: Collection[str], catalog: Catalog) -> None:
    """Raise `NotFound` for what `model` cannot be, where nothing is planned that would say so."""
    target = bodies.target_of(name)
    if "pinned" in target:
        catalog.get(name)
    else:
        known_policy(ChatRequest((), **target), name, policies)


def known_policy(chat: ChatRequest, name: str, policies: Collection[str]) -> None:
    """Raise `NotFound` for an unknown policy: named in `model`, it is missing, not malformed."""
    if chat.policy is None or chat.policy in policies:
        return
    known = ", ".join(f"prysm/{policy}" for policy in policies)
    raise NotFound(
        f"There is no model {name[:64]!r}. Use 'auto', an id of GET /v1/models, {known}, or prysm/<strategy>.",
        param="model",
        code="model_not_found",
    )
