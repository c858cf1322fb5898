"""The composition root: opens what is to be open, and wires every part by hand."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from prysm import __version__
from prysm.accounts.keys import KeyRing, root_key
from prysm.api import catalog as catalog_routes
from prysm.api import embeddings, feedback, messages, openai, operations, orchestrate, proofs, responses
from prysm.api import log as log_routes
from prysm.api.direct import Direct
from prysm.api.edge import Edge
from prysm.api.respond import problem_response
from prysm.api.responses_kept import Shelf
from prysm.api.services import Services
from prysm.classify.model import weights
from prysm.config import Config, Endpoint, Settings, load_config, zero_key
from prysm.errors import InvalidRequest, NotFound, ProofUnavailable, PrysmError
from prysm.gateway import Gateway
from prysm.planner import Planner
from prysm.providers.build import build_provider
from prysm.providers.ollama import discover, ollama_models
from prysm.providers.transport import open_transport
from prysm.receipt import interrupted
from prysm.registry.catalog import Catalog
from prysm.resilience import resilient
from prysm.scoring.calibration import current, install, load
from prysm.store.database import Database
from prysm.store.notary import Notary
from prysm.strategies.gate import fitted
from prysm.telemetry import Telemetry, configure_logging
from prysm.vault import Vault, key_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from prysm.core.model import Model
    from prysm.core.provider import ProviderSpec, Standing
    from prysm.errors import FailureKind
    from prysm.store.feedback import FeedbackStore
    from prysm.store.responses import ResponseStore

PARENT_CHECK_S = 1.0
LEARN_EVERY_S = 60.0
FORGET_EVERY_S = 60.0
YOUNG_OBJECTS = 10_000
"""Allocations between two looks for garbage; nearly all that a request makes dies by itself. The default is 700."""

log = structlog.get_logger()


def from_environment() -> FastAPI:
    """Make the application from the environment; the factory that the server's workers call."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings.log_level)
    app = create_app(settings, load_config(settings, os.environ), Endpoint.from_environment(os.environ))
    gc.freeze()  # what is loaded now stays: looking through it for garbage again and again costs a tenth of the CPU
    gc.set_threshold(YOUNG_OBJECTS)
    return app


def create_app(settings: Settings, config: Config, local: Endpoint | None = None) -> FastAPI:
    """Wire the application. Needs a migrated database at `settings.database_url`."""
    install(load(config.scoring.calibration) if config.scoring.calibration else None)
    _ = weights(), current(), fitted()  # read now: before the first request, and before what is loaded is frozen
    telemetry = Telemetry()
    docs = config.server.docs

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, config, local, telemetry) as parts:
            app.state.services = parts
            yield

    app = FastAPI(
        title="Prysm",
        version=__version__,
        summary="Several language models on one prompt, and a receipt for every answer.",
        lifespan=lifespan,
        dependencies=[Security(HTTPBearer(auto_error=False))],  # tells /docs of the key; `Edge` checks it
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would export whole exceptions
        docs_url="/docs" if docs else None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host the caller claims to speak to
        openapi_url="/openapi.json" if docs else None,
        exception_handlers={
            PrysmError: _problem,
            HTTPException: _framework_problem,
            RequestValidationError: _validation_problem,
        },
    )
    runs = (openai, responses, messages, embeddings, orchestrate)
    for module in (*runs, catalog_routes, proofs, log_routes, feedback, operations):
        app.include_router(module.router)
    if config.server.metrics:
        app.include_router(operations.metrics_router)
    keys = KeyRing(root_key(settings.data_dir, settings.root_key))
    direct = Direct(app.build_middleware_stack(), (route for module in runs for route in module.router.routes))
    app.middleware_stack = Edge(direct, keys, telemetry, public_proofs=config.proof.public)
    return app


@asynccontextmanager
async def opened(
    settings: Settings, config: Config, local: Endpoint | None, telemetry: Telemetry
) -> AsyncIterator[Services]:
    """Everything that is open while the gateway serves, closed in reverse order, receipts under way first."""
    catalog = await live_catalog(config, local)
    url = settings.database_url or ""
    vault = Vault(settings.encryption_key or key_path(settings.data_dir))
    database = await Database.open(url)
    spool = config.proof.seal == "spool"
    notary = await Notary.open(url, database.pool, settings.data_dir, vault, interrupted, spool=spool)
    transport = open_transport()
    keep = config.retention.content
    background = [
        asyncio.create_task(_keep_learning(catalog, database.feedback)),
        asyncio.create_task(_forget(database.responses, everything=keep is None)),
    ]
    if settings.workers > 1:
        background.append(asyncio.create_task(_die_with_parent()))
    try:
        reachable = [
            spec for spec in catalog.providers if spec.usable and (spec.base_url or spec.kind == "sandbox")
        ]
        watch = Observed(catalog, telemetry)
        providers = {spec.id: resilient(build_provider(spec, transport), spec, watch) for spec in reachable}
        planner = Planner(catalog, config.policies, config.fallbacks)
        gateway = Gateway(
            planner,
            providers,
            notary.sealer,
            notary.keys,
            telemetry=telemetry,
            price_version=catalog.price_version,
        )
        limit = int(config.server.body_limit_mb * 1_000_000)
        shelf = Shelf(database.responses, keep) if keep is not None else None
        yield Services(
            gateway,
            catalog,
            database.receipts,
            database.feedback,
            database.log,
            telemetry,
            limit,
            shelf,
            spools=spool,
        )
        gateway.close()
        await gateway.drained()
    finally:
        for task in background:
            task.cancel()
        await asyncio.wait(background)
        await transport.aclose()
        await notary.close()
        await database.close()


