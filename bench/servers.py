"""The three servers of a measurement, each a child process, on loopback only and gone when the block ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parent.parent
KEY = "prysm_sk_bench_on_loopback_only"
START_TIMEOUT_S, STOP_TIMEOUT_S, POLL_S = 60.0, 30.0, 0.05
LOG_TAIL = 2_000

CATALOG = """
[[providers]]
id = "upstream"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
max_concurrency = 4096

[[models]]
id = "fake"
provider = "upstream"
tier = "small"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.60

[[models]]
id = "drip"
provider = "upstream"
tier = "small"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.60

[[models]]
id = "slow"
provider = "upstream"
tier = "small"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.60
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens; `pid` is the root of its process tree."""

    name: str
    port: int
    pid: int


@contextmanager
def upstream(folder: Path) -> Iterator[Server]:
    """Run the provider."""
    port = _free_port()
    with _running("upstream", [sys.executable, "-m", "bench.upstream", str(port)], port, folder) as server:
        yield server


@contextmanager
def bare_handler(folder: Path, provider: Server) -> Iterator[Server]:
    """Run the yardstick as the gateway is run: uvicorn, uvloop, httptools, one worker, no log of uvicorn's."""
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.bare:app", "--port", str(port), "--loop", "uvloop"]
    quiet = ["--http", "httptools", "--no-access-log", "--log-level", "warning", "--no-server-header"]
    env = os.environ | {"BENCH_UPSTREAM": f"http://127.0.0.1:{provider.port}/v1/chat/completions"}
    with _running("bare handler", [*command, *quiet, "--no-proxy-headers"], port, folder, env) as server:
        yield server


@contextmanager
def gateway(folder: Path, provider: Server, *, sealed: bool = True) -> Iterator[Server]:
    """Run `prysm serve` as in production: embedded Postgres, every answer sealed, the access log on.

    `sealed=False` runs it without receipts, to be compared with.
    """
    name = "gateway" if sealed else "unsealed gateway"
    port, config = _free_port(), folder / "prysm.toml"
    config.write_text(CATALOG.format(port=provider.port))
    own = {"PRYSM_CONFIG": str(config), "PRYSM_DATA_DIR": str(folder / name), "PRYSM_ROOT_KEY": KEY}
    env = {name: value for name, value in os.environ.items() if not name.startswith("PRYSM_")} | own
    prysm = [str(Path(sys.executable).with_name("prysm"))] if sealed else [sys.executable, "-m", "bench.unsealed"]
    with _running(name, [*prysm, "serve", "--port", str(port), "--workers", "1"], port, folder, env) as server:
        yield server


@contextmanager
def _running(
    name: str, command: Sequence[str], port: int, folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run `command` until the block ends. In a session of its own: Ctrl-C reaches us alone, and we stop it."""
    log = folder / f"{name}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 -- our own programs
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as child,
    ):
        try:
            _wait_for(child, port, name, log)
            yield Server(name, port, child.pid)
        finally:
            _stop(child)


def _wait_for(child: subprocess.Popen[bytes], port: int, name: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    sys.exit(f"The {name} did not start:\n{log.read_text(errors='replace')[-LOG_TAIL:]}")


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
