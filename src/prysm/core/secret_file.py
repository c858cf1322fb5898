"""Secrets that are made on first use and kept in a file that only its owner may read."""

from __future__ import annotations

import os
from contextlib import suppress
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from prysm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def kept_in(path: Path, make: Callable[[], str], variable: str) -> str:
    """The secret in the file, made once with mode 0600; of many starters at once all read the same.

    Raises ConfigError when the file cannot be used; `variable` is the setting that can stand in for it.
    """
    try:
        if not path.exists():
            _write_once(path, make())
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(
            f"Cannot use {path}: {error.strerror}. Point PRYSM_DATA_DIR at another folder, or set {variable}."
        ) from None


def _write_once(path: Path, secret: str) -> None:
    """Write the whole secret or nothing, and never over another."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=path.name) as draft:  # made with mode 0600
        draft.write(secret + "\n")
        draft.flush()
        os.fsync(draft.fileno())  # what it encrypts may be on disk before it is
        with suppress(FileExistsError):
            os.link(draft.name, path)
