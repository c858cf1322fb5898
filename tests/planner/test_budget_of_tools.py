"""Ceilings that hold whatever is sent beside the messages: tools, schemas, several versions of the answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scripted_models import USD, Watched, World, ask, model, profile

from prysm.core.account import account
from prysm.core.chat import Completion, Usage
from prysm.core.model import Price
from prysm.core.tools import ResponseFormat, Tool, Toolbox
from prysm.errors import PrysmError
from prysm.providers.openai_request import request as on_the_wire
from prysm.providers.sandbox import SandboxProfile
from prysm.registry.cost import tokens_at_most

if TYPE_CHECKING:
    from prysm.core.chat import ModelCall

DEAR = Price(USD, 10 * USD)
ABLE = frozenset({"tools", "json_schema"})
LONG = SandboxProfile(answer="The sea is wide and deep. " * 400)

schemas = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(
            st.text(min_size=1, max_size=20),
            st.fixed_dictionaries({"type": st.just("string"), "description": st.text(max_size=200)}),
            max_size=8,
        ),
    }
)
tools = st.builds(
    Tool, name=st.from_regex(r"[a-z_]{1,30}", fullmatch=True), description=st.text(max_size=300), parameters=schemas
)
boxes = st.one_of(st.none(), st.lists(tools, min_size=1, max_size=5).map(lambda made: Toolbox(tuple(made))))
formats = st.one_of(st.none(), schemas.map(lambda made: ResponseFormat("json_schema", schema=made)))


class Greedy(Watched):
    """Counts as many tokens as its prompt has bytes on the wire, and answers as long as it may."""

    def __init__(self) -> None:
        super().__init__({})

    async def complete(self, call: ModelCall) -> Completion:
        """Use everything."""
        body = on_the_wire(call, stream=False)
        sent = sum(len(str(body.get(name, "")).encode()) for name in ("tools", "response_format"))
        asked = sum(len(message.text.encode()) for message in call.messages)
        return Completion("x", "length", Usage(asked + sent, call.sampling.max_tokens or 4096))


@settings(max_examples=150, deadline=None)
@given(boxes, formats, st.integers(1, 3), st.one_of(st.none(), st.integers(1, 3_000)), st.integers(10**6, 10**8))
def test_no_run_costs_more_than_was_allowed(box: Any, form: Any, n: int, cap: int | None, ceiling: int) -> None:
    world = World({"a": LONG}, [model("a", price=DEAR, capabilities=ABLE)])
    request = replace(ask(max_tokens=cap, max_cost_nano=ceiling), toolbox=box, response_format=form, n=n)
    try:
        run = world.prepare(request, profile())
        run._providers = {"sandbox": Greedy()}
        asyncio.run(world.carry_out(run))
    except PrysmError:
        return
    spent = account(run.stages).total_nano
    assert spent is not None
    assert spent <= ceiling


@given(boxes, formats)
def test_tools_and_schemas_count_at_least_their_bytes(box: Toolbox | None, form: ResponseFormat | None) -> None:
    messages = ask().messages
    beside = tokens_at_most(messages, box, form) - tokens_at_most(messages)
    names = sum(len((tool.name + (tool.description or "")).encode()) for tool in box.tools) if box else 0
    assert beside >= names
    assert (beside == 0) == (box is None and form is None)


def test_several_versions_share_the_ceiling_and_all_of_them_are_written() -> None:
    world = World({"a": LONG}, [model("a", price=Price(USD // 10, USD), max_output_tokens=8_192)])
    run = world.prepare(replace(ask(max_cost_nano=3_000_000), n=2), profile())
    verdict = asyncio.run(world.carry_out(run))
    assert len(verdict.choices) == 2
    assert run.degraded == ["output_capped"]
    assert run.plan.estimate.calls_max == 2


def test_two_versions_may_cost_twice_as_much_as_one() -> None:
    world = World({"a": LONG, "b": LONG}, [model("a", price=DEAR), model("b", price=DEAR)])
    one, two = (world.plan(replace(ask(max_tokens=100), n=n)).estimate for n in (1, 2))
    assert (one.calls_max, two.calls_max) == (2, 4)
    assert two.cost_max_nano == 2 * (one.cost_max_nano or 0)
    assert two.cost_expected_nano == 2 * (one.cost_expected_nano or 0)
