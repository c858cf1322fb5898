"""`GET /v1/models` and `POST /v1/route`: what there is, and what would be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import JSONResponse, Response

from prysm.api import bodies, documented, parse, render
from prysm.api.counted import counted
from prysm.api.services import caller, read_body, services
from prysm.core.model import TASKS

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.registry.catalog import Catalog

router = APIRouter(tags=["Models"])

STRENGTHS = 3


@router.get("/v1/models", responses=documented.refusals(401))
async def models(request: Request) -> dict[str, Any]:
    """Every model of the catalog, live or not, in OpenAI's list."""
    catalog = _catalog(request)
    return {"object": "list", "data": [_item(model, catalog) for model in catalog.models]}


@router.get("/v1/models/{model_id:path}", responses=documented.refusals(401, 404))
async def one_model(request: Request, model_id: str) -> dict[str, Any]:
    """One model of the catalog."""
    catalog = _catalog(request)
    return _item(catalog.prior(model_id), catalog)


@router.post("/v1/route", **documented.run(bodies.RouteBody, "The model that would answer."))
async def route(request: Request) -> Response:
    """Which model would answer, why, and for how much. No model is called."""
    body = parse.read(bodies.RouteBody, await read_body(request))
    headers = await counted(request)
    plan = services(request).gateway.plan(body.chat_request(), caller(request))
    model = plan.models[0]
    price = model.price
    both = None if price.input is None or price.output is None else (price.input + price.output) / 1000
    told = {
        "routing": render.routing(plan),
        "estimated_cost": {
            "est_1k_tokens": None if both is None else both / 1e9,
            "input_per_mtok": render.usd(price.input),
            "output_per_mtok": render.usd(price.output),
        },
        "model_info": {
            "context_window": model.context_window,
            "expected_latency_ms": model.latency_ms,
            "strengths": sorted(TASKS, key=lambda task: -model.quality_for(task))[:STRENGTHS],
        },
    }
    return JSONResponse(told, headers=headers)


def _catalog(request: Request) -> Catalog:
    """The catalog as it is for whoever asks: with keys of their own more may be live."""
    own = services(request).own.of(caller(request).org)
    return services(request).catalog if own is None else own.catalog


def _item(model: Model, catalog: Catalog) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.provider,
        "kind": "embedding" if model.embeds else "model",
        "display": model.display,
        "tier": model.tier,
        "family": model.family,
        "pricing": {
            "input_per_mtok": render.usd(model.price.input),
            "output_per_mtok": render.usd(model.price.output),
        },
        "context_window": model.context_window,
        "capabilities": sorted(model.capabilities),
        "quality": dict(model.quality),
        "learnt": {
            task: {"quality": round(found.quality, 3), "n": found.n}
            for task, found in catalog.learnt(model.id).items()
        },
        "live": catalog.is_live(model),
        "breaker": catalog.standing(model).state,
        "simulated": model.simulated,
    }
