"""The last checkpoint seen, kept outside the database: how a restored or lagging database is found out."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from prysm.errors import ConfigError
from prysm.proof import checkpoint, note
from prysm.proof.defect import Defect

if TYPE_CHECKING:
    from pathlib import Path

    from prysm.store.log.tree import Head

WRITE_EVERY_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pin:
    """A checkpoint that was signed and seen."""

    origin: str
    size: int
    root: bytes
    note: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one from its file. Raises ConfigError when it is not a checkpoint."""
        text = path.read_text()
        try:
            found = checkpoint.parse(note.signatures(text)[0])
        except Defect as error:
            raise ConfigError(
                f"{path} is not a checkpoint ({error}): restore it from a backup. If you delete it, the gateway "
                "cannot tell whether the database was restored to an earlier state since."
            ) from None
        return cls(found.origin, found.size, found.root, text)


def read_pins(folder: Path) -> list[Pin]:
    """The pins in a folder; blocks. Raises ConfigError when a file is not a checkpoint."""
    return [Pin.read(path) for path in sorted(folder.glob("*.checkpoint"))]


class Pins:
    """One file an origin in a folder, holding the last signed note; what is in memory may be a second newer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Pin] = {}
        self._unsaved: set[str] = set()
        self._saver: asyncio.Task[None] | None = None
        self._saved_at = 0.0
        self._closing = asyncio.Event()

    def load(self) -> None:
        """Read the files; blocks. Raises ConfigError when one cannot be read, or the folder cannot be used."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._known = {pin.origin: pin for pin in read_pins(self._folder)}
        except OSError as error:
            raise ConfigError(
                f"Cannot use {self._folder}: {error.strerror}. Point PRYSM_DATA_DIR at another folder."
            ) from None

    def of(self, origin: str) -> Pin | None:
        """The last checkpoint seen of a log."""
        return self._known.get(origin)

    def keep(self, head: Head) -> None:
        """Remember a checkpoint that was committed; it is on disk within about a second."""
        known = self._known.get(head.origin)
        if known is not None and known.size >= head.size:
            return
        self._known[head.origin] = Pin(head.origin, head.size, head.root, head.note)
        self._unsaved.add(head.origin)
        if self._saver is None or self._saver.done():
            self._saver = asyncio.create_task(self._save_in_time())

    async def close(self) -> None:
        """Write what is not on disk yet."""
        self._closing.set()
        if self._saver is not None:
            await asyncio.wait([self._saver])
        await self._save()

    async def _save_in_time(self) -> None:
        while self._unsaved and not self._closing.is_set():
            pause = max(0.0, self._saved_at + WRITE_EVERY_S - time.monotonic())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            await self._save()

    async def _save(self) -> None:
        """Write every pin that changed; one that cannot be written is tried again the next time."""
        self._saved_at = time.monotonic()
        for pin in [self._known[origin] for origin in self._unsaved]:
            try:
                await asyncio.to_thread(_write, self._path(pin.origin), pin)
            except (OSError, ConfigError) as error:
                _log.warning("the last checkpoint cannot be kept outside the database: %s", type(error).__name__)
            else:
                if self._known[pin.origin] is pin:
                    self._unsaved.discard(pin.origin)

    def _path(self, origin: str) -> Path:
        return self._folder / f"{origin.replace('/', '-')}.checkpoint"


def _write(path: Path, pin: Pin) -> None:
    """Replace the file as a whole, unless another process of this machine has written a later one."""
    with suppress(FileNotFoundError):
        if Pin.read(path).size >= pin.size:
            return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a process that was killed and had our number
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(pin.note)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
