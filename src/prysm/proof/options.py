"""What a person hands to a verification on a command line: files, and keys of witnesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.errors import ConfigError
from prysm.proof.defect import Defect
from prysm.proof.document import MAX_BYTES, decoded, load
from prysm.proof.keys import read_keys
from prysm.proof.signing import PUBLIC_BYTES

_GROWTH = "proof of consistency: save the answer of /v1/log/proof/consistency"

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prysm.proof.keys import PublicKey


def verification(
    keys: Path | None = None,
    openings: Path | None = None,
    text: Path | None = None,
    prompt: Path | None = None,
    witnesses: Iterable[str] = (),
    *,
    consistency: Path | None = None,
) -> dict[str, Any]:
    """The arguments of `verify_document` but its memory. Raises `ConfigError` for what cannot be used."""
    texts = {label: read_file(path) for label, path in (("answer", text), ("prompt", prompt)) if path is not None}
    if texts and openings is None:
        raise ConfigError("A text is opened with its salt: give the answer that holds it with --openings.")
    return {
        "keys": None if keys is None else pinned_keys(keys),
        "openings": None if openings is None else _object(openings, "openings: save the whole answer that you got"),
        "consistency": None if consistency is None else _object(consistency, _GROWTH),
        "texts": texts,
        "witnesses": dict(map(_witness, witnesses)),
    }


def pinned_keys(path: Path) -> tuple[PublicKey, ...]:
    """The keys in a file saved from `/.well-known/prysm-keys.json`."""
    try:
        return read_keys(load(read_file(path)))
    except Defect as defect:
        raise ConfigError(f"{path} holds no keys of a gateway: {defect}.") from defect


def _object(path: Path, what: str) -> dict[str, Any]:
    try:
        value = load(read_file(path))
    except Defect as defect:
        raise ConfigError(f"{path} is not to be read ({defect}); it is to hold {what}.") from defect
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds no {what}.")
    return value


def _witness(spelled: str) -> tuple[str, bytes]:
    name, _, encoded = spelled.partition("=")
    try:
        public = decoded(encoded, "the key")
    except Defect:
        public = b""
    if not name or len(public) != PUBLIC_BYTES:
        raise ConfigError("A witness is NAME=KEY, where KEY is the base64 of its 32-byte Ed25519 key.")
    return name, public


def read_file(path: Path) -> bytes:
    """A file's bytes, and no more of them than are refused. Raises `ConfigError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).") from error
