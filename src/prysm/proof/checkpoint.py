"""Checkpoints (c2sp.org/tlog-checkpoint): the size and root of a log at one moment, as a signed note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prysm.proof import note
from prysm.proof.defect import Defect
from prysm.proof.merkle import EMPTY_ROOT
from prysm.proof.strict import decimal, hash_from_base64, to_base64

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prysm.proof.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first `size` leaves of the log named `origin` have this 32-byte root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


def parse(text: str) -> Checkpoint:
    """A checkpoint from the text of a note; raises `Defect` if it is malformed.

    Extension lines are refused: nobody who watches the log could hold them against anything.
    """
    match text.split("\n"):
        case [origin, size, root, ""]:
            note.check_name(origin, "the origin of a log")
            checkpoint = Checkpoint(origin, decimal(size), hash_from_base64(root))
        case _:
            raise Defect("a checkpoint is three lines: origin, size and root")
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise Defect("the empty tree has another root")
    return checkpoint


def signed(checkpoint: Checkpoint, keys: Iterable[SigningKey]) -> str:
    """The note, signed by every key under the origin as its name."""
    text = checkpoint.text()
    parse(text)
    return note.sign(text, checkpoint.origin, keys)


def opened(signed_note: str, origin: str, publics: Iterable[bytes]) -> Checkpoint:
    """The checkpoint that at least one of these keys signed for the log of this origin; raises `Defect` otherwise."""
    checkpoint = parse(note.opened(signed_note, origin, publics))
    if checkpoint.origin != origin:
        raise Defect("the checkpoint is of another log")
    return checkpoint
