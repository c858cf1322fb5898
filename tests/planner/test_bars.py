"""What some models refuse: the planner goes round them, or says which field stands in the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.scripted_models import World, ask, model, profile, says

from prysm.core.chat import Sampling
from prysm.core.plan import ChatRequest
from prysm.core.tools import NamedTool, Tool, Toolbox
from prysm.errors import InvalidRequest, UnsupportedParameter
from prysm.planner.needs import BARS, bars, needs

FIXED = model("fixed", 0.9, capabilities=frozenset({"fixed_sampling", "always_thinks", "reasoning"}))
FREE = model("free", 0.5, capabilities=frozenset({"reasoning", "tools"}))
SHY = model("shy", 0.9, capabilities=frozenset({"tools_without_thinking", "reasoning", "tools"}))
EMBEDS = model("embeds", 0.9, capabilities=frozenset({"embeddings"}))
TOOLS = Toolbox((Tool("look_up"),))


def asked(toolbox: Toolbox | None = None, pinned: str | None = None, **sampling: Any) -> ChatRequest:
    return ChatRequest(ask().messages, Sampling(**sampling), toolbox, pinned=pinned)


def world(*models: Any, **fallbacks: tuple[str, ...]) -> World:
    return World({m.id: says("1") for m in models}, models, fallbacks)


@pytest.mark.parametrize(
    ("sampling", "param"),
    [
        ({"temperature": 0.2}, "temperature"),
        ({"top_p": 0.5}, "top_p"),
        ({"top_k": 5}, "top_k"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
        ({"frequency_penalty": -1.0}, "frequency_penalty"),
        ({"thinking_tokens": 2_000}, "thinking"),
        ({"effort": "none"}, "reasoning_effort"),
        ({"thinking_tokens": 0}, "thinking"),
    ],
)
def test_a_wish_that_a_model_refuses_is_never_dropped(sampling: dict[str, Any], param: str) -> None:
    chosen = world(FIXED, FREE).plan(asked(**sampling), profile())
    assert chosen.models == (FREE,)
    assert f"does not take this '{param}'" in chosen.alternatives[0].why_not
    with pytest.raises(UnsupportedParameter, match=f"Leave out '{param}'") as refused:
        world(FIXED, FREE).plan(asked(pinned="fixed", **sampling), profile())
    assert refused.value.param == param


def test_a_bias_of_tokens_is_such_a_wish_too() -> None:
    assert [bar.param for bar in bars(asked(own={"logit_bias": {"1": 5}}))] == ["logit_bias"]


def test_values_that_every_vendor_has_anyway_ask_for_nothing() -> None:
    usual = asked(temperature=1.0, top_p=1.0, frequency_penalty=0.0, presence_penalty=0.0, effort="low")
    assert [bar for bar in bars(usual) if bar.capability == "fixed_sampling"] == []
    assert world(FIXED, FREE).plan(usual, profile()).models == (FIXED,)


def test_tools_go_to_a_model_that_must_not_think_unless_thinking_is_asked_for() -> None:
    pool = world(SHY, FREE)
    assert pool.plan(asked(TOOLS), profile()).models == (SHY,)
    assert pool.plan(asked(TOOLS, effort="none"), profile()).models == (SHY,)
    assert pool.plan(asked(TOOLS, effort="high"), profile()).models == (FREE,)


@pytest.mark.parametrize("choice", ["required", NamedTool("look_up")])
def test_a_call_that_is_demanded_goes_where_it_can_be(choice: Any) -> None:
    free = model("loose", 0.9, capabilities=frozenset({"tools", "unforced_tools"}))
    pool = world(free, FREE)
    assert pool.plan(asked(TOOLS), profile()).models == (free,)
    assert pool.plan(asked(replace(TOOLS, choice=choice)), profile()).models == (FREE,)


def test_a_stand_in_that_would_drop_a_wish_does_not_stand_in() -> None:
    pool = world(FREE, FIXED, free=("fixed",))
    assert pool.plan(asked(pinned="free"), profile()).fallbacks == (FIXED,)
    assert pool.plan(asked(pinned="free", temperature=0.2), profile()).fallbacks == ()


def test_an_aggregator_that_would_drop_a_wish_is_refused() -> None:
    with pytest.raises(UnsupportedParameter, match="temperature"):
        world(FREE, FIXED).plan(ask(strategy="ensemble_moa", aggregator="fixed", temperature=0.2))


def test_an_answer_to_be_spoken_needs_a_model_that_has_audio() -> None:
    spoken = asked(own={"modalities": ["text", "audio"], "audio": {"voice": "alloy"}})
    assert ("audio", "modalities") in needs(spoken)
    assert ("audio", "modalities") not in needs(asked(own={"modalities": ["text"]}))


@pytest.mark.parametrize("param", ["pinned", "judge", "aggregator"])
def test_a_model_that_makes_embeddings_plays_no_part_in_a_chat(param: str) -> None:
    pool = world(FREE, EMBEDS, free=("embeds",))
    assert pool.plan(ask()).models == (FREE,)
    assert pool.plan(ask(pinned="free")).fallbacks == ()
    with pytest.raises(InvalidRequest, match="'embeds' makes embeddings"):
        pool.plan(ask(**{param: "embeds"}))


def test_every_bar_is_looked_for_in_models() -> None:
    forced = replace(TOOLS, choice="required")
    wishes = [asked(forced, effort="high", temperature=0.2), asked(effort="none")]
    assert {bar.capability for wish in wishes for bar in bars(wish)} == BARS
