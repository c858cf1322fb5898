"""One file that shows a leaf in a log without asking anyone (c2sp.org/tlog-proof)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.proof.defect import Defect
from prysm.proof.note import signatures
from prysm.proof.strict import decimal, from_base64, hash_from_base64, to_base64

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PATH = 63
MAX_CHARACTERS = 2_000_000

_FIRST = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """The leaf at `index` (0-based) with its inclusion path in the checkpoint that `note` is; nothing verified.

    `extra` is not covered by anything and must not be trusted.
    """

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes | None = None


def write(index: int, path: Sequence[bytes], note: str, extra: bytes | None = None) -> str:
    """The text form; an empty `extra` is left out, as None is. Raises `Defect` for what `parse` would refuse."""
    lines = [_FIRST, f"index {index}", *map(to_base64, path)]
    if extra:
        lines.insert(1, f"extra {to_base64(extra)}")
    text = "\n".join(lines) + "\n\n" + note
    parse(text)
    return text


def parse(text: str) -> TlogProof:
    """Read the text form; raises `Defect` if it is malformed. The checkpoint is still to be opened and verified."""
    if len(text) > MAX_CHARACTERS:
        raise Defect("the proof is longer than two million characters")
    head, blank, note = text.partition("\n\n")
    first, *rest = head.split("\n")
    if first != _FIRST or not blank:
        raise Defect("a proof starts with the line " + _FIRST + " and has an empty line before the checkpoint")
    extra = _extra(rest.pop(0)) if rest and rest[0].startswith("extra ") else None
    index, *path = rest or [""]
    if not index.startswith("index "):
        raise Defect("a proof says the index of its leaf")
    if len(path) > MAX_PATH:
        raise Defect("an inclusion proof has at most 63 hashes")
    signatures(note)
    return TlogProof(decimal(index.removeprefix("index ")), tuple(map(hash_from_base64, path)), note, extra)


def _extra(line: str) -> bytes:
    data = from_base64(line.removeprefix("extra "))
    if not data:
        raise Defect("a proof without extra data has no line for it")
    return data
