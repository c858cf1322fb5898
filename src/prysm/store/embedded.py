"""Run Postgres as a child process that lives and dies with the gateway."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from prysm.errors import ConfigError
from prysm.store.cluster import ENVIRONMENT, Cluster, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 120.0  # crash recovery of a large log takes long and makes progress
STOP_TIMEOUT_S = 15.0
POLL_S = 0.01
RESTART_PAUSES_S = (0.1, 0.2, 0.4, 0.8)  # between attempts; the last is repeated once the server has been up

_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A Postgres server of our own, supervised by one thread until `stop`.

    - It listens on a socket in a 0700 folder only, and every connection needs the SCRAM password.
    - When the gateway dies, even by kill -9, Linux tells the server to shut down. macOS has nothing like it: there
      the server lives on until the next start on the same data directory, which stops it first.
    - When the server dies, it is started again at the same address and recovers from its log.

    As root the server runs in a user namespace (see `launch`).
    """

    def __init__(self, cluster: Cluster, lock: int) -> None:
        self._cluster = cluster
        self._lock: int | None = lock
        self._stopping = threading.Event()
        self._up = threading.Event()
        self._failure: ConfigError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._command: list[str] = []
        self._url = ""
        self._thread = threading.Thread(target=self._supervise, name="embedded-postgres", daemon=True)

    @classmethod
    def start(cls, data_dir: Path) -> Self:
        """Start the server of `data_dir` and return when it takes connections; blocks, seconds on first use.

        Raises ConfigError when another gateway runs it, and for everything `Cluster.prepare` names.
        """
        server = cls.try_start(data_dir)
        if server is None:
            raise ConfigError(
                f"Another gateway runs the embedded Postgres of {data_dir}: stop it, set PRYSM_DATA_DIR to another "
                "folder, or give both gateways one PRYSM_DATABASE_URL."
            )
        return server

    @classmethod
    def try_start(cls, data_dir: Path) -> Self | None:
        """Do as `start`, but return `None` when another process runs the server."""
        cluster = Cluster(data_dir.resolve())
        try:
            cluster.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _lock(cluster.lock_file)
            if lock is None:
                return None
            with ExitStack() as undo:
                server = cls(cluster, lock)
                undo.callback(server.stop)
                server._begin()
                undo.pop_all()
        except OSError as error:
            raise ConfigError(f"Cannot use the data directory {data_dir}: {error.strerror}.") from error
        return server

    @property
    def url(self) -> str:
        """Where to connect, password included: `postgresql://…`. It stays the same when the server is restarted."""
        return self._url

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise ConfigError("The embedded Postgres is not running.")
        return self._process.pid

    def stop(self) -> None:
        """Shut the server down and return when it is gone; clients are cut off. Safe to call twice."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._thread.is_alive():
            if self._process is not None:
                self._process.send_signal(signal.SIGINT if time.monotonic() < deadline else signal.SIGKILL)
            self._thread.join(POLL_S * 5)
        if self._lock is not None:
            self._forget(self._url)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _begin(self) -> None:
        self._forget(self._cluster.read_url())
        self._cluster.prepare()
        self._stop_orphan()
        self._cluster.log.write_bytes(b"")
        folder = self._cluster.socket_folder()
        self._url = self._cluster.url(folder)
        self._command = self._cluster.command(folder)
        self._thread.start()
        self._up.wait()
        if self._failure is not None:
            raise self._failure
        write_private(self._cluster.url_file, self._url)

    def _forget(self, url: str | None) -> None:
        """Remove the address file, and the folder of the socket at `url`.

        Only an empty folder goes: in a copied data directory the address is that of the original, which may run.
        """
        if url:
            with suppress(OSError):
                Path(parse_qs(urlsplit(url).query)["host"][0]).rmdir()
        self._cluster.url_file.unlink(missing_ok=True)

    def _stop_orphan(self) -> None:
        """Wait for the server of a gateway that was killed a moment ago. We hold the lock, so nobody wants it."""
        claim = self._cluster.postmaster()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while claim is not None and self._cluster.runs_here(claim[0]):
            with suppress(ProcessLookupError):
                os.kill(claim[0], signal.SIGINT if time.monotonic() < deadline else signal.SIGKILL)
            time.sleep(POLL_S * 5)
        # Postgres would refuse to start when an unrelated process of ours had the number in this file.
        (self._cluster.data / "postmaster.pid").unlink(missing_ok=True)

    def _supervise(self) -> None:
        """Spawn, wait, restart. One thread does it all its life: Linux takes the spawning thread for the parent."""
        pauses = iter(RESTART_PAUSES_S)
        while True:
            was_ready, status = self._run()
            if was_ready:
                pauses = iter(RESTART_PAUSES_S)
            pause = next(pauses, RESTART_PAUSES_S[-1] if self._up.is_set() else None)
            if pause is None:
                return self._give_up(status)
            if self._stopping.wait(pause):
                return self._up.set()
            _log.warning("the embedded Postgres ended by itself (status %d) and is started again", status)

    def _run(self) -> tuple[bool, int]:
        """Run the server to its end: whether it became ready, and its exit status."""
        try:
            self._process = self._spawn()
        except OSError as error:  # no memory or process left: a reason to try again, like an exit
            return False, error.errno or 1
        ready = self._becomes_ready(self._process)
        if ready:
            self._up.set()
        return ready, self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._cluster.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  our own binaries and paths, no shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._cluster.home,
                env=ENVIRONMENT,
                start_new_session=True,  # Ctrl-C is for the gateway, which drains before it stops us
            )

    def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the data directory is claimed by exactly this process and it takes connections."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and not self._stopping.is_set():
            if self._cluster.postmaster() == (process.pid, True):
                return True
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(POLL_S)
        return False

    def _give_up(self, status: int) -> None:
        try:
            self._cluster.check_exit(status or 1)
        except ConfigError as error:
            self._failure = error
        self._up.set()


def _lock(path: Path) -> int | None:
    """Lock a file until its descriptor is closed or we die; `None` when another process holds it."""
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


@contextmanager
def attached(data_dir: Path) -> Iterator[str]:
    """Give the URL of the server of `data_dir`: the running one, or one that is started until the block ends.

    Raises ConfigError like `EmbeddedPostgres.start`, and when a running server does not come up.
    """
    server = EmbeddedPostgres.try_start(data_dir)
    if server is None:
        yield _address(Cluster(data_dir.resolve()))
        return
    with server:
        yield server.url


def _address(cluster: Cluster) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while (url := cluster.read_url()) is None:
        if time.monotonic() > deadline:
            raise ConfigError(f"The gateway that runs the embedded Postgres of {cluster.home} does not come up.")
        time.sleep(POLL_S)
    return url
