"""Level 1: well signed, and no record that two readers would read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rfc8785
from tests.proof.defects import bad, payload_text, signed_as_is
from tests.proof.made import sealed
from tests.proof.runs import single

if TYPE_CHECKING:
    from tests.proof.made import Case


def _of_version(change: Any) -> Case:
    record, bodies = single()
    change(record)
    return sealed(record, bodies)


@bad(1, "record", "unknown record version")
def future_version() -> Case:
    """A version that this verifier cannot know."""
    return _of_version(lambda record: record.update(v="prysmproof/3"))


@bad(1, "record", "unknown record version")
def version_missing() -> Case:
    """A record without a version."""
    return _of_version(lambda record: record.pop("v"))


@bad(1, "record", "no floating point number")
def float_in_the_payload() -> Case:
    """Well signed, but the latency is a floating point number, whose spelling differs between languages."""
    return signed_as_is(payload_text().replace('"latency_ms":1243', '"latency_ms":1243.5'))


@bad(1, "record", "no floating point number")
def exponent_in_the_payload() -> Case:
    """Well signed, but the latency is written 1243e0."""
    return signed_as_is(payload_text().replace('"latency_ms":1243', '"latency_ms":1243e0'))


@bad(1, "record", "not JSON")
def nan_in_the_payload() -> Case:
    """Well signed, but the latency is NaN, which is not JSON."""
    return signed_as_is(payload_text().replace('"latency_ms":1243', '"latency_ms":NaN'))


@bad(1, "record", "stands twice in one object")
def duplicate_key_in_the_payload() -> Case:
    """Well signed, but the outcome is given twice, and readers differ in which they take."""
    return signed_as_is(payload_text().replace('"outcome":"ok"', '"outcome":"ok","outcome":"failed"'))


@bad(1, "record", "not canonical JSON")
def space_in_the_payload() -> Case:
    """Well signed, but not canonical: a space after a colon."""
    return signed_as_is(payload_text().replace('"outcome":"ok"', '"outcome": "ok"'))


@bad(1, "record", "not canonical JSON")
def keys_of_the_payload_not_sorted() -> Case:
    """Well signed, but not canonical: the version comes first."""
    record = single()[0]
    return signed_as_is('{"v":"prysmproof/2",' + rfc8785.dumps(_without(record, "v")).decode()[1:])


def _without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


@bad(1, "record", "not canonical JSON")
def keys_of_the_payload_sorted_by_code_point() -> Case:
    """Well signed, but U+FF41 comes before U+10000, which is first by UTF-16 code units."""
    text = payload_text()
    return signed_as_is(text.replace('"features":{', '"features":{"ａ":"1.0000","𐀀":"1.0000",', 1))


@bad(1, "record", "not canonical JSON")
def escape_in_the_payload() -> Case:
    """Well signed, but not canonical: a letter is written as an escape."""
    return signed_as_is(payload_text().replace('"outcome":"ok"', '"outcome":"\\u006fk"'))


@bad(1, "record", "half a character")
def lone_surrogate_in_the_payload() -> Case:
    """Well signed, but a string holds half a character."""
    return signed_as_is(payload_text().replace('"mode":"balanced"', '"mode":"\\ud800"'))


@bad(1, "record", "not canonical JSON")
def minus_zero_in_the_payload() -> Case:
    """Well signed, but the latency is -0, which canonical JSON writes 0."""
    return signed_as_is(payload_text().replace('"latency_ms":1243', '"latency_ms":-0'))


@bad(1, "record", "not canonical JSON")
def newline_after_the_payload() -> Case:
    """Well signed, but a line break follows the record."""
    return signed_as_is(payload_text() + "\n")


@bad(1, "record", "not JSON")
def byte_order_mark_before_the_payload() -> Case:
    """Well signed, but a byte order mark comes first, which lenient decoders drop."""
    return signed_as_is("\ufeff" + payload_text())


@bad(1, "record", "beyond 53 bits")
def integer_beyond_53_bits() -> Case:
    """Well signed, but a number that a double cannot hold."""
    return signed_as_is(payload_text().replace('"latency_ms":1243', '"latency_ms":9007199254740993'))


@bad(1, "record", "nested")
def deep_nesting() -> Case:
    """Well signed, but twenty thousand lists in each other."""
    return signed_as_is(payload_text().replace('"degraded":[]', '"degraded":' + "[" * 20_000 + "]" * 20_000))


@bad(1, "record", "unknown record version")
def payload_is_a_list() -> Case:
    """Well signed, but not an object."""
    return signed_as_is("[" + payload_text() + "]")


@bad(1, "record", "UTF-8")
def payload_not_utf8() -> Case:
    """Well signed, but the bytes are Latin-1."""
    record, bodies = single()
    payload = payload_text().replace('"Small"', '"Sm\u00e4ll"').encode("latin-1")
    return sealed(record, bodies, payload=payload)
