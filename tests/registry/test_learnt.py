from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from prysm.core.model import Model
from prysm.core.provider import ProviderSpec
from prysm.registry.catalog import Catalog
from prysm.registry.learnt import STRENGTH, Tally, learnt_quality

SHARE = some.floats(0, 1)
PRIOR = some.floats(0.01, 1)
COUNT = some.integers(0, 10**6)
PROVIDER = ProviderSpec("free", "openai", "http://127.0.0.1:1")


def model(name: str, **quality: float) -> Model:
    return Model(name, "free", name, name, "free", "mid", quality=quality)


@given(PRIOR, SHARE, COUNT)
def test_what_is_learnt_lies_between_the_prior_and_the_judgements(prior: float, mean: float, n: int) -> None:
    learnt = learnt_quality(prior, mean, n)
    assert min(prior, mean) - 1e-12 <= learnt <= max(prior, mean) + 1e-12
    assert learnt_quality(prior, mean, 0) == prior


@given(PRIOR, SHARE, COUNT, some.integers(1, 1000))
def test_each_judgement_leads_nearer_to_what_they_say(prior: float, mean: float, n: int, more: int) -> None:
    before, after = learnt_quality(prior, mean, n), learnt_quality(prior, mean, n + more)
    assert abs(mean - after) <= abs(mean - before) + 1e-12


@given(PRIOR, SHARE)
def test_the_prior_and_as_many_judgements_as_it_is_worth_meet_half_way(prior: float, mean: float) -> None:
    assert learnt_quality(prior, mean, int(STRENGTH)) == pytest.approx((prior + mean) / 2)


@given(SHARE, COUNT)
def test_never_use_it_stays_never(mean: float, n: int) -> None:
    assert learnt_quality(0.0, mean, n) == 0.0


def test_the_catalog_routes_by_what_was_learnt_and_still_shows_the_prior() -> None:
    catalog = Catalog((model("a", default=0.6, code=0.8), model("b", default=0.5)), (PROVIDER,))
    catalog.learn({("a", "math"): Tally(1.0, 20), ("nobody", "math"): Tally(1.0, 9), ("b", "sport"): Tally(1.0, 9)})
    learnt = catalog.get("a")
    assert (learnt.quality_for("math"), learnt.quality_for("code"), learnt.quality_for("chat")) == (0.8, 0.8, 0.6)
    assert catalog.pool() == catalog.live() == (learnt, catalog.get("b"))
    assert catalog.prior("a") is catalog.models[0]
    assert catalog.models[0].quality == {"default": 0.6, "code": 0.8}
    assert {task: (found.quality, found.n) for task, found in catalog.learnt("a").items()} == {"math": (0.8, 20)}
    assert catalog.learnt("b") == {}
    assert catalog.get("b") is catalog.models[1]


def test_what_a_model_must_never_do_is_not_learnt() -> None:
    catalog = Catalog((model("a", default=0.6, translation=0.0),), (PROVIDER,))
    catalog.learn({("a", "translation"): Tally(1.0, 1000)})
    assert catalog.get("a").quality_for("translation") == 0


def test_new_figures_take_the_place_of_the_old_ones_and_health_stays() -> None:
    catalog = Catalog((model("a", default=0.6), model("b", default=0.6)), (PROVIDER,))
    catalog.mark_down("b")
    catalog.learn({("a", "math"): Tally(0.0, 20)})
    catalog.learn({("a", "math"): Tally(1.0, 20)})
    assert catalog.get("a").quality_for("math") == pytest.approx(0.8)
    assert catalog.pool() == (catalog.get("a"),)
    catalog.learn({})
    assert catalog.get("a") is catalog.models[0]
