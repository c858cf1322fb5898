"""Whether what one key may lies within what another may."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.accounts.delegation import Power, beyond, restriction

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

NOON = datetime(2031, 1, 1, 12, tzinfo=UTC)
BUDGET, OTHER = UUID(int=1), UUID(int=2)
FIRST = Power(
    role="admin",
    scopes=["admin", "chat"],
    allowed_models=["a", "b"],
    allowed_strategies=["single"],
    rpm=10,
    tpm=100,
    concurrency=2,
    retention="zero",
    expires_at=NOON,
    budget_usd=[(5, "month")],
    project=[BUDGET],
    tags=[OTHER],
)
MORE: list[tuple[str, Any]] = [
    ("role", "root"),
    ("scopes", None),
    ("scopes", ["chat", "usage"]),
    ("allowed_models", None),
    ("allowed_models", ["a", "c"]),
    ("allowed_strategies", None),
    ("allowed_strategies", ["single", "debate"]),
    ("rpm", None),
    ("rpm", 11),
    ("tpm", None),
    ("tpm", 101),
    ("concurrency", None),
    ("concurrency", 3),
    ("retention", None),
    ("expires_at", None),
    ("expires_at", NOON + timedelta(microseconds=1)),
    ("budget_usd", []),
    ("budget_usd", [(6, "month")]),
    ("budget_usd", [(5, "day")]),
    ("project", []),
    ("project", [OTHER]),
    ("tags", []),
]
NO_MORE: list[tuple[str, Any]] = [
    ("role", "reader"),
    ("scopes", []),
    ("scopes", ["chat"]),
    ("allowed_models", ["b"]),
    ("allowed_strategies", []),
    ("rpm", 1),
    ("tpm", 100),
    ("concurrency", 1),
    ("expires_at", NOON - timedelta(days=1)),
    ("budget_usd", [(5, "total")]),
    ("budget_usd", [(0, "month"), (9, "day")]),
    ("project", [BUDGET, OTHER]),
    ("tags", [BUDGET, OTHER]),
]
few = st.none() | st.lists(st.sampled_from("abc"), max_size=3)
limit = st.none() | st.integers(1, 3)
budgets = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["day", "month", "total"])), max_size=2)
counted = st.lists(st.sampled_from([BUDGET, OTHER]), max_size=2)
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "role": st.sampled_from(["reader", "member", "admin"]),
    **dict.fromkeys(("scopes", "allowed_models", "allowed_strategies"), few),
    **dict.fromkeys(("rpm", "tpm", "concurrency"), limit),
    "retention": st.sampled_from([None, "zero"]),
    "expires_at": st.none() | st.integers(0, 3).map(lambda days: NOON + timedelta(days=days)),
    "budget_usd": budgets,
    "project": counted,
    "tags": counted,
}


@st.composite
def chains(draw: DrawFn) -> list[Power]:
    """Powers, each of which differs in a few settings from the one before, so that many could make each other."""
    chain = [draw(st.builds(Power, **PARTS))]
    for _ in range(draw(st.integers(1, 8))):
        different = draw(st.sets(st.sampled_from(sorted(PARTS)), max_size=3))
        wanted = replace(chain[-1], **{name: draw(PARTS[name]) for name in sorted(different)})
        if beyond(wanted, chain[-1]) is None:
            chain.append(wanted)
    return chain


@pytest.mark.parametrize(("field", "value"), MORE)
def test_more_than_it_has_is_named(field: str, value: Any) -> None:
    assert beyond(replace(FIRST, **{field: value}), FIRST) == field


@pytest.mark.parametrize(("field", "value"), NO_MORE)
def test_what_it_has_or_less_lies_within(field: str, value: Any) -> None:
    assert beyond(replace(FIRST, **{field: value}), FIRST) is None


def test_every_setting_is_tried_above() -> None:
    assert {field for field, _ in MORE} == set(Power.__slots__)


@given(st.builds(Power, **PARTS))
def test_a_key_lies_within_itself_and_within_one_without_restrictions(power: Power) -> None:
    assert beyond(power, power) is None
    assert beyond(power, Power("root")) is None


@given(st.builds(Power, **PARTS))
def test_what_restricts_a_key_is_what_one_without_restrictions_has_beyond_it(power: Power) -> None:
    free = Power()
    different = {name for name in Power.__slots__ if getattr(power, name) != getattr(free, name)}
    restricting = different - {name for name in ("budget_usd", "project", "tags") if not getattr(power, name)}
    named = restriction(power)
    assert named in restricting if named is not None else not restricting


@given(chains())
def test_whatever_chain_of_keys_made_each_other_the_last_is_within_the_first(chain: list[Power]) -> None:
    assert beyond(chain[-1], chain[0]) is None


@given(st.builds(Power, **PARTS), st.builds(Power, **PARTS))
def test_two_that_lie_within_each_other_allow_the_same(left: Power, right: Power) -> None:
    if beyond(left, right) is None and beyond(right, left) is None:
        for field in ("role", "rpm", "tpm", "concurrency", "retention", "expires_at"):
            assert getattr(left, field) == getattr(right, field)
