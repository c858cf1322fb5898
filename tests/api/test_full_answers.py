"""What an OpenAI-format model answers reaches the caller whole: calls, formats, thoughts, counts, versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.api.wire import chunks, error, stream_start
from tests.providers.upstream import Act, answer, sse

if TYPE_CHECKING:
    from httpx import Response
    from tests.providers.upstream import Upstream
    from tests.serving import Served

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
SECOND = {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


def said(finish: str = "stop", usage: dict[str, Any] | None = None, **message: Any) -> bytes:
    """Write a whole answer of an upstream."""
    logprobs = message.pop("logprobs", None)
    choice = {"index": 0, "message": {"role": "assistant", "content": None} | message, "finish_reason": finish}
    body = {"id": "x", "model": "served", "choices": [choice | {"logprobs": logprobs}], "usage": usage or USAGE}
    return answer(json.dumps(body).encode())


def streamed(*deltas: dict[str, Any], finish: str = "stop", usage: dict[str, Any] | None = None) -> bytes:
    """Write a streamed answer of an upstream; a delta may hold the `logprobs` that go beside it."""
    told = [delta.pop("logprobs", None) for delta in deltas]
    choices = [{"index": 0, "delta": d, "logprobs": p} for d, p in zip(deltas, told, strict=True)]
    events = [*choices, {"index": 0, "delta": {}, "finish_reason": finish}]
    listed: list[dict[str, Any]] = [{"choices": [event]} for event in events]
    listed.append({"choices": [], "usage": usage or USAGE})
    written = [b"data: " + json.dumps({"id": "x", "model": "served"} | each).encode() + b"\n\n" for each in listed]
    return sse(*written, b"data: [DONE]\n\n")


def whole(response: Response) -> ChatCompletion:
    """Read an answer as strictly as OpenAI's own client can."""
    assert response.status_code == 200, response.text
    return ChatCompletion.model_validate_json(response.content, strict=True)


def deltas(response: Response, choice: int = 0) -> list[dict[str, Any]]:
    """What a stream brought for one version of the answer, each chunk read as strictly as OpenAI's client can."""
    assert response.status_code == 200, response.text
    assert response.text.endswith("data: [DONE]\n\n"), response.text
    for chunk in chunks(response):
        ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)
    listed = [each for chunk in chunks(response) for each in chunk["choices"] if each["index"] == choice]
    return [each["delta"] for each in listed]


def finish(response: Response) -> str:
    """Why a streamed answer ended."""
    return str(next(x["choices"][0]["finish_reason"] for x in chunks(response) if "prysm" in x))


def test_parallel_tool_calls_come_back_as_they_were_made(scripted: Served, left: Upstream) -> None:
    left.plays(said("tool_calls", tool_calls=[CALL, SECOND]))
    done = whole(scripted.chat("left", tools=[WEATHER], tool_choice="required", parallel_tool_calls=True))
    message = done.choices[0].message
    assert (done.choices[0].finish_reason, message.content) == ("tool_calls", None)
    assert [call.model_dump(exclude_unset=True) for call in message.tool_calls or ()] == [CALL, SECOND]
    sent = left.seen[0].json
    assert (sent["tools"], sent["tool_choice"], sent["parallel_tool_calls"]) == ([WEATHER], "required", True)


