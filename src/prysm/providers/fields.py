"""Reading a provider's JSON without trusting it: every field has the type we need, or is refused or unknown."""

from __future__ import annotations

from typing import Any

from prysm.providers.failures import Unusable

COUNT_LIMIT = 2**31
LABEL_LIMIT = 256


def mapping(value: object, name: str) -> dict[str, Any]:
    """Return `value` if it is an object; raise `Unusable` otherwise."""
    if isinstance(value, dict):
        return value
    raise Unusable("malformed", f"sent an answer whose `{name}` is missing or not an object")


def sequence(value: object, name: str) -> list[Any]:
    """Return `value` if it is an array; raise `Unusable` otherwise."""
    if isinstance(value, list):
        return value
    raise Unusable("malformed", f"sent an answer whose `{name}` is missing or not an array")


def string(value: object, name: str) -> str:
    """Return `value` if it is text; raise `Unusable` otherwise."""
    if isinstance(value, str):
        return value
    raise Unusable("malformed", f"sent an answer whose `{name}` is missing or not text")


def optional(value: object) -> dict[str, Any]:
    """Return `value` if it is an object, or an empty one: for blocks that a provider may leave out."""
    return value if isinstance(value, dict) else {}


def count(value: object) -> int | None:
    """Read a number of tokens, 0 to 2³¹; anything else is unknown."""
    return value if type(value) is int and 0 <= value < COUNT_LIMIT else None


def label(value: object) -> str | None:
    """Read a name or an id that receipts carry: printable and of sane length, or unknown."""
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LABEL_LIMIT else None
