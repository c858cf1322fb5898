"""Receipts as files, while the database is away."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from prysm.errors import ConfigError, ProofUnavailable
from prysm.proof.defect import Defect
from prysm.proof.dsse import digest
from prysm.proof.hashing import PAYLOAD_TYPE, proof_hash
from prysm.proof.record import check_run, check_stages, read_record
from prysm.proof.sealed import Sealed
from prysm.store.rows import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

LIMIT_BYTES = 1_000_000_000
ROOM_BYTES = 1_000_000
"""With less left than this the spool counts as full: the runs under way may still need it."""
AT_ONCE = 64
TORN_S = 60.0

_log = logging.getLogger(__name__)


class Spool:
    """A folder of receipts, each flushed to the disk before `put` returns. Neither salts nor texts are in a receipt.

    Several processes may share the folder. Raises ConfigError when it cannot be made or read.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit = limit_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._used = self._measure()
        except OSError as error:
            raise ConfigError(
                f"Cannot spool receipts in {folder}: {error.strerror}. Point PRYSM_DATA_DIR at another folder, or "
                'set seal = "strict" under [proof].'
            ) from None

    @property
    def full(self) -> bool:
        """Whether there is too little room to begin another run."""
        return self._used + ROOM_BYTES > self._limit

    async def put(self, sealed: Sealed) -> None:
        """Return when the receipt's file is durable, also when the wait is cancelled.

        Raises ProofUnavailable when the spool is full or cannot be written to.
        """
        text = _written(sealed.signed())
        if self._used + len(text) > self._limit:
            raise _unusable("full")
        self._used += len(text)
        try:
            await asyncio.to_thread(_write, self._folder, f"{sealed.request_id}.receipt", text)
        except OSError as error:
            self._used -= len(text)
            raise _unusable(error) from error

    async def drain(self, put: Callable[[Sealed], Awaitable[object]]) -> int:
        """Put the receipts, the oldest first, and remove the file of each that is durable; return how many were.

        A file that is corrupt, and a receipt that is refused, are set aside as `.bad`. Raises ProofUnavailable when
        the database is away, and, after all others, when a file cannot be read; what is left stays for the next time.
        """
        drained = 0
        unread: OSError | None = None
        try:
            paths = await asyncio.to_thread(self._oldest_first)
            for i in range(0, len(paths), AT_ONCE):
                some = (self._drain(path, put) for path in paths[i : i + AT_ONCE])
                done = await asyncio.gather(*some, return_exceptions=True)
                drained += done.count(True)
                for failure in done:
                    if isinstance(failure, OSError):
                        unread = failure
                    elif isinstance(failure, BaseException):
                        raise failure
            self._used = await asyncio.to_thread(self._measure)
        except OSError as error:
            raise _unusable(error) from error
        if unread is not None:
            raise _unusable(unread) from unread
        return drained

    async def _drain(self, path: Path, put: Callable[[Sealed], Awaitable[object]]) -> bool:
        try:
            sealed = await asyncio.to_thread(_read, path)
            await put(sealed)
        except FileNotFoundError:  # another process was faster
            return False
        except (ValueError, LookupError, TypeError, RecursionError, Refused) as error:
            _log.error("%s is set aside as .bad: %s", path.name, type(error).__name__)
            await asyncio.to_thread(_set_aside, path)
            return False
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return True

    def _measure(self) -> int:
        with os.scandir(self._folder) as entries:
            return sum(_size(entry) for entry in entries)

    def _oldest_first(self) -> list[Path]:
        """The receipts. What a crash left half written nobody was told of, and is removed."""
        for modified_ns, torn in self._files("*.tmp"):
            if modified_ns < (time.time() - TORN_S) * 1e9:
                torn.unlink(missing_ok=True)
        return [path for _, path in sorted(self._files("*.receipt"))]

    def _files(self, pattern: str) -> Iterator[tuple[int, Path]]:
        """Files with the time of their last change; a folder is none of ours."""
        for path in self._folder.glob(pattern):
            with suppress(FileNotFoundError):
                found = path.stat()
                if stat.S_ISREG(found.st_mode):
                    yield found.st_mtime_ns, path


def _unusable(why: OSError | str) -> ProofUnavailable:
    reason = why if isinstance(why, str) else type(why).__name__
    return ProofUnavailable(
        f"The receipt could not be spooled ({reason}), so the answer is withheld. See to the database, and to the "
        "room and the permissions of the spool folder in PRYSM_DATA_DIR."
    )


def _set_aside(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.rename(path.with_suffix(".bad"))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0


def _write(folder: Path, name: str, text: bytes) -> None:
    """Write a file of this name so that after a crash it is there as a whole or not at all."""
    torn = folder / f"{name}.{os.urandom(4).hex()}.tmp"
    file = os.open(torn, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(file)
        torn.rename(folder / name)
    except OSError:
        torn.unlink(missing_ok=True)
        raise
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _written(sealed: Sealed) -> bytes:
    return json.dumps(
        {
            "payload": _b64(sealed.payload),
            "stages": [_b64(body) for body in sealed.stages],
            "kid": sealed.kid,
            "signature": _b64(sealed.signature),
            "digest": _b64(sealed.digest),
            "charge": _b64(sealed.charge),
        }
    ).encode()


def _read(path: Path) -> Sealed:
    """Raises OSError, and ValueError, LookupError or TypeError when the file is not what was written.

    The run that names the file is the payload's own, and the stages are its own: else it would be stored, signed as
    it is, as the receipt of a run that nobody has seen.
    """
    kept = json.loads(path.read_bytes())
    payload, signature, named = (_from_b64(kept[key]) for key in ("payload", "signature", "digest"))
    stages = tuple(map(_from_b64, kept["stages"]))
    record = read_record(payload)
    for check in (check_run(record, path.stem), check_stages(record, stages)):
        if not check.ok:
            raise Defect(check.detail)
    if named != digest(PAYLOAD_TYPE, payload):
        raise Defect("the digest is another receipt's")
    charge = kept.get("charge")  # an earlier release wrote none
    return Sealed(
        UUID(path.stem),
        payload,
        proof_hash(payload),
        stages,
        kept["kid"],
        signature,
        named,
        charge=None if charge is None else _from_b64(charge),
    )


def _from_b64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _b64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
