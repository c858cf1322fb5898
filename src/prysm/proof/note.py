"""Signed notes (c2sp.org/signed-note): text, an empty line, and one line for each signature."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.proof.defect import Defect
from prysm.proof.signing import signature_holds
from prysm.proof.strict import from_base64, to_base64

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prysm.proof.signing import SigningKey

ED25519 = 1
"""The algorithm byte of a signature over the note text alone."""

MAX_SIGNATURES = 64
MAX_BYTES = 65_536
_KEY_ID_BYTES = 4
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[!-*,-~]+")


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note. `key_id` (4 bytes) only says which key to try; `signature` is not yet verified."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line as it stands in the note, without its newline."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}"


def key_id(name: str, public: bytes, algorithm: int = ED25519) -> bytes:
    """The 4 bytes that name a key: SHA-256 of name, newline, algorithm byte and public key, cut short.

    Raises `Defect` for a name that no signature line can have.
    """
    check_name(name)
    return hashlib.sha256(f"{name}\n".encode() + bytes([algorithm]) + public).digest()[:_KEY_ID_BYTES]


def sign(text: str, name: str, keys: Iterable[SigningKey]) -> str:
    """The note of this text, which ends in a newline, signed by every key under the same name."""
    _check_text(text)
    signed = [Signature(name, key_id(name, key.public), key.sign(text.encode())) for key in keys]
    note = text + "\n" + "".join(f"{each.line()}\n" for each in signed)
    signatures(note)
    return note


def add_signature(note: str, signature: Signature) -> str:
    """The note with one more line at its end."""
    longer = f"{note}{signature.line()}\n"
    signatures(longer)
    return longer


def signatures(note: str) -> tuple[str, list[Signature]]:
    """The text and the signature lines of a note, nothing of it verified; raises `Defect` if it is malformed."""
    if len(note) > MAX_BYTES or len(note.encode(errors="replace")) > MAX_BYTES:
        raise Defect(f"the note is longer than {MAX_BYTES} bytes")
    text, blank, below = note.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise Defect("a note is text, an empty line and signature lines, each ending in a newline")
    _check_text(text + "\n")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Defect(f"the note has more than {MAX_SIGNATURES} signatures")
    return text + "\n", [_parse(line) for line in lines]


def signers(note: str, name: str, publics: Iterable[bytes]) -> tuple[str, frozenset[bytes]]:
    """The text of a note, and those of these 32-byte Ed25519 keys that signed it under `name`: one at least.

    Signatures of other names and keys are passed over, as the specification demands: keys change, and witnesses
    add theirs. Raises `Defect` if the note is malformed, if no known key signed it, or if a line that says it is
    a known key's does not verify.
    """
    text, lines = signatures(note)
    known: dict[bytes, list[bytes]] = defaultdict(list)
    for public in publics:
        known[key_id(name, public)].append(public)
    signed: set[bytes] = set()
    for line in lines:
        tried = known.get(line.key_id, ()) if line.name == name else ()
        held = [public for public in tried if signature_holds(public, line.signature, text.encode())]
        if tried and not held:
            raise Defect("a signature of a known key under the note does not verify")
        signed.update(held)
    if not signed:
        raise Defect("the note is not signed by a known key")
    return text, frozenset(signed)


def opened(note: str, name: str, publics: Iterable[bytes]) -> str:
    """The text of a note that at least one of these keys signed under `name`; raises as `signers` does."""
    return signers(note, name, publics)[0]


def _parse(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise Defect("a signature line is an em dash, a key name and base64, with one space between")
    check_name(name)
    signed = from_base64(encoded)
    if len(signed) <= _KEY_ID_BYTES:
        raise Defect("a signature under a note is more than its four bytes of key id")
    return Signature(name, signed[:_KEY_ID_BYTES], signed[_KEY_ID_BYTES:])


def check_name(name: str, what: str = "a key name") -> None:
    """Raise `Defect` for what is neither a key's name nor a log's origin."""
    if _NAME.fullmatch(name) is None:
        raise Defect(f"{what} is printable ASCII without blank and plus sign")


def _check_text(text: str) -> None:
    if any(character < " " and character != "\n" for character in text):
        raise Defect("a note holds no control character but the newline")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Defect("a note is valid UTF-8") from None
