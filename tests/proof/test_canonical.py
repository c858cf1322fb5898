"""One spelling for every record, so that a hash names one record only."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from prysm import receipt
from prysm.proof.canonical import Json, canonical, parse

SAFE = 2**53 - 1
keys = st.text(alphabet=st.characters(max_codepoint=127), max_size=12)
texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-SAFE, SAFE), texts)
records = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4))
)


@given(records)
def test_it_is_rfc_8785_as_verified_and_as_sealed(record: Json) -> None:
    assert canonical(record) == receipt.canonical(record) == rfc8785.dumps(record)


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
        (b"NaN", "floating"),
        (b"-Infinity", "floating"),
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
    "data",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b"1" * 5_000,
        str(2**70).encode(),
        b'"\xff"',
        b'"\\ud800"',
        b"\xef\xbb\xbf1",
        b"",
        b"{",
    ],
)
def test_bytes_that_no_record_can_be_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(data)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        assert canonical(parse(data)) == data


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises((UnicodeEncodeError, TypeError)):
        canonical("\ud800")
