"""Chunks that differ in their text alone are read as if they were decoded whole."""

from __future__ import annotations

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from prysm.core.chat import TextDelta
from prysm.providers.frame import Frame
from prysm.providers.openai_stream import OpenAIDraft

texts = st.text(st.characters(exclude_categories=["Cs"]))


def chunk(text: str, **more: object) -> dict[str, object]:
    return {"id": "x", "model": 'a "content": b', "choices": [{"index": 0, "delta": {"content": text}}], **more}


@given(texts.filter(bool), texts, st.booleans())
def test_a_chunk_in_the_frame_of_another_has_the_text_that_it_has_decoded(
    first: str, text: str, ascii_: bool
) -> None:
    one, other = (json.dumps(chunk(each), ensure_ascii=ascii_).encode() for each in (first, text))
    frame = Frame.around(one, b"content", first)
    assert frame is not None
    assert frame.text(other) == text


@given(st.binary(max_size=8))
def test_what_stands_in_a_frame_and_is_no_string_is_not_taken_for_text(middle: bytes) -> None:
    one = orjson.dumps(chunk("Well"))
    frame = Frame.around(one, b"content", "Well")
    assert frame is not None
    try:
        whole = orjson.loads(frame.head + middle + frame.tail)["choices"][0]["delta"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        assert frame.text(frame.head + middle + frame.tail) is None
    else:
        text = whole["content"] if len(whole) == 1 and isinstance(whole["content"], str) else None
        assert frame.text(frame.head + middle + frame.tail) == text


near_strings = st.text('"\\,\n[]a ', max_size=6) | texts.map(json.dumps)


@given(st.lists(near_strings, max_size=5))
def test_chunks_decoded_at_once_say_what_each_says_by_itself_or_are_left_to_be_read_one_by_one(
    middles: list[str],
) -> None:
    frame = Frame.around(orjson.dumps(chunk("Well")), b"content", "Well")
    assert frame is not None
    chunks = [frame.head + middle.encode() + frame.tail for middle in middles]
    said = [frame.text(each) for each in chunks]
    known = [text for text in said if text is not None]
    assert frame.texts(chunks) == ((len(said), "".join(known)) if known == said else (0, ""))
    assert frame.texts([*chunks, b"{}", *chunks]) == frame.texts(chunks)


def test_there_is_no_frame_where_it_is_not_sure_which_string_is_the_text() -> None:
    assert Frame.around(orjson.dumps(chunk("Well", content="Ill")), b"content", "Well") is None
    assert Frame.around(orjson.dumps({"content": "Ill", "text": "Well"}), b"content", "Well") is None
    assert Frame.around(b'{"text": "Well"}', b"content", "Well") is None


def test_a_frame_holds_until_a_chunk_brings_more_than_text() -> None:
    draft = OpenAIDraft()
    told = [chunk("One"), chunk(" two"), chunk(" three", usage={"completion_tokens": 3}), chunk(" four")]
    added = []
    for event in draft.unlike(list(map(orjson.dumps, told))):
        added.append(orjson.loads(event))
        draft.add(added[-1])
    assert added == [told[0], told[2]]
    assert draft.take() == [TextDelta("One two three four")]
