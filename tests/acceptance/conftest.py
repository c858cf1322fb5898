from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from tests.acceptance.outside import Outside, started
from tests.providers.upstream import Upstream, running
from tests.serving import AUTHORIZED, ROOT_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

START_S = 60.0
END_S = 10.0
PRYSM = Path(sys.executable).with_name("prysm")


@dataclass
class Process:
    """`prysm serve` as a process of its own. `stderr` is where its lines go."""

    popen: subprocess.Popen[bytes]
    url: str
    stderr: Path
    family: list[psutil.Process] = field(default_factory=list)

    def log(self) -> str:
        """Everything it has said."""
        return self.stderr.read_text()

    def get(self, path: str) -> httpx.Response:
        """Ask with the root key, over a connection of its own."""
        return httpx.get(self.url + path, headers=AUTHORIZED, timeout=20)

    def post(self, path: str, body: object) -> httpx.Response:
        """Send JSON with the root key, over a connection of its own."""
        return httpx.post(self.url + path, json=body, headers=AUTHORIZED, timeout=60)

    def wait_ready(self) -> Process:
        """Wait for its greeting."""
        deadline = time.monotonic() + START_S
        while "Try:" not in self.log():
            assert self.popen.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        self.family = psutil.Process(self.popen.pid).children(recursive=True)
        return self

    def survivors(self, within_s: float) -> list[psutil.Process]:
        """Which of the processes it started still run after that time; a zombie runs no more."""
        deadline = time.monotonic() + within_s
        while (left := [process for process in self.family if _runs(process)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


Serve = "Callable[..., Process]"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start `prysm serve` in an empty folder, with nothing of this environment that is Prysm's or a provider's."""
    with launching(tmp_path) as launch:
        yield launch


@contextmanager
def launching(folder: Path) -> Iterator[Callable[..., Process]]:
    """Start `prysm serve` in that folder, as often as is asked; none is left after the block."""
    started: list[Process] = []

    def start(*arguments: str, toml: str | None = None, **environ: str) -> Process:
        if toml is not None:
            (folder / "prysm.toml").write_text(toml)
        stderr = folder / f"stderr-{len(started)}"
        port = environ.pop("PRYSM_PORT", None) or str(_free_port())
        clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        with stderr.open("wb") as sink:
            popen = subprocess.Popen(  # noqa: S603 - the command under test
                [PRYSM, "serve", *arguments],
                cwd=folder,
                env=clean | {"PRYSM_PORT": port, "PRYSM_ROOT_KEY": ROOT_KEY} | environ,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        started.append(Process(popen, f"http://127.0.0.1:{port}", stderr))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            _end(process)


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A Postgres of this test alone."""
    with started() as server:
        yield server


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with running() as server:
        yield server


@contextmanager
def taken_port() -> Iterator[str]:
    """Hold a port."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield str(holder.getsockname()[1])


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _end(process: Process) -> None:
    """Leave nothing behind, whatever the test did."""
    if process.popen.poll() is None:
        process.family = psutil.Process(process.popen.pid).children(recursive=True)
        process.popen.terminate()  # so that it clears up; a test that kills it has looked at that itself
        with suppress(subprocess.TimeoutExpired):
            process.popen.wait(END_S)
        process.popen.kill()
    process.popen.wait()
    for survivor in process.survivors(5.0):
        survivor.kill()