def test_a_streamed_call_opens_with_its_name_and_goes_on_with_arguments(scripted: Served, left: Upstream) -> None:
    opened = CALL | {"index": 0, "function": {"name": "weather", "arguments": ""}}
    parts = [{"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in ('{"city"', ': "Paris"}')]
    left.plays(
        streamed({"role": "assistant", "content": None, "tool_calls": [opened]}, *parts, finish="tool_calls")
    )
    response = scripted.chat("left", tools=[WEATHER], stream=True)
    first, *rest = deltas(response)
    assert (first, finish(response)) == ({"role": "assistant", "content": None}, "tool_calls")
    calls = [call for delta in rest for call in delta.get("tool_calls", ())]
    assert (calls[0]["id"], calls[0]["type"], calls[0]["function"]["name"]) == ("c1", "function", "weather")
    assert all("id" not in call for call in calls[1:])
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": "Paris"}'


def test_the_older_spelling_is_answered_in_the_older_spelling(scripted: Served, left: Upstream) -> None:
    left.plays(said("tool_calls", tool_calls=[CALL]))
    asked: dict[str, Any] = {"functions": [WEATHER["function"]], "function_call": {"name": "weather"}}
    done = whole(scripted.chat("left", **asked))
    message = done.choices[0].message
    assert (done.choices[0].finish_reason, message.tool_calls) == ("function_call", None)
    assert message.function_call is not None
    assert message.function_call.model_dump() == CALL["function"]
    assert left.seen[0].json["tools"] == [WEATHER]
    left.plays(streamed({"tool_calls": [CALL | {"index": 0}]}, finish="tool_calls"))
    response = scripted.chat("left", stream=True, **asked)
    assert {"function_call": CALL["function"]} in deltas(response)
    assert finish(response) == "function_call"


def test_the_answer_of_a_tool_goes_on_to_the_model(scripted: Served, left: Upstream) -> None:
    left.plays(said(content="21 °C"))
    turns: list[dict[str, Any]] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "How warm is it?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "21 °C", "tool_call_id": "c1"},
    ]
    whole(scripted.chat("left", messages=turns, tools=[WEATHER]))
    assert left.seen[0].json["messages"] == [turns[0] | {"role": "system"}, *turns[1:]]


def test_images_go_on_as_they_came(scripted: Served, left: Upstream) -> None:
    left.plays(said(content="A cat."))
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    whole(scripted.chat("left", messages=[{"role": "user", "content": parts}]))
    assert left.seen[0].json["messages"] == [{"role": "user", "content": parts}]


@pytest.mark.parametrize(
    ("part", "capability"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "files"),
    ],
)
@pytest.mark.parametrize("model", ["auto", "left"])
def test_what_no_live_model_has_is_refused_before_any_call(
    scripted: Served, left: Upstream, model: str, part: dict[str, Any], capability: str
) -> None:
    response = scripted.chat(model, messages=[{"role": "user", "content": [part]}])
    assert error(response) == (400, "unsupported_parameter")
    assert response.json()["error"]["param"] == "messages[0].content[0]"
    assert f"'{capability}'" in response.json()["error"]["message"]
    assert not left.seen


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_object"},
        {
            "type": "json_schema",
            "json_schema": {"name": "city", "schema": {"type": "object"}, "strict": True, "description": "A city."},
        },
    ],
)
def test_the_format_of_the_answer_goes_on_to_the_model(
    scripted: Served, left: Upstream, form: dict[str, Any]
) -> None:
    left.plays(said(content='{"city": "Paris"}'))
    assert whole(scripted.chat("left", response_format=form)).choices[0].message.content == '{"city": "Paris"}'
    assert left.seen[0].json["response_format"] == form


def test_fields_of_openais_format_alone_go_on_untouched(scripted: Served, left: Upstream) -> None:
    left.plays(said(content="Paris"))
    own: dict[str, Any] = {
        "logit_bias": {"50256": -100},
        "service_tier": "flex",
        "store": True,
        "prediction": {"type": "content", "content": "Paris"},
        "web_search_options": {},
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "verbosity": "low",
    }
    whole(scripted.chat("left", user="u", reasoning_effort="low", **own))
    sent = left.seen[0].json
    assert {name: sent.get(name) for name in own} == own
    assert (sent["user"], sent["reasoning_effort"]) == ("u", "low")


def test_a_refusal_is_told_apart_from_an_answer(scripted: Served, left: Upstream) -> None:
    left.plays(said(refusal="I cannot help with that."))
    message = whole(scripted.chat("left")).choices[0].message
    assert (message.content, message.refusal) == (None, "I cannot help with that.")
    left.plays(streamed({"refusal": "I cannot "}, {"refusal": "help."}))
    listed = deltas(scripted.chat("left", stream=True))
    assert "".join(delta.get("refusal") or "" for delta in listed) == "I cannot help."
    assert not any(delta.get("content") for delta in listed)


