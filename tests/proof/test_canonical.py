"""One spelling for every record, so that a hash names one record only."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from prysm.proof.canonical import Json, canonical, parse
from prysm.proof.defect import Defect
from prysm.proof.jcs import jcs, number
from prysm.receipt import spelling

SAFE = 2**53 - 1
keys = st.text(alphabet=st.characters(max_codepoint=127), max_size=12)
texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-SAFE, SAFE), texts)
records = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4))
)

JSON = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@given(records)
def test_it_is_rfc_8785_as_verified_and_as_sealed(record: Json) -> None:
    assert canonical(record) == spelling.canonical(record) == rfc8785.dumps(record)


@given(records)
def test_what_was_written_is_read_back(record: Json) -> None:
    assert parse(canonical(record)) == record


@given(records)
def test_any_other_spelling_is_refused(record: Json) -> None:
    spaced = json.dumps(record, indent=1, ensure_ascii=True).encode()
    if spaced != canonical(record):
        with pytest.raises(ValueError, match="canonical"):
            parse(spaced)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"1.5", "floating"),
        (b"1e3", "floating"),
        (b"NaN", "is not JSON"),
        (b"-Infinity", "is not JSON"),
        (b'{"a":1,"a":2}', "not canonical"),
        (b'{"b":1,"a":2}', "not canonical"),
        (b'{"a": 1}', "not canonical"),
        (b'"\\u0041"', "not canonical"),
        (b'"\\/"', "not canonical"),
        (b"-0", "not canonical"),
        (b" 1", "not canonical"),
    ],
)
def test_bytes_that_could_be_read_two_ways_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b"[" * 102 + b"]" * 102, "nested too deep"),
        (b"1" * 5_000, "beyond 53 bits"),
        (str(2**70).encode(), "beyond 53 bits"),
        (b'"\xff"', "the bytes are not UTF-8"),
        (b'"\\ud800"', "half a character"),
        (b"\xef\xbb\xbf1", "not JSON"),
        (b"", "not JSON"),
        (b"{", "not JSON"),
    ],
)
def test_bytes_that_no_record_can_be_are_refused_for_what_they_are(data: bytes, why: str) -> None:
    with pytest.raises(Defect, match=why):
        parse(data)


@given(JSON)
def test_any_json_is_spelled_as_the_reference_spells_it(value: Any) -> None:
    assert jcs(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_spelled_as_ecmascript_does(value: float) -> None:
    assert number(value) == rfc8785.dumps(value).decode()


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1e-7, "1e-7"),
        (1e-6, "0.000001"),
        (1.5e-9, "1.5e-9"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e300, "1.25e+300"),
        (5e-324, "5e-324"),
        (0.1, "0.1"),
        (-123.456, "-123.456"),
    ],
)
def test_numbers_are_spelled_as_rfc_8785_shows(value: float, spelled: str) -> None:
    assert number(value) == spelled


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    """U+10000 is D800 DC00 in UTF-16, before U+FF41; by code points it comes after."""
    record: Json = {"\uff41": 1, "\U00010000": 2}
    assert canonical(record) == '{"\U00010000":2,"\uff41":1}'.encode()
    assert parse(canonical(record)) == record
    with pytest.raises(Defect, match="not canonical"):
        parse('{"\uff41":1,"\U00010000":2}'.encode())


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        assert canonical(parse(data)) == data


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises((UnicodeEncodeError, TypeError)):
        canonical("\ud800")
