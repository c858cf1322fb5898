"""Canonical JSON (RFC 8785) for records, which hold only strings, integers, booleans, nulls, lists and objects."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeAlias

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"

MAX_INTEGER = 2**53 - 1

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Json) -> bytes:
    """RFC 8785 bytes of a value without floats whose keys are ASCII.

    For such values sorted standard-library JSON is the same bytes; a property test holds it to a reference
    implementation. Raises `UnicodeEncodeError` on a lone surrogate.
    """
    return _encode(value).encode()


def parse(data: bytes) -> Any:
    """Parse canonical bytes back; raises `ValueError` for floats, duplicate keys, or bytes that are not canonical.

    Requiring `canonical(parse(data)) == data` leaves one spelling of every record, so a hash names one record only.
    """
    try:
        value = json.loads(data.decode(), parse_float=_no_float, parse_constant=_no_float, parse_int=_exact)
        spelled = canonical(value)
    except RecursionError:
        raise ValueError("not JSON of the kind that records hold") from None
    if spelled != data:
        raise ValueError("the bytes are not canonical JSON (RFC 8785)")
    return value


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"a record holds no floating point number, found {text[:20]}")


def _exact(text: str) -> int:
    """RFC 8785 has only the integers that a double holds exactly."""
    value = int(text) if len(text) <= len(str(-MAX_INTEGER)) else MAX_INTEGER + 1
    if abs(value) > MAX_INTEGER:
        raise ValueError(f"a record holds no integer beyond 53 bits, found {text[:20]}")
    return value
