"""JSON read for comparison: one spelling for equal values, and the fields that different ones share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

EXACT = 2**53
"""Whole numbers below it are the same as integers and as floats (RFC 8259 §6)."""
NO_JSON = "It is no JSON, or nested too deeply."
DEEPEST = 200
"""Objects and lists within each other, at most: what is read can be written again, and takes little stack."""


def parsed(text: str) -> Any:
    """Read JSON (RFC 8259: no NaN, no lone surrogates); raises `ValueError`, also for what is nested too deeply."""
    try:
        return _plain(orjson.loads(text), DEEPEST)
    except ValueError:
        raise ValueError(NO_JSON) from None


def spelled(value: Any) -> str:
    """Write what `parsed` gave: keys in order, no blanks."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def fields(value: Any, path: str = "") -> Iterator[str]:
    """Name each field with its value, those of objects within objects too."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from fields(inner, f"{path}/{name}")
    else:
        yield f"{path}={spelled(value)}"


def _plain(value: Any, deepest: int) -> Any:
    """Write 1.0 as 1: they are one number."""
    if deepest < 0:
        raise ValueError
    if isinstance(value, dict):
        return {name: _plain(inner, deepest - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, deepest - 1) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value
