"""A Redis of our own, as Debian's package has it, on a socket in a folder that goes with it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import redis
from tests.absent import absent

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def redis_server(*options: str, folder: Path | None = None) -> Iterator[str]:
    """Its address. It keeps nothing; started again in the same `folder`, it is empty and has the same address."""
    program = shutil.which("redis-server") or absent("redis-server")
    with tempfile.TemporaryDirectory(prefix="prysm-redis-") as fresh:
        socket = (folder or Path(fresh)) / "s"
        quiet = ("--save", "", "--appendonly", "no", "--dir", fresh, "--logfile", "log")
        server = subprocess.Popen(  # noqa: S603 - a program of the system's, and options of ours
            [program, "--port", "0", "--unixsocket", str(socket), *quiet, *options], stdout=subprocess.DEVNULL
        )
        try:
            _wait(f"unix://{socket}")
            yield f"unix://{socket}"
        finally:
            server.kill()
            server.wait()


def _wait(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        for _ in range(500):
            try:
                client.ping()
            except redis.AuthenticationError:
                return
            except redis.ConnectionError:
                time.sleep(0.01)
            else:
                return
    raise TimeoutError("redis-server does not answer")
