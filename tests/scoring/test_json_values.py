"""JSON in one spelling, and schemas that data is checked by."""

from __future__ import annotations

import json
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.core.run import Value
from prysm.scoring import answers, same, similarity
from prysm.scoring.json_values import fields, parsed, spelled
from prysm.scoring.schema import compiled, flaw

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values, st.sampled_from((None, 1, 4)), st.booleans())
def test_a_value_has_one_spelling_however_it_is_written(value: Any, indent: int | None, escaped: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    assert spelled(parsed(text)) == spelled(parsed(json.dumps(value)))
    assert spelled(parsed(spelled(parsed(text)))) == spelled(parsed(text))


def test_what_differs_is_spelled_otherwise() -> None:
    written = ["1", "true", '"1"', "1.5", "[1]", '{"a":1}', '{"a":"1"}', "null", "{}", "[]", '{"a":null}']
    assert len({spelled(parsed(text)) for text in written}) == len(written)


@pytest.mark.parametrize("text", ["", "{", "NaN", '"\\ud800"', "1 2", "```json\n{}\n```", "[" * 300 + "]" * 300])
def test_what_is_no_json_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        parsed(text)


def test_fields_are_named_by_where_they_stand() -> None:
    assert list(fields({"a": {"b": 1, "c": []}, "d": {}})) == ["/a/b=1", "/a/c=[]", "/d={}"]


def test_data_is_equal_or_not_and_never_like_words() -> None:
    oslo = Value("call", 'f({"a":1})', frozenset({"f/a=1", "f/b=2"}))
    other = Value("call", 'f({"a":2})', frozenset({"f/a=2", "f/b=2"}))
    one, same_again, differs, words, other_kind = answers(
        [oslo, oslo, other, oslo.spelled, Value("json", oslo.spelled)], "?"
    )
    assert same(one, same_again)
    assert 0 < similarity(one, differs) < similarity(one, same_again) == 1
    assert not same(one, differs)
    assert similarity(one, words) == similarity(words, one) == similarity(one, other_kind) == 0


def test_a_schema_is_compiled_once_for_its_content() -> None:
    assert compiled({"type": "object", "minProperties": 1}) is compiled({"minProperties": 1, "type": "object"})


def test_a_flaw_says_where_and_what() -> None:
    schema = {"properties": {"a": {"items": {"type": "integer"}}}, "required": ["b"]}
    found = flaw({"a": [1, "x"]}, schema) or ""
    assert "at /a/1:" in found
    assert '"b" is a required property' in found
    assert flaw({"a": [1], "b": 0}, schema) is None


def test_a_hostile_pattern_holds_nobody_up() -> None:
    began = time.perf_counter()
    assert flaw("a" * 5_000 + "b", {"pattern": r"^(?=a)(\w+\s?)+\1$"}) is not None
    assert time.perf_counter() - began < 1


def test_a_reference_to_elsewhere_is_not_fetched() -> None:
    with pytest.raises((jsonschema_rs.ReferencingError, jsonschema_rs.ValidationError, ValueError)):
        compiled({"$ref": "http://127.0.0.1:9/schema.json"})
