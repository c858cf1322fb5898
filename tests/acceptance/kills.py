"""Kill -9 of everything that can be killed, and coming up again."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import psutil
from tests.serving import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Process

BACK_S = 30.0
chance = random.SystemRandom()


def begin(
    serve: Callable[..., Process], workers: int, before: Process | None, toml: str = SANDBOX, **environ: str
) -> Process:
    """Start the gateway, again on the port that it had before."""
    port = {} if before is None else {"PRYSM_PORT": before.url.rpartition(":")[2]}
    return serve("--workers", str(workers), toml=toml, **environ, **port).wait_ready()


def kill_gateway(gateway: Process) -> None:
    """Kill all its processes at once; Postgres is in a session of its own, and stops by itself."""
    os.killpg(gateway.popen.pid, signal.SIGKILL)
    gateway.popen.wait()


def kill_worker(gateway: Process) -> None:
    """Kill one of its workers, if it has any: it starts another."""
    children = psutil.Process(gateway.popen.pid).children()
    workers = [process for process in children if "spawn_main" in " ".join(process.cmdline())]
    if workers:
        chance.choice(workers).kill()


def kill_postgres(gateway: Process) -> None:
    """Kill Postgres with all its processes: the gateway starts it again."""
    postmaster = _postmaster(gateway)
    for process in (postmaster, *postmaster.children()):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def kill_session(gateway: Process) -> None:
    """Kill one process of Postgres: it ends all the others, and recovers."""
    with suppress(psutil.NoSuchProcess):
        chance.choice(_postmaster(gateway).children()).kill()


def _postmaster(gateway: Process) -> psutil.Process:
    claim = gateway.stderr.parent / ".prysm" / "postgres" / "postmaster.pid"
    return psutil.Process(int(claim.read_text().partition("\n")[0]))


def until_it_answers(gateway: Process) -> None:
    """Wait until it is ready; TimeoutError after half a minute."""
    deadline = time.monotonic() + BACK_S
    while time.monotonic() < deadline:
        try:
            if gateway.get("/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError(gateway.log())
