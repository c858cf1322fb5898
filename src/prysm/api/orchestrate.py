"""`POST /v2/orchestrate`: several models on one prompt, by policy or by strategy."""

from __future__ import annotations

import time
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import JSONResponse, Response

from prysm.api import bodies, documented, parse, render
from prysm.api.chunks import ChunkWriter
from prysm.api.counted import counted
from prysm.api.respond import RunResponse, Shape
from prysm.api.services import caller, read_body, services

router = APIRouter(tags=["Orchestration"])


@router.post("/v2/orchestrate", **documented.run(bodies.OrchestrateBody, "An orchestrated answer, or its plan."))
async def orchestrate(request: Request) -> Response:
    """Spend several models on one prompt; `dry_run` shows the plan and its price and calls nothing."""
    body = parse.read(bodies.OrchestrateBody, await read_body(request))
    gateway, chat = services(request).gateway, body.chat_request()
    if body.dry_run:
        headers = await counted(request)
        told = render.dry_run(gateway.plan(chat, caller(request)), int(time.time()))
        return JSONResponse(told, headers=headers)
    shape = Shape(
        render=partial(render.orchestration, trace=body.extras.include_trace, legacy=body.extras.legacy),
        writer=partial(
            ChunkWriter,
            events=body.extras.prysm_events is not False,
            usage=body.wants_usage,
            trace=body.extras.include_trace,
            logprobs=chat.sampling.logprobs,
            legacy=body.extras.legacy,
        ),
    )
    return RunResponse(gateway, chat, shape)
