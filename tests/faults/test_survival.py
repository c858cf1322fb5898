"""What one fault does to the calls after it, and to the process."""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.api.wire import chunks, error
from tests.faults.cases import FORMS, TEXT
from tests.faults.test_matrix import PROMPT

if TYPE_CHECKING:
    from tests.faults.conftest import Rig

MEGABYTES = 1024 if sys.platform == "linux" else 1024 * 1024
"""`ru_maxrss` counts kilobytes on Linux, bytes on macOS."""


@pytest.mark.parametrize("form", FORMS)
def test_a_model_that_keeps_failing_is_left_alone_and_says_for_how_long(rig: Rig, form: str) -> None:
    name = f"502/{form}/json"
    while rig.gateway.http.get(f"/v1/models/{name}").json()["breaker"] == "closed":
        rig.gateway.chat(name)
    asked = len(rig.faults.seen)
    refused = rig.gateway.chat(name)
    assert error(refused) == (503, "no_provider_available")
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert len(rig.faults.seen) == asked
    assert rig.gateway.http.get(f"/v1/models/{name}").json()["live"] is False


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    "fault", ["429-retry-after-absurd", "503-retry-after", "404", "html", "hang-up", "refused"]
)
def test_the_next_model_of_a_chain_stands_in(rig: Rig, fault: str, *, stream: bool) -> None:
    way = "stream" if stream else "json"
    chain = [f"404/gemini/{way}", f"none/anthropic/{way}"]
    answer = rig.gateway.chat(f"{fault}/openai/{way}", fallback=chain, stream=stream)
    assert answer.status_code == 200, answer.text
    told = chunks(answer)[-1]["prysm"] if stream else answer.json()["prysm"]
    assert [tried["model"] for tried in told["routing"]["fallbacks"]] == [f"{fault}/openai/{way}", chain[0]]
    assert TEXT.split(": ")[1] in "".join(answer.text.split())
    assert rig.gateway.outcome(told["request_id"]) == "degraded"


@pytest.mark.parametrize("form", FORMS)
def test_nothing_stands_in_once_a_caller_has_read_a_word(rig: Rig, form: str) -> None:
    answer = rig.gateway.chat(f"sse-cut/{form}/stream", fallback=["none/openai/stream"], stream=True)
    assert chunks(answer)[-1]["error"]["code"] in {"provider_error", "all_models_failed"}
    assert "[DONE]" not in answer.text
    assert answer.text.count("Paris") == 1


@pytest.mark.parametrize("way", ["json", "stream"])
def test_an_answer_that_nobody_asked_for_answers_nobody(rig: Rig, way: str) -> None:
    for _ in range(3):
        answered = rig.gateway.chat(f"twice/openai/{way}", stream=way == "stream")
        assert answered.status_code == 200
        time.sleep(0.03)  # the second answer arrives while the connection waits for its next request
        after = rig.gateway.chat(f"none/openai/{way}", stream=way == "stream")
        assert after.status_code == 200
        told = chunks(after)[-1]["prysm"] if way == "stream" else after.json()["prysm"]
        assert told["calls"][0]["attempts"] == 1


@pytest.mark.parametrize("fault", ["gzip-bomb", "deflate-bomb", "zstd-bomb", "endless-body", "endless-hints"])
@pytest.mark.parametrize("way", ["json", "stream"])
def test_no_size_of_an_answer_is_held_in_memory(rig: Rig, fault: str, way: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for form in FORMS:
        assert rig.gateway.chat(f"{fault}/{form}/{way}", PROMPT, stream=way == "stream").status_code == 502
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * MEGABYTES


def test_a_provider_that_is_given_up_is_hung_up_on(rig: Rig) -> None:
    rig.gateway.chat("stall/openai/stream", stream=True)
    deadline = time.monotonic() + 2
    while any(asked.model == "fault-stall" for asked in rig.faults.playing):
        assert time.monotonic() < deadline
        time.sleep(0.01)
