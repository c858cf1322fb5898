"""A model server that the gateway starts itself and keeps alive."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from prysm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

BACKOFF_MIN_S, BACKOFF_MAX_S = 0.5, 30.0
STEADY_S = 60.0
"""A server that lived this long was well: its next restart starts over with the shortest backoff."""
STOP_GRACE_S = 3.0
INHERITED = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "TMPDIR")
"""What the child sees of our environment. Provider keys are no business of a native HTTP server."""


def installed() -> bool:
    """Whether the `local` extra is there."""
    return importlib.util.find_spec("xllamacpp") is not None


class ManagedServer:
    """`prysm.providers.local_server` as a child process: started once, restarted on its port when it dies.

    The child ends with this process, even on SIGKILL. Every start draws a key of its own (`api_key`), so no other
    user of the machine can spend the model. One thread starts, watches and restarts.
    """

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.api_key = secrets.token_urlsafe(32)
        self._address: str | None = None
        self._failure: str | None = None
        self._reported = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._supervise, name="prysm-local-server", daemon=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weights.name!r}, pid={self.pid})"

    @classmethod
    def launch(cls, weights: Path) -> ManagedServer:
        """Begin to load `weights` (a .gguf file) and return at once. ConfigError without the `local` extra."""
        if not installed():
            raise ConfigError(
                "Models of this machine need the `local` extra. Install it with: pip install 'prysm-gateway[local]'"
            )
        server = cls(weights)
        server._thread.start()
        return server

    @property
    def pid(self) -> int | None:
        """The child's process id; `None` while there is none."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    def ready(self, timeout_s: float = 60.0) -> str:
        """Wait until it listens; the base URL for `/chat/completions`. ConfigError when it cannot start."""
        if not self._reported.wait(timeout_s):
            self.stop()
            raise ConfigError(f"The local model {self.weights.name} did not load within {timeout_s:g} s.")
        if self._address is None:
            raise ConfigError(
                f"The local model {self.weights.name} could not be loaded ({self._failure}). Delete the file and "
                "run `prysm models pull local`, or list other models in prysm.toml."
            )
        return f"{self._address}/v1"

    def stop(self) -> None:
        """End the child and its supervisor; safe to call twice."""
        with self._lock:
            self._stopping.set()
            child = self._child
        if child is not None:
            _end(child)
        self._thread.join()

    def _supervise(self) -> None:
        backoff_s = BACKOFF_MIN_S
        while (child := self._spawn()) is not None:
            born = time.monotonic()
            with child:  # closes the pipes and waits
                self._listen(child)
                child.wait()
            if self._address is None:
                return  # it never ran: `ready` tells, and trying again would change nothing
            backoff_s = BACKOFF_MIN_S if time.monotonic() - born > STEADY_S else backoff_s
            if self._stopping.wait(backoff_s):
                return
            logger.warning("local model server ended with code %s; restarting", child.returncode)
            backoff_s = min(BACKOFF_MAX_S, backoff_s * 2)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """Start the child; `None` when we are stopping. In a session of its own, so Ctrl-C lets requests drain."""
        port = self._address.rpartition(":")[2] if self._address else "0"
        with self._lock:
            if self._stopping.is_set():
                return None
            # -P: a `json.py` in the working folder is not ours.
            command = [sys.executable, "-P", "-m", "prysm.providers.local_server"]
            self._child = subprocess.Popen(  # noqa: S603 -- our own interpreter and module, no shell
                [*command, "--model", str(self.weights), "--port", port],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in INHERITED if name in os.environ},
                start_new_session=True,
            )
            return self._child

    def _listen(self, child: subprocess.Popen[bytes]) -> None:
        """Hand over the key, take the report."""
        try:
            report = _converse(child, self.api_key)
        except (OSError, ValueError):
            report = {"error": "it ended before it could report"}
        self._address = report.get("address", self._address)
        self._failure = report.get("error")
        self._reported.set()


def _converse(child: subprocess.Popen[bytes], key: str) -> dict[str, str]:
    """Say the key, read one JSON line. OSError or ValueError when the child is gone or talks nonsense."""
    if child.stdin is None or child.stdout is None:
        raise ValueError
    child.stdin.write(f"{key}\n".encode())
    child.stdin.flush()
    report = json.loads(child.stdout.readline())
    return {str(name): str(value) for name, value in report.items()}


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
