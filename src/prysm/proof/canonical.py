"""Canonical JSON (RFC 8785) for records, which hold only strings, integers, booleans, nulls, lists and objects."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from prysm.proof.defect import Defect
from prysm.proof.jcs import jcs

if TYPE_CHECKING:
    from collections.abc import Iterable

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 100
"""How deep lists and objects may be nested; records have 5."""

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_beyond_the_plane = re.compile(b"[\xf0-\xf4]").search


def canonical(value: Json) -> bytes:
    """RFC 8785 bytes of a value without floats. Raises `UnicodeEncodeError` on a lone surrogate.

    Sorted standard-library JSON is the same bytes, and quick, unless a character beyond the basic plane is in it: a key
    with one sorts otherwise by UTF-16 code units than by code points.
    """
    data = _encode(value).encode()
    return jcs(value) if _beyond_the_plane(data) else data


def parse(data: bytes) -> Any:
    """Parse canonical bytes back; raises `Defect` for floats, duplicate keys, or bytes that are not canonical.

    Requiring `canonical(parse(data)) == data` leaves one spelling of every record, so a hash names one record only.
    """
    try:
        value = json.loads(data.decode(), parse_float=_no_float, parse_constant=_no_number, parse_int=exact)
        spelled = canonical(value)
    except Defect:
        raise
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError:
        raise Defect("the bytes are not UTF-8") from None
    except UnicodeEncodeError:
        raise Defect("a string holds half a character") from None
    except ValueError:
        raise Defect("the bytes are not JSON") from None
    if spelled != data:
        raise Defect("the bytes are not canonical JSON (RFC 8785)")
    bound(value)
    return value


def bound(value: Any) -> None:
    """Raise `Defect` for JSON that is nested deeper than `MAX_DEPTH`."""
    layer = [value]
    for _ in range(MAX_DEPTH + 1):
        layer = [inner for outer in layer for inner in _inside(outer)]
        if not layer:
            return
    raise too_deep()


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def too_deep() -> Defect:
    """Why deeply nested JSON is refused."""
    return Defect(f"the JSON is nested too deep: more than {MAX_DEPTH} levels")


def _no_number(name: str) -> NoReturn:
    raise Defect(f"{name} is not JSON")


def exact(text: str) -> int:
    """An integer that every reader's double holds exactly: RFC 8785 has no other."""
    value = int(text) if len(text) <= len(str(-MAX_INTEGER)) else MAX_INTEGER + 1
    if abs(value) > MAX_INTEGER:
        raise Defect(f"an integer is beyond 53 bits: {text[:20]}")
    return value


def _no_float(text: str) -> NoReturn:
    raise Defect(f"a record holds no floating point number, found {text[:20]}")
