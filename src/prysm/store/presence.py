"""Which processes of a data directory are alive: each holds a lock on a file of its own for as long as it runs."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING
from uuid import UUID

from prysm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Presence:
    """The file `<folder>/<instance>` of this process, under flock(2), which ends with the process however it ends.

    The file holds its own inode number, so that in a copy of the folder nobody is called dead who lives elsewhere.
    Blocks. Raises ConfigError when the file cannot be made.
    """

    def __init__(self, folder: Path, instance: UUID) -> None:
        self.folder = folder
        self._path = folder / str(instance)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(folder):  # else another could find the file before it is locked
                self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.write(self._file, _mark(self._file))
        except OSError as error:
            raise _unusable(folder, error) from None

    def close(self) -> None:
        """Say that this process ended well and left nothing."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def check_writable(folder: Path) -> None:
    """Make a folder of the data directory. Raises ConfigError when nothing can be written in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unusable(folder, error) from None


@contextmanager
def departed(folder: Path) -> Iterator[list[UUID]]:
    """The processes of this folder that ended without a word. Blocks. Raises OSError.

    During the block nobody else is told of them; after it, unless it raises, nobody ever is.
    """
    with ExitStack() as held:
        with _locked(folder):
            gone = [path for path in folder.iterdir() if _is_instance(path.name) and _take(path, held)]
        yield [UUID(path.name) for path in gone]
        for path in gone:
            path.unlink(missing_ok=True)


def _unusable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"Cannot write in {folder}: {error.strerror}. Point PRYSM_DATA_DIR at another folder.")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _take(path: Path, held: ExitStack) -> bool:
    """Lock the file of a process that is gone. A copy says nothing about anybody, and is removed."""
    with suppress(OSError):  # its process is alive, or another user's
        file = os.open(path, os.O_RDWR)
        held.callback(os.close, file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.read(file, 64) == _mark(file):
            return True
        path.unlink(missing_ok=True)
    return False


def _mark(file: int) -> bytes:
    return str(os.fstat(file).st_ino).encode()


def _is_instance(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