@dataclass(frozen=True, slots=True)
class Observed:
    """What the wrappers around the providers tell: to routing, and to who operates the gateway."""

    catalog: Catalog
    telemetry: Telemetry

    def stands(self, provider: str, model: str | None, standing: Standing) -> None:
        """A breaker changed."""
        self.catalog.stand(provider, model, standing)
        self.telemetry.stands(provider, model, standing)

    def retried(self, model: Model, kind: FailureKind) -> None:
        """A call is made again."""
        self.telemetry.retried(model, kind)

    def hedged(self, model: Model) -> None:
        """A call got a second one beside it."""
        self.telemetry.hedged(model)


async def live_catalog(config: Config, local: Endpoint | None) -> Catalog:
    """The catalog, with this machine's Ollama models in it when no provider with a key is live."""
    providers = [_with_endpoint(spec, local) for spec in config.providers]
    found = ollama_models(await discover()) if zero_key(config) else ()
    catalog = Catalog((*config.models, *_new(found, config.models)), providers)
    catalog.mark_down(*(spec.id for spec in providers if spec.managed and not spec.base_url))
    return catalog


def _with_endpoint(spec: ProviderSpec, local: Endpoint | None) -> ProviderSpec:
    if not spec.managed or local is None:
        return spec
    return replace(spec, base_url=local.base_url, api_key=local.api_key)


def _new(found: tuple[Model, ...], known: tuple[Model, ...]) -> list[Model]:
    ids = {model.id for model in known}
    return [model for model in found if model.id not in ids]


async def _keep_learning(catalog: Catalog, judgements: FeedbackStore) -> None:
    """Route by what feedback teaches, looked up every minute; while the database is away, by what it taught last."""
    while True:
        try:
            catalog.learn(await judgements.quality())
        except ProofUnavailable:
            log.warning("feedback cannot be read: routing keeps to what it knows")
        await asyncio.sleep(LEARN_EVERY_S)


async def _forget(kept: ResponseStore, *, everything: bool) -> None:
    """Delete the responses whose time is over, or all when none are to be kept; what fails is done the next time."""
    while True:
        try:
            await kept.prune(everything=everything)
        except ProofUnavailable:
            log.warning("expired responses cannot be deleted: the database does not answer")
        await asyncio.sleep(FORGET_EVERY_S)


async def _die_with_parent() -> None:
    """End this worker when the process that owns the database and the port is gone, however it went."""
    parent = os.getppid()
    with suppress(asyncio.CancelledError):
        while os.getppid() == parent:  # noqa: ASYNC110 - no event tells of a parent's death
            await asyncio.sleep(PARENT_CHECK_S)
        signal.raise_signal(signal.SIGTERM)


async def _problem(request: Request, error: Exception) -> Response:
    """One of our errors as an HTTP answer."""
    shown = error if isinstance(error, PrysmError) else PrysmError("unexpected")
    return problem_response(shown, request.url.path, request.state.request_id)


async def _framework_problem(request: Request, error: Exception) -> Response:
    """The router's own refusals, in our envelope."""
    shown: PrysmError = NotFound("There is no such route; /docs lists them.")
    headers: Mapping[str, str] = {}
    if isinstance(error, HTTPException) and error.status_code == _MethodNotAllowed.status:
        shown = _MethodNotAllowed("This route takes another method; /docs lists them.")
        headers = error.headers or {}  # RFC 9110 wants the methods that are allowed
    response = problem_response(shown, request.url.path, request.state.request_id)
    response.headers.update(headers)
    return response


async def _validation_problem(request: Request, _: Exception) -> Response:
    """A path or query parameter of the wrong type."""
    shown = InvalidRequest("A parameter in the address is of the wrong type; /docs shows what it takes.")
    return problem_response(shown, request.url.path, request.state.request_id)


class _MethodNotAllowed(PrysmError):
    status = 405
    code = "method_not_allowed"
    type = "invalid_request_error"
