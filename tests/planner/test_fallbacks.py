"""Who may stand in for a model: only one that can take the request, and whoever named another hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.scripted_models import POLICIES, ask, model, profile

from prysm.core.chat import Message
from prysm.core.content import ImagePart, TextPart
from prysm.core.embedding import Embed
from prysm.core.model import Price
from prysm.core.plan import ChatRequest
from prysm.core.provider import ProviderSpec
from prysm.core.tools import ResponseFormat, Tool, Toolbox
from prysm.errors import InvalidRequest, UnsupportedParameter
from prysm.planner import Planner
from prysm.registry.catalog import Catalog

ALL = frozenset({"tools", "vision", "json_schema", "logprobs", "reasoning"})
ABLE = model("able", capabilities=ALL, provider="open")
TWIN = replace(ABLE, id="twin")
PLAIN = model("plain", provider="open")
CLAUDE = model("claude", capabilities=ALL, provider="claudes")
FIXED = model("fixed", capabilities=ALL | {"fixed_sampling"}, provider="open")
SHORT = model("short", capabilities=ALL, provider="open", context_window=200)
UNPRICED = model("unpriced", 0.0, Price(), capabilities=ALL, provider="open", latency_ms=9_000)
SPECS = (
    ProviderSpec("open", "openai", "http://127.0.0.1:9/v1"),
    ProviderSpec("claudes", "anthropic", "http://127.0.0.1:9/v1"),
)
PINNED = ask(pinned="able")
SHOWN = (Message("user", (TextPart("What is it?"), ImagePart(url="https://acme.test/a.png"))),)


def planner(*chain: str) -> Planner:
    """A planner with an operator's chain for `able`."""
    return Planner(Catalog((ABLE, TWIN, PLAIN, CLAUDE, FIXED, SHORT, UNPRICED), SPECS), POLICIES, {"able": chain})


def sampled(**sampling: Any) -> ChatRequest:
    return replace(PINNED, sampling=replace(PINNED.sampling, **sampling))


UNFIT: list[tuple[str, ChatRequest, str]] = [
    ("plain", replace(PINNED, toolbox=Toolbox((Tool("look_up"),))), "tools"),
    ("plain", replace(PINNED, messages=SHOWN), "messages[0].content[1]"),
    ("plain", replace(PINNED, response_format=ResponseFormat("json_schema", schema={})), "response_format"),
    ("plain", sampled(effort="high"), "reasoning_effort"),
    ("plain", sampled(logprobs=True), "logprobs"),
    ("claude", sampled(seed=3), "seed"),
    ("fixed", sampled(temperature=0.2), "temperature"),
    ("unpriced", replace(PINNED, max_cost_nano=10**9), "max_cost_usd"),
]


@pytest.mark.parametrize(("name", "request_", "param"), UNFIT)
def test_a_fallback_of_the_callers_that_cannot_take_the_request_is_refused_by_field_and_model(
    name: str, request_: ChatRequest, param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        planner().plan(replace(request_, fallback=(name,)), profile())
    assert (caught.value.param, caught.value.status) == (param, 400)
    assert f"{name}: " in caught.value.message
    assert param in caught.value.message


@pytest.mark.parametrize(("name", "request_", "param"), UNFIT)
def test_an_aggregator_that_cannot_write_the_answer_is_refused_by_its_field(
    name: str, request_: ChatRequest, param: str
) -> None:
    asked = replace(request_, pinned=None, strategy="ensemble_moa", models=("able", "twin"), aggregator=name)
    with pytest.raises(UnsupportedParameter) as caught:
        planner().plan(asked, profile())
    assert caught.value.param == "aggregator"
    assert caught.value.message.startswith(f"'aggregator': {name} cannot take this request: ")
    assert param in caught.value.message or "price" in caught.value.message


@pytest.mark.parametrize(("name", "request_", "param"), UNFIT)
def test_what_only_the_answer_needs_is_not_asked_of_a_judge(name: str, request_: ChatRequest, param: str) -> None:
    asked = replace(request_, pinned=None, strategy="blender", models=("able", "twin"), judge=name)
    if param != "max_cost_usd":
        plan = planner().plan(asked, profile())
        assert plan.judge is not None
        assert plan.judge.id == name
        return
    with pytest.raises(UnsupportedParameter, match=r"'judge_model': unpriced .* price is unknown") as caught:
        planner().plan(asked, profile())
    assert caught.value.param == "judge_model"


@pytest.mark.parametrize("field", ["aggregator", "judge"])
def test_whoever_reads_all_answers_has_to_have_room_for_the_prompt(field: str) -> None:
    asked = ask(strategy="blender", models=("able", "claude"), **{field: "short"})
    with pytest.raises(UnsupportedParameter, match="its context of 200 tokens is too short"):
        planner().plan(asked, profile(prompt_tokens=5_000))


@pytest.mark.parametrize(("name", "request_", "param"), UNFIT)
def test_one_of_the_operators_is_left_out_and_the_plan_says_why(
    name: str, request_: ChatRequest, param: str
) -> None:
    plan = planner(name).plan(request_, profile())
    assert plan.fallbacks == ()
    (left_out,) = plan.alternatives
    assert (left_out.model.id, param in left_out.why_not or "price" in left_out.why_not) == (name, True)
    assert left_out.why_not.startswith("as a fallback: ")


def test_a_prompt_too_long_for_a_fallback_is_the_callers_to_shorten() -> None:
    long = profile(prompt_tokens=5_000)
    with pytest.raises(InvalidRequest, match="short: its context of 200 tokens"):
        planner().plan(replace(PINNED, fallback=("claude", "short")), long)
    assert planner("short", "claude").plan(PINNED, long).fallbacks == (CLAUDE,)


def test_a_fallback_that_was_named_is_taken_whatever_we_think_of_it() -> None:
    asked = replace(PINNED, deadline_s=5.0)
    for plan in (
        planner("unpriced").plan(asked, profile()),
        planner().plan(replace(asked, fallback=("unpriced",)), profile()),
    ):
        assert (plan.fallbacks, plan.alternatives) == ((UNPRICED,), ())


def test_the_model_itself_in_its_chain_is_passed_over() -> None:
    assert planner().plan(replace(PINNED, fallback=("able", "claude")), profile()).fallbacks == (CLAUDE,)


def test_a_twin_whose_host_cannot_take_the_texts_does_not_stand_in() -> None:
    here, there = (
        model(name, upstream="vectors", capabilities=frozenset({"embeddings"}), provider=name)
        for name in ("open", "google")
    )
    hosts = (SPECS[0], ProviderSpec("google", "gemini", "http://127.0.0.1:9/v1"))
    twins = Planner(Catalog((here, there), hosts), POLICIES, {})
    few, many = (ChatRequest((), pinned="open", embed=Embed(("text",) * count)) for count in (2, 101))
    assert twins.plan(few, profile()).fallbacks == (there,)
    assert twins.plan(many, profile()).fallbacks == ()


def test_an_image_is_named_as_what_it_is_with_what_can_be_done() -> None:
    by_url = replace(PINNED, messages=(Message("tool", SHOWN[0].content, tool_call_id="c"),))
    with pytest.raises(UnsupportedParameter) as caught:
        planner().plan(by_url, profile())
    assert "'messages[0].content[1]' is an image by URL in a tool's answer" in caught.value.message
    assert "Send it in a user's message, or use a model that fits." in caught.value.message
