"""What providers tell of an answer's tokens, and how they are asked for it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.formats import ANTHROPIC, CALL, FORMATS, GEMINI, KEY, MODEL, OPENAI, asking, collect, event

from prysm.core.chat import ModelCall, TokenLogprob, TopLogprob
from prysm.providers.build import OVER_HTTP
from prysm.providers.failures import Unusable
from prysm.providers.logprobs import of_gemini, of_openai, whole

URL = "https://acme.test/v1"
SAID = (
    TokenLogprob("Gr", -0.5, (71, 114), (TopLogprob("Gr", -0.5, (71, 114)), TopLogprob("Ha", -1.5, (72, 97)))),
    TokenLogprob("üß", -0.25, (195, 188, 195, 159)),
)
TOLD: list[dict[str, Any]] = [
    {
        "token": "Gr",
        "logprob": -0.5,
        "bytes": [71, 114],
        "top_logprobs": [
            {"token": "Gr", "logprob": -0.5, "bytes": [71, 114]},
            {"token": "Ha", "logprob": -1.5, "bytes": [72, 97]},
        ],
    },
    {"token": "üß", "logprob": -0.25, "bytes": [195, 188, 195, 159], "top_logprobs": []},
]
ABLE = replace(MODEL, capabilities=frozenset({"logprobs"}))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["content", "token", "logprob", "bytes", "top_logprobs", "candidates", "chosenCandidates"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def wire(call: ModelCall, kind: Any = "openai") -> dict[str, Any]:
    return OVER_HTTP[kind].to_wire(call, stream=False)


def openai(router: respx.Router) -> Any:
    return OPENAI.provider(URL, httpx.MockTransport(router.async_handler))


async def test_an_answer_carries_the_log_probabilities_that_came_with_it() -> None:
    choice = {**OPENAI.answer["choices"][0], "logprobs": {"content": TOLD, "refusal": None}}
    router = respx.Router()
    router.post().respond(json={**OPENAI.answer, "choices": [choice]})
    assert (await openai(router).complete(CALL)).logprobs == SAID


async def test_a_streamed_answer_gathers_them_from_its_chunks() -> None:
    def chunk(text: str, told: Any, reason: str | None = None) -> bytes:
        logprobs = None if told is None else {"content": told, "refusal": None}
        choice = {"index": 0, "delta": {"content": text}, "logprobs": logprobs, "finish_reason": reason}
        return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})

    stream = chunk("", None) + chunk("Gr", TOLD[:1]) + chunk("üß", TOLD[1:]) + chunk("", None, "stop")
    router = respx.Router()
    router.post().respond(content=stream + b"data: [DONE]\n\n", content_type="text/event-stream")
    _, completion = await collect(openai(router))
    assert completion.logprobs == SAID


def test_gemini_tells_the_chosen_tokens_and_the_likeliest_beside_them() -> None:
    tops = {"candidates": [{"token": "Gr", "logProbability": -0.5}, {"token": "Ha", "logProbability": -1.5}]}
    chosen = [{"token": "Gr", "tokenId": 7, "logProbability": -0.5}, {"token": "üß", "logProbability": -0.25}]
    candidate = {
        **GEMINI.answer["candidates"][0],
        "logprobsResult": {"topCandidates": [tops], "chosenCandidates": chosen},
    }
    told = OVER_HTTP["gemini"].from_wire({**GEMINI.answer, "candidates": [candidate]}).logprobs
    assert told == (
        TokenLogprob("Gr", -0.5, None, (TopLogprob("Gr", -0.5), TopLogprob("Ha", -1.5))),
        TokenLogprob("üß", -0.25),
    )
    draft = OVER_HTTP["gemini"].draft()
    draft.add({**GEMINI.answer, "candidates": [candidate]})
    assert draft.completion().logprobs == told


@pytest.mark.parametrize("form", FORMATS, ids=str)
async def test_an_answer_without_them_says_so(form: Any) -> None:
    assert OVER_HTTP[form.kind].from_wire(form.answer).logprobs is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": None, "logprob": -1},
        {"token": "a"},
        {"token": "a", "logprob": "-1"},
        {"token": "a", "logprob": True},
        None,
        7,
    ],
)
def test_one_token_that_cannot_be_read_leaves_the_answer_and_none_of_them(wrong: Any) -> None:
    choice = {**OPENAI.answer["choices"][0], "logprobs": {"content": [*TOLD, wrong]}}
    completion = OVER_HTTP["openai"].from_wire({**OPENAI.answer, "choices": [choice]})
    assert (completion.text, completion.logprobs) == ("Grüß Gott", None)


def test_bytes_that_are_none_are_unknown() -> None:
    read = whole(of_openai({"logprobs": {"content": [{"token": "a", "logprob": -1, "bytes": [1, 300]}]}}))
    assert read == (TokenLogprob("a", -1.0),)


@given(json_values)
def test_no_json_is_too_strange_to_be_read_as_nothing(told: Any) -> None:
    for read in (of_openai({"logprobs": told}), of_gemini({"logprobsResult": told})):
        found = whole(read)
        assert found is None or all(math.isfinite(token.logprob) for token in found)


def test_a_model_that_can_tell_them_is_asked_and_another_is_not() -> None:
    assert wire(replace(CALL, model=ABLE))["logprobs"] is True
    assert wire(replace(CALL, model=ABLE), "gemini")["generationConfig"]["responseLogprobs"] is True
    assert "logprobs" not in wire(CALL)
    assert "responseLogprobs" not in wire(CALL, "gemini")["generationConfig"]


def test_who_asks_for_them_gets_as_many_alternatives_as_he_asked_for() -> None:
    call = asking(logprobs=True, top_logprobs=2)
    assert (wire(call)["logprobs"], wire(call)["top_logprobs"]) == (True, 2)
    config = wire(call, "gemini")["generationConfig"]
    assert (config["responseLogprobs"], config["logprobs"]) == (True, 2)
    assert "top_logprobs" not in wire(asking(top_logprobs=2))


def test_a_format_that_has_none_refuses_who_asks_for_them() -> None:
    with pytest.raises(Unusable, match="logprobs"):
        wire(asking(logprobs=True), ANTHROPIC.kind)


def test_the_tokens_of_an_answer_are_not_in_its_repr() -> None:
    choice = {**OPENAI.answer["choices"][0], "logprobs": {"content": TOLD}}
    completion = OVER_HTTP["openai"].from_wire({**OPENAI.answer, "choices": [choice]})
    assert "Ha" not in repr(completion)
    assert KEY not in repr(completion)
