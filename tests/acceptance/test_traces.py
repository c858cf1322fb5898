"""The search for traces finds a text whatever stands around it, so that finding nothing means something."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.acceptance.traces import holding, spellings

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "zqcanary7f3ae1b2c94dqz"


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
@pytest.mark.parametrize("encode", [bytes, base64.b64encode, bytes.hex])
def test_a_text_is_found_wherever_it_stands(
    encode: Callable[[bytes], bytes | str], before: bytes, after: bytes
) -> None:
    encoded = encode(before + MARK.encode() + after)
    data = encoded if isinstance(encoded, bytes) else encoded.encode()
    assert holding([("place", data)], spellings(MARK))
    assert not holding([("place", data.replace(b"a", b"b"))], spellings("another text altogether"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
@pytest.mark.parametrize("text", [MARK, MARK.upper()])
def test_a_text_is_found_in_wide_characters_and_in_capitals(encoding: str, text: str) -> None:
    assert holding([("place", text.encode(encoding))], spellings(MARK))
    assert holding([("place", text.encode())], spellings(MARK))
