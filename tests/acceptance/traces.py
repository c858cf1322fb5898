"""Look for a text in everything that is left on a disk or was handed out, however it may be encoded."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def spellings(text: str) -> frozenset[bytes]:
    """How a text may stand in bytes: UTF-8, UTF-16, hexadecimal, and base64 wherever it begins."""
    plain = text.encode()
    found = {plain, text.encode("utf-16-le"), text.encode("utf-16-be"), plain.hex().encode()}
    for shift in range(3):
        found.add(
            base64.b64encode(bytes(shift) + plain)[4 : -4 - shift]
        )  # the ends depend on what stands around it
    return frozenset(found)


def holding(places: Iterable[tuple[str, bytes]], wanted: frozenset[bytes]) -> dict[str, bytes]:
    """The places in which one of the byte strings is, with that string; capitals count as small letters."""
    lowered = {each.lower(): each for each in wanted}
    return {
        name: lowered[each]
        for name, data in places
        for small in [data.lower()]
        for each in lowered
        if each in small and (lowered[each] in data or each == lowered[each])
    }


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the folders; those that go away meanwhile are left out."""
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file() and not path.is_symlink():
                    yield str(path), path.read_bytes()
            except FileNotFoundError:
                continue
