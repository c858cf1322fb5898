"""For whoever runs the gateway: is it up, can it work, what has it done."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import JSONResponse, Response

from prysm import __version__
from prysm.api.services import services

router = APIRouter(tags=["Operations"])
metrics_router = APIRouter(tags=["Operations"])


@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok", "version": __version__}


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses={503: {"description": "Not ready, with what is missing."}})
async def ready(request: Request) -> JSONResponse:
    """Whether a request could be answered: its receipt can be kept, and at least one model is live.

    A model that is live only for organisations with a key of their own will do.

    `spooling`: the database is away, and receipts are kept in files meanwhile; none can be read.
    """
    parts = services(request)
    able, live = parts.gateway.able, len(parts.catalog.live())
    database = able and await parts.receipts.ping()
    spooling = parts.spools and able and not database
    serves = (database or spooling) and (live > 0 or parts.own.any)
    body = {
        "status": "ready" if serves else "not ready",
        "database": database,
        "spooling": spooling,
        "live_models": live,
    }
    return JSONResponse(body, status_code=200 if serves else 503)


@metrics_router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Metrics in Prometheus' text format."""
    return Response(services(request).telemetry.scrape(), media_type=CONTENT_TYPE_LATEST)
