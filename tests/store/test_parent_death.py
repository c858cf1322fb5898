"""What becomes of Postgres when the gateway is killed; as root in a user namespace, and as a normal user."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

import prysm
from prysm.store.cluster import Cluster
from prysm.store.connection import connect
from prysm.store.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="parent death signals are Linux's")

GATEWAY = """
import os, sys, time
from pathlib import Path
from prysm.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]))
print(os.geteuid(), server.pid, server.url, flush=True)
time.sleep(600)
"""
NOBODY = 65534

AS_NOBODY = """
set -e
while [ "$1" != -- ]; do mkdir "$2"; mount --bind "$1" "$2"; shift 2; done
shift
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
"""


@dataclass(frozen=True)
class User:
    """How to run Python as somebody."""

    uid: int
    command: tuple[str, ...]
    environment: dict[str, str]
    home: Path


@contextmanager
def this_user() -> Iterator[User]:
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        yield User(os.geteuid(), (sys.executable,), {}, Path(folder))


@contextmanager
def nobody() -> Iterator[User]:
    """A user who cannot open root's folders: the interpreter is shown to it elsewhere, in a mount namespace."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody; the other tests already run as a normal user")
    if subprocess.run(("/usr/bin/env", "unshare", "--mount", "true"), check=False, capture_output=True).returncode:
        pytest.skip("this machine lets not even root make a mount namespace")
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "home").mkdir()
        os.chown(root / "home", NOBODY, NOBODY)
        python, packages, source = (root / name for name in ("python", "packages", "source"))
        shown = {sys.base_prefix: python, Path(asyncpg.__file__).parents[1]: packages}
        shown |= {Path(prysm.__file__).parents[1]: source}
        binds = (part for pair in shown.items() for part in pair)
        wrapper = ("unshare", "--mount", "--propagation", "private", "sh", "-c", AS_NOBODY, "sh")
        interpreter = python / "bin" / Path(sys.executable).resolve().name
        command = (*wrapper, *map(str, binds), "--", str(interpreter))
        yield User(NOBODY, command, {"PYTHONPATH": f"{source}:{packages}"}, root / "home")


@pytest.fixture(params=[this_user, nobody])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    with request.param() as user:
        running = Gateway(user)
        assert running.uid == user.uid
        assert running.serves()
        yield running
        running.process.kill()
        running.process.communicate()
        eventually(lambda: not running.serves())


class Gateway:
    """A process of its own that runs an embedded server."""

    def __init__(self, user: User) -> None:
        self.data_dir = user.home / "data"
        self.process = subprocess.Popen(  # noqa: S603  the test's own words
            [*user.command, "-c", GATEWAY, str(self.data_dir)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=user.home,
            env={"PATH": os.environ["PATH"], **user.environment},
        )
        assert self.process.stdout is not None
        uid, pid, self.url = self.process.stdout.readline().split()
        self.uid, self.postgres = int(uid), int(pid)

    def serves(self) -> bool:
        """Whether the server runs; a dead one may stay as a zombie when process 1 does not reap."""
        return Cluster(self.data_dir).runs_here(self.postgres)


def ask(url: str, statement: str) -> object:
    async def run() -> object:
        connection = await connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def eventually(condition: Callable[[], bool], within_s: float = 10) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s
        time.sleep(0.005)


def test_kill_9_of_the_gateway_stops_postgres(gateway: Gateway) -> None:
    gateway.process.kill()
    eventually(lambda: not gateway.serves(), within_s=3)  # 0.1 s on an idle machine


def test_kill_9_of_postgres_is_recovered_from(gateway: Gateway) -> None:
    ask(gateway.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(gateway.postgres, signal.SIGKILL)
    assert ask(gateway.url, "SELECT answer FROM kept") == 42
    gateway.postgres = int((gateway.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def test_the_next_gateway_need_not_wait_for_the_server_of_the_killed_one() -> None:
    with this_user() as user:
        killed = Gateway(user)
        ask(killed.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed.process.kill()
        killed.process.communicate()
        with EmbeddedPostgres.start(killed.data_dir) as server:
            assert not killed.serves()
            assert ask(server.url, "SELECT answer FROM kept") == 42


@pytest.mark.skipif(os.geteuid() != 0, reason="a normal user needs no namespace")
def test_root_contains_postgres_in_a_namespace_and_opens_no_folder() -> None:
    with this_user() as user:
        before = {folder: folder.stat().st_mode for folder in (user.home, *user.home.parents)}
        with EmbeddedPostgres.start(user.home / "data") as server:
            own, theirs = (Path(f"/proc/{pid}/ns/user").readlink() for pid in ("self", server.pid))
            assert own != theirs
        assert {folder: folder.stat().st_mode for folder in before} == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a namespace")
@pytest.mark.parametrize("initialised", [False, True])
def test_root_without_namespaces_is_told_the_two_ways_out(initialised: bool) -> None:
    with this_user() as user:
        if initialised:
            EmbeddedPostgres.start(user.home / "data").stop()
        forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
        run = ("/usr/bin/env", "unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh", sys.executable)
        done = subprocess.run(  # noqa: S603  the test's own words
            (*run, "-c", GATEWAY, str(user.home / "data")), check=False, capture_output=True, text=True
        )
        assert "PRYSM_DATABASE_URL" in done.stderr
        assert "as a normal user" in done.stderr
        assert "ConfigError" in done.stderr