TOKEN = {"token": "Paris", "logprob": -0.25, "bytes": [80, 97, 114, 105, 115]}
PROBABILITIES = {
    "content": [TOKEN | {"top_logprobs": [{"token": "Rome", "logprob": -1.5, "bytes": None}]}],
    "refusal": None,
}


def test_log_probabilities_come_back_as_they_were_told_to_who_asked(scripted: Served, left: Upstream) -> None:
    left.plays(said(content="Paris", logprobs=PROBABILITIES))
    asked = scripted.chat("left", logprobs=True, top_logprobs=1)
    whole(asked)
    assert asked.json()["choices"][0]["logprobs"] == PROBABILITIES
    assert left.seen[0].json["top_logprobs"] == 1
    assert scripted.chat("left").json()["choices"][0]["logprobs"] is None
    left.plays(streamed({"content": "Paris", "logprobs": PROBABILITIES}))
    response = scripted.chat("left", stream=True, logprobs=True, top_logprobs=1)
    assert deltas(response)
    assert PROBABILITIES in [x["choices"][0]["logprobs"] for x in chunks(response) if x["choices"]]


def test_thoughts_told_in_the_open_are_passed_on(scripted: Served, left: Upstream) -> None:
    left.plays(said(content="Paris", reasoning_content="France, so"))
    message = scripted.chat("left").json()["choices"][0]["message"]
    assert message["reasoning_content"] == "France, so"
    scripted.chat(
        "left", messages=[{"role": "user", "content": "?"}, message, {"role": "user", "content": "Sure?"}]
    )
    assert left.seen[1].json["messages"][1]["reasoning_content"] == "France, so"
    left.plays(streamed({"reasoning_content": "France, "}, {"reasoning_content": "so"}, {"content": "Paris"}))
    listed = deltas(scripted.chat("left", stream=True))
    assert "".join(delta.get("reasoning_content", "") for delta in listed) == "France, so"


CITED = [
    {
        "type": "url_citation",
        "url_citation": {"start_index": 0, "end_index": 5, "title": "Paris", "url": "https://example.org"},
    }
]


def test_citations_are_passed_on(scripted: Served, left: Upstream) -> None:
    left.plays(said(content="Paris", annotations=CITED))
    assert scripted.chat("left").json()["choices"][0]["message"]["annotations"] == CITED
    left.plays(streamed({"content": "Paris"}, {"annotations": CITED}))
    assert CITED in [delta.get("annotations") for delta in deltas(scripted.chat("left", stream=True))]


