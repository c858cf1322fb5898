"""What a refusal tells a caller to do can be done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.registry.test_wire_limits import EVERY, LIMITS

from prysm.core.chat import Message
from prysm.core.content import AudioPart, FilePart, ImagePart
from prysm.core.plan import ChatRequest
from prysm.planner.needs import Need
from prysm.planner.wording import SOUGHT, lacking, unsayable
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from prysm.core.content import Part


@pytest.mark.parametrize(
    ("part", "what", "fix"),
    [
        (ImagePart(url="https://acme.test/a.png"), "an image by URL", "Send it as data"),
        (FilePart(url="https://acme.test/a.pdf"), "a file by URL", "Send it as data"),
        (FilePart(file_id="file-1"), "a file by its id", "Send it as data"),
        (AudioPart("aGk=", "wav"), "sound", "Leave it out"),
        (ImagePart(data="aGk=", media_type="image/tiff"), "an image of the type image/tiff", "Send another type"),
        (FilePart(data="aGk=", media_type="text/csv"), "a file of the type text/csv", "Send another type"),
    ],
)
def test_a_part_is_called_what_it_is(part: Part, what: str, fix: str) -> None:
    why = unsayable("messages[0].content[0].type", ChatRequest((Message("user", (part,)),)))
    assert why.reason == f"'messages[0].content[0]' is {what}, which its provider cannot take"
    assert (why.fix, why.param) == (fix, "messages[0].content[0]")


@pytest.mark.parametrize(("request_", "fields"), LIMITS)
def test_nobody_is_told_to_leave_out_what_is_a_part_of_something(
    request_: ChatRequest, fields: dict[str, str]
) -> None:
    for kind in EVERY:
        if kind in fields and request_.embed is None:
            why = unsayable(inexpressible(kind, request_) or "", request_)
            assert why.param in why.reason
            assert re.search(r"Leave out '.*(type|arguments|thinking_blocks|call_id|tools.*name)'", why.fix) is None


@pytest.mark.parametrize("capability", SOUGHT)
def test_what_a_model_lacks_is_named_in_words(capability: str) -> None:
    why = lacking(Need(capability, "field"))
    assert f"'field' asks for {SOUGHT[capability]}" in why.reason
    assert why.fix == "Leave out 'field'"
