from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from tests.databases import database
from tests.faults.cases import CASES
from tests.serving import served

from prysm.faults import DOORS, FaultServer
from prysm.providers import reads, sse
from prysm.resilience import retry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.cases import Case
    from tests.serving import Served

KEY = "sk-canary-of-the-provider-key"
BODY_CAP = 2_000_000
EVENT_CAP = 1_000_000


@dataclass
class Log(logging.Handler):
    """Every log line of this process while the gateway runs, whatever wrote it."""

    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.DEBUG)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a handler would write, traceback included."""
        self.lines.append(logging.Formatter().format(record))

    def keep(self, _: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Keep an event of structlog's and drop it."""
        self.lines.append(repr(event))
        raise structlog.DropEvent

    __hash__ = logging.Handler.__hash__


@dataclass(frozen=True)
class Rig:
    """A gateway over the fault server, and all that it wrote to its log."""

    gateway: Served
    faults: FaultServer
    log: Log


@pytest.fixture(scope="module")
def faults() -> Iterator[FaultServer]:
    """The fault server, in a thread of its own."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    found: list[FaultServer] = []

    async def serve() -> None:
        async with FaultServer.running() as server:
            found.append(server)
            ready.set()
            await stop.wait()
        await _all_others_done()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


async def _all_others_done() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture(scope="module")
def rig(postgres_url: str, faults: FaultServer) -> Iterator[Rig]:
    """A gateway with a provider and a model of its own for every case, so that no breaker is shared."""
    with (
        pytest.MonkeyPatch.context() as patch,
        _watched_log() as log,
        database(postgres_url) as url,
        tempfile.TemporaryDirectory(prefix="prysm-faults-") as folder,
    ):
        authority = Path(folder, "authority.pem")
        authority.write_bytes(faults.authority.pem)
        patch.setenv("SSL_CERT_FILE", str(authority))  # else every certificate would fail for the same reason
        patch.setattr(retry, "BACKOFF_S", 0.004)
        patch.setattr(reads, "MAX_BODY_BYTES", BODY_CAP)
        patch.setattr(sse, "MAX_EVENT_BYTES", EVENT_CAP)
        toml = "".join(_tables(case, faults) for case in CASES)
        with served(Path(folder), toml, url, os.environ | {"FAULT_KEY": KEY}) as gateway:
            yield Rig(gateway, faults, log)


@contextmanager
def _watched_log() -> Iterator[Log]:
    log, root, before = Log(), logging.getLogger(), structlog.get_config()
    level = root.level
    structlog.configure(processors=[log.keep], wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False)
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.WARNING)  # the tests' own client
    try:
        yield log
    finally:
        root.removeHandler(log)
        root.setLevel(level)
        structlog.configure(**before)


def _tables(case: Case, faults: FaultServer) -> str:
    url = faults.url
    if case.fault in DOORS:
        url = faults.door_url(case.fault)
    elif case.fault == "no-such-host":
        url = "http://no-such-host.invalid/v1"
    settings: dict[str, Any] = {"connect_timeout_s": 2, **case.settings}
    limits = "".join(f"{name} = {value}\n" for name, value in settings.items())
    return f"""
[[providers]]
id = "{case.id}"
kind = "{case.form}"
base_url = "{url}"
api_key_env = "FAULT_KEY"
{limits}
[[models]]
id = "{case.id}"
provider = "{case.id}"
upstream = "{case.upstream}"
tier = "small"
input_usd_per_mtok = 1
output_usd_per_mtok = 10
quality = {{ default = 0 }}
"""
