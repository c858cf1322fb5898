"""A reply is a mapping that also reads as attributes."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.client.reply import Reply, parse_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON))
def test_a_reply_is_the_dict_that_was_sent(value: dict[str, object]) -> None:
    reply = parse_object(json.dumps(value))
    assert reply == value
    assert json.loads(json.dumps(reply)) == value
    assert pickle.loads(pickle.dumps(reply)) == copy.deepcopy(reply) == value  # noqa: S301 -- made in the line itself


def test_nested_objects_read_as_attributes_and_by_index() -> None:
    reply = parse_object('{"choices": [{"message": {"content": "4"}}], "prysm": {"orchestration": {"k": 2}}}')
    assert reply["choices"][0]["message"]["content"] == reply.choices[0].message.content == "4"
    assert reply.prysm.orchestration == {"k": 2}


def test_a_missing_attribute_names_what_is_there() -> None:
    with pytest.raises(AttributeError, match="no 'usage' here; there is: id"):
        _ = Reply(id=1).usage
    assert not hasattr(Reply(), "anything")


def test_setting_an_attribute_is_refused_because_the_mapping_would_not_hold_it() -> None:
    with pytest.raises(AttributeError):
        setattr(Reply(), "model", "x")  # noqa: B010 -- mypy refuses the plain form, as it should


@pytest.mark.parametrize("text", ["[]", "1", "null", "", "{", b"\xff", '{"a":' * 100_000])
def test_what_is_not_an_object_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_object(text)
