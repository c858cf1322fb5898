"""Any JSON in its one spelling (RFC 8785): keys by UTF-16 code units, numbers as ECMAScript writes them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

_string = json.JSONEncoder(ensure_ascii=False).encode
_FIXED_AT_MOST = 21
_FIXED_AT_LEAST = -6


def jcs(value: Any) -> bytes:
    """The canonical bytes of parsed JSON. Raises `UnicodeEncodeError` on a lone surrogate."""
    return _written(value).encode()


def number(value: float) -> str:
    """A finite double as ECMAScript spells it (ECMA-262, Number::toString)."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    return "-" * sign + _placed("".join(map(str, digits)), len(digits) + int(exponent))


def _placed(digits: str, point: int) -> str:
    """The digits with the decimal point behind the first `point` of them."""
    if len(digits) <= point <= _FIXED_AT_MOST:
        return digits.ljust(point, "0")
    if 0 < point <= _FIXED_AT_MOST:
        return f"{digits[:point]}.{digits[point:]}"
    if _FIXED_AT_LEAST < point <= 0:
        return "0." + "0" * -point + digits
    return f"{digits[0]}{'.' * (len(digits) > 1)}{digits[1:]}e{point - 1:+d}"


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_string(key)}:{_written(value[key])}" for key in sorted(value, key=_units)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return number(value) if isinstance(value, float) else _string(value)


def _units(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")
