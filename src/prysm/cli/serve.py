"""`prysm serve`: start what the gateway needs, then the gateway, and stop it all together."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
import uvicorn

import prysm
from prysm.accounts.keys import root_key, root_key_path
from prysm.api.framing import Patience, patient
from prysm.config import Config, Endpoint, Settings, load_config
from prysm.errors import ConfigError, PrysmError
from prysm.providers import managed, weights
from prysm.store.embedded import EmbeddedPostgres
from prysm.store.log.begin import open_log
from prysm.store.log.pin import Pins
from prysm.store.notary import INSTANCES, PINS, spool_in
from prysm.store.presence import Presence, check_writable
from prysm.store.revision import is_current
from prysm.telemetry import configure_logging
from prysm.vault import Vault, key_path

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_TIMEOUT_S = 60.0
READY_POLL_S = 0.05
LISTED_MODELS = 8
MOST_FILES = 65_536


def serve(
    config: Annotated[
        Path | None,
        typer.Option("--config", envvar="PRYSM_CONFIG", help="TOML file; default ./prysm.toml."),
    ] = None,
    host: Annotated[str | None, typer.Option(envvar="PRYSM_HOST", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(envvar="PRYSM_PORT", show_default="8080")] = None,
    workers: Annotated[int | None, typer.Option(envvar="PRYSM_WORKERS", show_default="1")] = None,
) -> None:
    """Start the gateway here: database, migrations, the local model, then HTTP. Ctrl-C drains and stops all."""
    settings = _settings(config=config, host=host, port=port, workers=workers)
    loaded = load_config(settings, os.environ)
    configure_logging(settings.log_level)
    _check_address(settings)
    signal.signal(signal.SIGTERM, _stop)
    with ExitStack() as running:
        model = running.enter_context(_local_model(loaded, settings))
        url = settings.database_url or running.enter_context(EmbeddedPostgres.start(settings.data_dir)).url
        if not is_current(url):
            import_module("prysm.store.migrate").migrate(url)  # SQLAlchemy and Alembic take a third of a second
        asyncio.run(_check_sealing(settings, loaded, url))
        key = root_key(settings.data_dir, settings.root_key)
        _hand_down(settings, url, model)
        threading.Thread(target=_greet, args=(settings, key), daemon=True).start()
        _run(settings, loaded)


def _settings(*, config: Path | None, host: str | None, port: int | None, workers: int | None) -> Settings:
    """The environment's settings with the command's own options over them."""
    given = {"PRYSM_CONFIG": config, "PRYSM_HOST": host, "PRYSM_PORT": port, "PRYSM_WORKERS": workers}
    return Settings.from_environment(os.environ | {name: str(v) for name, v in given.items() if v is not None})


def _check_address(settings: Settings) -> None:
    """Tell that the port is taken before a database and a model are started for nothing."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigError(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Stop what listens there, or "
                "choose another address with --port and --host."
            ) from None


@contextmanager
def _local_model(loaded: Config, settings: Settings) -> Iterator[managed.ManagedServer | None]:
    """Begin to load the local model while the database starts; without its parts the gateway serves without it."""
    wanted = {spec.id for spec in loaded.providers if spec.managed} & {model.provider for model in loaded.models}
    found = weights.find_weights(settings.data_dir) if wanted and managed.installed() else None
    if found is None:
        if wanted:
            _say("The local model is not installed: run `make env`, or `prysm models pull local`.")
        yield None
        return
    server = managed.ManagedServer.launch(found)
    try:
        yield server
    finally:
        server.stop()


async def _check_sealing(settings: Settings, loaded: Config, url: str) -> None:
    """Begin the log, or say in one line why no receipt can be kept: the workers would each print a traceback."""
    check_writable(settings.data_dir / PINS)
    Presence(settings.data_dir / INSTANCES, uuid4()).close()
    spool_in(settings.data_dir, wanted=loaded.proof.seal == "spool")
    pins = Pins(settings.data_dir / PINS)
    await open_log(url, Vault(settings.encryption_key or key_path(settings.data_dir)), pins)
    await pins.close()


def _hand_down(settings: Settings, url: str, model: managed.ManagedServer | None) -> None:
    """Tell the workers, which may be other processes, what was started for them."""
    os.environ["PRYSM_DATABASE_URL"] = url
    os.environ["PRYSM_WORKERS"] = str(settings.workers)
    if settings.config_path is not None:
        os.environ["PRYSM_CONFIG"] = str(settings.config_path)
    if model is not None:
        os.environ |= Endpoint(model.ready(), model.api_key).to_environment()
    if settings.workers > 1:
        shared = settings.data_dir / "metrics"
        shutil.rmtree(shared, ignore_errors=True)
        shared.mkdir(parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)


def _run(settings: Settings, loaded: Config) -> None:
    server = loaded.server
    proxies = [str(network) for network in server.trusted_proxies]
    patience = Patience(server.header_limit_kb * 1024, server.header_timeout_s, server.body_timeout_s)
    _open_many_files()
    uvicorn.run(
        "prysm.app:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=patient(patience),
        ws="none",
        access_log=False,
        log_config=None,  # its warnings come as lines like ours
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        timeout_keep_alive=server.keep_alive_s,
        timeout_graceful_shutdown=max(1, round(server.drain_timeout_s)),
    )


def _open_many_files() -> None:
    """Let every connection have its file, as far as the system lets us: the usual 1024 are soon taken by idle ones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _greet(settings: Settings, key: str) -> None:
    """Say where the gateway listens and what it can do, once it answers."""
    shown = f"http://{_reachable(settings.host)}:{settings.port}"
    models = _models_once_ready(shown, key)
    if models is None:
        return
    live = [model["id"] for model in models if model["live"] and not model["simulated"]]
    simulated = [model["id"] for model in models if model["live"] and model["simulated"]]
    path = root_key_path(settings.data_dir)
    header = "$PRYSM_ROOT_KEY" if settings.root_key else f"$(cat '{_short(path)}')"
    _say(f"Prysm listens on {shown}  (documentation: {shown}/docs)")
    _say(f"Live models: {_listed(live) or 'none but the simulated ones'}")
    if simulated:
        _say(f"Simulated, for tests and demos: {_listed(simulated)}")
    _say(f"Root key: {'from PRYSM_ROOT_KEY' if settings.root_key else path}")
    _say("Try:")
    _say(
        f"  curl {shown}/v2/orchestrate -H \"authorization: Bearer {header}\" -H 'content-type: application/json' "
        '-d \'{"prompt": "What is the capital of Japan?", "policy": "depth"}\''
    )


def _models_once_ready(url: str, key: str) -> list[Any] | None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    with prysm.Prysm(api_key=key, base_url=url) as client:
        while time.monotonic() < deadline:
            try:
                return list(client.models_catalog()["data"])
            except PrysmError:
                time.sleep(READY_POLL_S)
    return None


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared


def _listed(ids: list[str]) -> str:
    more = len(ids) - LISTED_MODELS
    return ", ".join(ids[:LISTED_MODELS]) + (f" and {more} more" if more > 0 else "")


def _short(path: Path) -> Path:
    """Relative to here when it lies below, so that the line can be read and copied."""
    here = Path.cwd()
    return path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path.resolve()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _stop(*_: object) -> None:
    """End as Ctrl-C does, so that everything that was started is stopped."""
    raise SystemExit(0)
