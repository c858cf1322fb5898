"""What an answer is kept under: equal for what is equal, and for nothing else."""

from __future__ import annotations

import copy
import itertools
from dataclasses import fields, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.conversations import calls
from tests.scripted_models import POLICIES, World, ask, model, says

from prysm.accounts.cache_key import SHAPELESS, catalog_digest, key_of, spelled
from prysm.core.cache import Caching
from prysm.core.chat import Message, Sampling
from prysm.core.content import TextPart, Thinking
from prysm.core.embedding import Embed
from prysm.core.model import Model, Price
from prysm.core.plan import ChatRequest
from prysm.core.provider import ProviderSpec
from prysm.core.tools import ResponseFormat, Tool, Toolbox
from prysm.registry.catalog import Catalog
from prysm.registry.learnt import Tally

if TYPE_CHECKING:
    from prysm.core.plan import Plan

SECRET, ORG = bytes(32), UUID(int=1)
PLAIN = ask("Hi", max_tokens=10, cache=Caching())
OTHERWISE: dict[str, Any] = {
    "messages": (Message("user", "Hi "),),
    "sampling": Sampling(max_tokens=10, seed=0),
    "toolbox": Toolbox((Tool("f"),)),
    "response_format": ResponseFormat("json_object"),
    "n": 2,
    "pinned": "a",
    "policy": "depth",
    "strategy": "single",
    "routing_mode": "quality",
    "k": 2,
    "samples": 3,
    "rounds": 2,
    "layers": 2,
    "models": ("a",),
    "aggregator": "a",
    "judge": "a",
    "consensus": "majority",
    "consensus_threshold": 0.5,
    "fallback": ("a",),
    "max_cost_nano": 1,
    "deadline_s": 9.0,
    "embed": Embed(("Hi",)),
    "allowed_models": frozenset({"a"}),
    "allowed_strategies": frozenset({"single"}),
}
"""Another value of every field that shapes an answer."""


@cache
def plan() -> Plan:
    return World({"a": says("x"), "b": says("y")}).prepare(ask("Hi")).plan


def key(request: ChatRequest = PLAIN, by: Plan | None = None, org: UUID = ORG, catalog: bytes = bytes(32)) -> bytes:
    return key_of(SECRET, org, request, by or plan(), catalog)


def test_every_field_of_a_request_shapes_its_answer_unless_it_is_said_not_to() -> None:
    names = {field.name for field in fields(ChatRequest)}
    assert names == SHAPELESS | OTHERWISE.keys()
    keys = [key(), *(key(replace(PLAIN, **{name: value})) for name, value in OTHERWISE.items())]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("field", [field.name for field in fields(Sampling)])
def test_every_parameter_of_sampling_shapes_the_answer(field: str) -> None:
    other: Any = MappingProxyType({"logit_bias": {"1": 2}}) if field == "own" else 1
    assert key(replace(PLAIN, sampling=replace(PLAIN.sampling, **{field: other}))) != key()


def test_what_does_not_shape_the_answer_is_no_part_of_its_key() -> None:
    same = replace(PLAIN, stream=True, metadata={"a": "b"}, kept_s=60, cache=Caching(ttl_s=60))
    assert key(same) == key()


def test_organisations_catalogs_samples_and_secrets_have_keys_of_their_own() -> None:
    others = [
        key(org=UUID(int=2)),
        key(catalog=bytes(31) + b"x"),
        key(replace(PLAIN, cache=Caching(sample=1))),
        key_of(b"another", ORG, PLAIN, plan(), bytes(32)),
    ]
    assert len({key(), *others}) == 5


@pytest.mark.parametrize(
    "other",
    [
        {"strategy": "cascade"},
        {"policy": replace(POLICIES["balanced"], bar=0.9)},
        {"mode": "direct"},
        {"samples": 5},
        {"rounds": 3},
        {"layers": 2},
        {"max_tokens": 256},
        {"models": (model("a", upstream="a-2"),)},
        {"models": (model("a", provider="elsewhere"),)},
        {"models": ()},
        {"fallbacks": (model("c"),)},
        {"aggregator": model("c")},
        {"judge": model("c")},
    ],
    ids=str,
)
def test_whoever_could_answer_is_a_part_of_the_key(other: dict[str, Any]) -> None:
    assert key(by=replace(plan(), **other)) != key()


def test_what_a_plan_says_of_itself_is_not() -> None:
    learnt = tuple(replace(each, quality=MappingProxyType({"default": 0.1})) for each in plan().models)
    assert key(by=replace(plan(), reason="because", alternatives=(), models=learnt)) == key()