DETAILED = USAGE | {
    "prompt_tokens_details": {"cached_tokens": 6, "audio_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0},
}


def test_the_parts_of_the_totals_are_summed_where_they_are_known(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(said(content="Paris", usage=DETAILED))
    right.plays(said(content="Paris"))
    assert scripted.chat("left").json()["usage"] == DETAILED
    assert scripted.chat("right").json()["usage"] == USAGE
    both = scripted.orchestrate(strategy="self_consistency", models=["left"], samples=2).json()["usage"]
    assert both["prompt_tokens_details"] == {"cached_tokens": 12, "audio_tokens": 2}
    assert both["completion_tokens_details"] == {"reasoning_tokens": 6, "audio_tokens": 0}
    left.plays(streamed({"content": "Paris"}, usage=DETAILED))
    response = scripted.chat(
        "left", stream=True, stream_options={"include_usage": True, "include_obfuscation": False}
    )
    assert chunks(response)[-1]["usage"] == DETAILED


def test_versions_are_written_side_by_side_and_summed(scripted: Served, left: Upstream) -> None:
    left.plays_in_turn(*((said(content=text),) for text in ("a", "b", "c")))
    response = scripted.chat("left", n=3, seed=7)
    done = whole(response)
    assert [choice.index for choice in done.choices] == [0, 1, 2]
    assert {choice.message.content for choice in done.choices} == {"a", "b", "c"}
    assert response.json()["usage"] == {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
    assert {seen.json["seed"] for seen in left.seen} == {7, 8, 9}
    assert not any("n" in seen.json for seen in left.seen)
    assert response.json()["prysm"]["routing"]["degraded"] == []


def test_streamed_versions_are_told_apart_by_their_index(scripted: Served, left: Upstream) -> None:
    left.plays_in_turn(*((streamed({"content": text}, {"content": text}),) for text in "ab"))
    response = scripted.chat("left", n=2, stream=True)
    texts = ["".join(delta.get("content") or "" for delta in deltas(response, i)) for i in range(2)]
    assert set(texts) == {"aa", "bb"}
    ends = [x["index"] for chunk in chunks(response) for x in chunk["choices"] if x["finish_reason"] == "stop"]
    assert sorted(ends) == [0, 1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_version_that_fails_is_missing_and_said_so(scripted: Served, left: Upstream, stream: bool) -> None:
    good = streamed({"content": "a"}) if stream else said(content="a")
    left.plays_in_turn((answer(b"{}", "400 Bad Request"),), (good,), (good,))
    response = scripted.chat("left", n=3, stream=stream)
    prysm = next(x for x in chunks(response) if "prysm" in x)["prysm"] if stream else response.json()["prysm"]
    assert prysm["routing"]["degraded"] == ["partial:2 of 3 versions"]
    if not stream:
        assert [choice.index for choice in whole(response).choices] == [0, 1]
        return
    shown = {x["index"] for chunk in chunks(response) for x in chunk["choices"]}
    ended = {x["index"] for chunk in chunks(response) for x in chunk["choices"] if x["finish_reason"]}
    assert shown == ended
    assert len(ended) == 2


def test_when_every_version_fails_the_next_model_writes_them(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(answer(b"{}", "400 Bad Request"))
    right.plays(said(content="a"))
    done = whole(scripted.chat("left", n=2, fallback=["right"]))
    assert (done.model, len(done.choices)) == ("right", 2)


def test_a_version_that_breaks_off_before_the_callers_eyes_fails_the_stream(
    scripted: Served, left: Upstream
) -> None:
    left.plays_in_turn((streamed({"content": "b"}),), (stream_start("a"), Act.CLOSE))
    response = scripted.chat("left", n=2, stream=True)
    assert "[DONE]" not in response.text
    assert chunks(response)[-1]["error"]["code"] == "provider_error"


def test_the_receipt_of_versions_commits_to_all_of_them(scripted: Served, left: Upstream) -> None:
    left.plays_in_turn((said(content="a"),), (said(content="b"),))
    prysm = scripted.chat("left", n=2).json()["prysm"]
    assert prysm["openings"]["answer"]["enc"] == "jcs"
    assert scripted.proof(prysm["request_id"])["verified"] is True


def test_versions_are_held_against_as_many_of_the_strongest_model(scripted: Served, left: Upstream) -> None:
    left.plays_in_turn((said(content="a"),), (said(content="b"),))
    two = scripted.chat("left", n=2).json()["prysm"]["cost"]
    left.plays(said(content="a"))
    one = scripted.chat("left").json()["prysm"]["cost"]
    assert two["baseline_usd"] == pytest.approx(2 * one["baseline_usd"])
    assert two["saved_usd"] == pytest.approx(2 * one["saved_usd"])


@pytest.mark.parametrize(("tier", "estimated"), [("default", False), ("flex", True), (None, False)])
def test_the_tier_that_served_is_told_and_only_the_usual_one_has_a_known_price(
    scripted: Served, left: Upstream, tier: str | None, estimated: bool
) -> None:
    body = {
        "id": "c",
        "model": "served",
        "service_tier": tier,
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    }
    left.plays(*[answer(json.dumps(body).encode())] * 2)
    told = scripted.chat("left").json()
    assert (told["service_tier"], told["prysm"]["cost"]["estimated"]) == (tier, estimated)
    asked = {"model": "left", "input": "Hi"}
    assert scripted.http.post("/v1/responses", json=asked).json()["service_tier"] == tier


def test_an_answer_that_was_repaired_is_no_fallback(scripted: Served, left: Upstream) -> None:
    left.plays_in_turn((said(content="no json"),), (said(content="{}"),))
    told = scripted.chat("left", response_format={"type": "json_object"}).json()["prysm"]
    assert (len(told["calls"]), told["routing"]["fallbacks"]) == (2, [])
