"""The composition root: opens what is to be open, and wires every part by hand."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Security
from fastapi.security import HTTPBearer

from prysm import __version__, upkeep
from prysm.accounts.access import is_public
from prysm.accounts.cache import Cache
from prysm.accounts.cache_key import catalog_digest
from prysm.accounts.directory import Directory
from prysm.accounts.keys import root_key
from prysm.accounts.provider_keys import OwnKeys
from prysm.accounts.queue import FairQueue
from prysm.accounts.rates import rates
from prysm.api import (
    audit,
    budgets,
    embeddings,
    feedback,
    messages,
    openai,
    operations,
    orchestrate,
    proofs,
    responses,
    tenants,
    usage,
)
from prysm.api import catalog as catalog_routes
from prysm.api import credits as credit_routes
from prysm.api import keys as key_routes
from prysm.api import log as log_routes
from prysm.api import provider_keys as provider_key_routes
from prysm.api.described import Described
from prysm.api.direct import Direct
from prysm.api.edge import Edge
from prysm.api.handlers import HANDLERS
from prysm.api.idempotency import Idempotency
from prysm.api.pages import pages
from prysm.api.replays import Replays
from prysm.api.responses_kept import Shelf
from prysm.api.services import Services
from prysm.api.shield import Shield
from prysm.classify.model import weights
from prysm.config import Config, Endpoint, Settings, load_config, zero_key
from prysm.gateway import Gateway
from prysm.planner import Planner
from prysm.providers.build import build_provider
from prysm.providers.ollama import discover, ollama_models
from prysm.providers.transport import open_transport
from prysm.receipt import interrupted
from prysm.receipt.rated import RatedSealer
from prysm.registry.catalog import Catalog
from prysm.resilience import resilient
from prysm.scoring.calibration import current, install, load
from prysm.store.database import Database
from prysm.store.isolation import EVERYBODY, acting_for
from prysm.store.notary import Notary
from prysm.store.postgres_rates import PostgresRates
from prysm.store.retention import Retention
from prysm.store.secrets import IDEMPOTENCY, PEPPER, secret
from prysm.strategies.gate import fitted
from prysm.telemetry import Telemetry, configure_logging
from prysm.vault import Vault, key_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator

    from fastapi import FastAPI

    from prysm.core.model import Model
    from prysm.core.provider import ProviderSpec, Standing
    from prysm.errors import FailureKind
    from prysm.store.idempotency import IdempotencyStore

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
    directory = Directory(root_key(settings.data_dir, settings.root_key))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, config, local, telemetry, directory) as parts:
            app.state.services = parts
            yield

    app = Described(
        public=partial(is_public, proofs=config.proof.public),
        title="Prysm",
        version=__version__,
        summary="Several language models on one prompt, and a receipt for every answer.",
        lifespan=lifespan,
        dependencies=[Security(HTTPBearer(auto_error=False))],  # tells /docs of the key; `Edge` checks it
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would export whole exceptions
        docs_url=None,  # ours has a policy on what it may run
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host the caller claims to speak to
        openapi_url="/openapi.json" if config.server.docs else None,
        exception_handlers=HANDLERS,
    )
    runs = (openai, responses, messages, embeddings, orchestrate)
    money = (usage, budgets, credit_routes)
    read = (catalog_routes, proofs, log_routes, feedback)
    for module in (*runs, *read, key_routes, provider_key_routes, tenants, *money, audit, operations):
        app.include_router(module.router)
    if config.server.metrics:
        app.include_router(operations.metrics_router)
    if app.openapi_url is not None:
        app.include_router(pages(app.title, app.openapi_url))
    direct = Direct(app.build_middleware_stack(), (route for module in runs for route in module.router.routes))
    edge = Edge(Idempotency(direct), directory, telemetry, public_proofs=config.proof.public)
    app.middleware_stack = Shield(edge, config.server.cors_origins)
    return app


@asynccontextmanager
async def opened(
    settings: Settings, config: Config, local: Endpoint | None, telemetry: Telemetry, directory: Directory
) -> AsyncIterator[Services]:
    """Everything that is open while the gateway serves, closed in reverse order, receipts under way first."""
    catalog = await live_catalog(config, local)
    url = settings.database_url or ""
    vault = Vault(settings.encryption_key or key_path(settings.data_dir))
    spool = config.proof.seal == "spool"
    async with AsyncExitStack() as stack:
        database = await Database.open(url)
        stack.push_async_callback(database.close)
        redis = await stack.enter_async_context(rates(settings.redis_url))
        notary = await Notary.open(url, database.sealing, settings.data_dir, vault, interrupted, spool=spool)
        stack.push_async_callback(notary.close)
        transport = open_transport()
        stack.push_async_callback(transport.aclose)
        watch = Observed(catalog, telemetry)
        own = OwnKeys(catalog, vault, lambda spec: build_provider(spec, transport), watch)
        cache = Cache(database.cache, vault, config.cache.ttl, catalog_digest(catalog))
        claims = database.idempotency(notary.lease, config.retention.idempotency)
        replays = Replays(claims, await secret(database.pool, vault, IDEMPOTENCY))
        await directory.follow_with(database.directory, await secret(database.pool, vault, PEPPER))
        await own.follow(database.provider_keys)
        await stack.enter_async_context(
            at_work(_chores(settings, config, database, claims, catalog, directory, own))
        )
        reachable = [
            spec for spec in catalog.providers if spec.usable and (spec.base_url or spec.kind == "sandbox")
        ]
        gateway = Gateway(
            Planner(catalog, config.policies, config.fallbacks),
            {spec.id: resilient(build_provider(spec, transport), spec, watch) for spec in reachable},
            notary.sealer if redis is None else RatedSealer(notary.sealer, redis),
            notary.keys,
            directory,
            telemetry=telemetry,
            price_version=catalog.price_version,
            own=own,
            cache=cache,
            queue=FairQueue(config.server.max_runs, config.server.max_waiting),
        )
        keep = config.retention.content
        yield Services(
            gateway,
            catalog,
            database.receipts,
            database.feedback,
            database.log,
            database.audit,
            directory,
            database.keys,
            database.tenants,
            database.usage,
            database.budgets,
            database.credits,
            database.provider_keys,
            own,
            telemetry,
            int(config.server.body_limit_mb * 1_000_000),
            replays,
            redis or PostgresRates(database.sealing),
            Shelf(database.responses, keep) if keep is not None else None,
            spools=spool,
        )
        gateway.close()
        await gateway.drained()
        await cache.close()
        await replays.close()


def _chores(  # noqa: PLR0917 - what there is to look after
    settings: Settings,
    config: Config,
    database: Database,
    claims: IdempotencyStore,
    catalog: Catalog,
    directory: Directory,
    own: OwnKeys,
) -> Iterator[Coroutine[Any, Any, None]]:
    """What goes on beside serving until the end, of every organisation's things."""
    keep, kept, url = config.retention, config.cache, settings.database_url or ""
    yield directory.keep_up()
    yield own.keep_up()
    yield upkeep.keep_learning(catalog, database.feedback)
    yield upkeep.forget(database.responses, claims, everything=keep.content is None)
    yield upkeep.prune(Retention(url, keep.runs, upkeep.pruning))
    yield upkeep.shrink(database.cache, 0 if kept.ttl is None else kept.max_entries, int(kept.max_mb * 1_000_000))
    if settings.workers > 1:
        yield upkeep.die_with_parent()


@asynccontextmanager
async def at_work(chores: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Have them done while the block runs, for all organisations."""
    with acting_for(EVERYBODY):
        tasks = [asyncio.create_task(chore) for chore in chores]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


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