MODEL = model("a", simulated=False)
PROVIDER = ProviderSpec("p", "openai", "http://localhost/v1")
OTHER_MODEL: dict[str, Any] = {
    "id": "b",
    "provider": "q",
    "upstream": "b",
    "display": "B",
    "family": "b",
    "tier": "strong",
    "price": Price(input=5),
    "context_window": 5,
    "max_output_tokens": 5,
    "capabilities": frozenset({"tools"}),
    "quality": MappingProxyType({"default": 0.6}),
    "latency_ms": 5,
    "simulated": True,
}
"""Another value of every field of a model."""
OTHER_PROVIDER = {"id": "q", "kind": "anthropic", "base_url": "http://localhost/v2", "managed": "xllamacpp"}


def digest(of: Model = MODEL, at: ProviderSpec = PROVIDER) -> bytes:
    return catalog_digest(Catalog([of], [at]))


def test_any_field_of_a_model_and_the_place_of_a_provider_make_another_catalog() -> None:
    assert OTHER_MODEL.keys() == {field.name for field in fields(Model)}
    models = [digest(replace(MODEL, **{name: value})) for name, value in OTHER_MODEL.items()]
    places = [digest(at=replace(PROVIDER, **{name: value})) for name, value in OTHER_PROVIDER.items()]  # type: ignore[arg-type] # by name
    assert len({digest(), *models, *places}) == 1 + len(OTHER_MODEL) + len(OTHER_PROVIDER)


def test_what_is_learnt_and_how_a_provider_is_called_are_no_part_of_a_catalog() -> None:
    taught = Catalog([MODEL], [PROVIDER])
    taught.learn({("a", "chat"): Tally(0.9, 100)})
    taught.mark_down("p")
    assert taught.get("a").quality != MODEL.quality
    called = replace(PROVIDER, api_key="k", proxy="http://localhost:1", timeout_s=1.0, retries=0, rpm=3)
    managed = replace(PROVIDER, managed="xllamacpp")
    assert catalog_digest(taught) == digest() == digest(at=called)
    assert digest(at=managed) == digest(at=replace(managed, base_url="http://localhost:9/v1"))


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.frozensets(st.text(), max_size=4)
        | st.builds(TextPart, st.text(), inner)
        | st.builds(Thinking, st.text(), inner)
    ),
    max_leaves=8,
)


def told_apart(value: Any) -> Any:
    """A value that equals another only if both are of the same types all through, in the same order."""
    if isinstance(value, dict):
        return dict, tuple((name, told_apart(inner)) for name, inner in value.items())
    if isinstance(value, tuple):
        return tuple, tuple(map(told_apart, value))
    if isinstance(value, TextPart | Thinking):
        return type(value), tuple(told_apart(getattr(value, field.name)) for field in fields(value))
    return type(value), repr(value) if isinstance(value, float) else value


@given(values, values)
def test_two_values_are_spelled_alike_only_if_they_are_the_same(one: Any, other: Any) -> None:
    assert (spelled(one) == spelled(other)) == (told_apart(one) == told_apart(other))


@given(st.lists(values, max_size=3), st.lists(values, max_size=3))
def test_no_spelling_is_the_beginning_of_another(ones: list[Any], others: list[Any]) -> None:
    one, other = b"".join(map(spelled, ones)), b"".join(map(spelled, others))
    assert (one == other) == (told_apart(tuple(ones)) == told_apart(tuple(others)))


@given(values)
def test_a_value_is_spelled_the_same_when_it_is_made_again(value: Any) -> None:
    assert spelled(copy.deepcopy(value)) == spelled(value)


@given(st.lists(calls, min_size=2, max_size=2))
def test_two_conversations_have_one_key_only_if_they_are_the_same(both: list[Any]) -> None:
    asked = [
        ChatRequest(call.messages, call.sampling, call.toolbox, call.response_format, cache=Caching())
        for call in both
    ]
    for one, other in itertools.pairwise(asked):
        assert (key(one) == key(other)) == (repr(one) == repr(other))


@pytest.mark.parametrize("pair", [(1, True), (0, False), (1, 1.0), (0.0, -0.0), ("1", 1), ("", None), ((), None)])
def test_what_python_takes_for_equal_is_told_apart(pair: tuple[Any, Any]) -> None:
    assert spelled(pair[0]) != spelled(pair[1])


def test_the_order_of_a_schemas_properties_counts_since_models_answer_in_it() -> None:
    assert spelled({"a": 1, "b": 2}) != spelled({"b": 2, "a": 1})
    assert spelled(frozenset({"a", "b", "c"})) == spelled(frozenset({"c", "b", "a"}))


def test_what_cannot_be_spelled_is_refused_rather_than_left_out() -> None:
    with pytest.raises(TypeError, match="object"):
        spelled({"a": object()})
