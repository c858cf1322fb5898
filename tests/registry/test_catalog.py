from __future__ import annotations

import pytest

from prysm.core.model import Model, Price
from prysm.core.provider import CLOSED, ProviderSpec, Standing
from prysm.errors import NotFound
from prysm.registry.catalog import Catalog

KEYED = ProviderSpec("keyed", "openai", "https://a.example", api_key="k", needs_key=True)
KEYLESS = ProviderSpec("keyless", "openai", "https://b.example", needs_key=True)
FREE = ProviderSpec("free", "openai", "http://127.0.0.1:1")
SANDBOX = ProviderSpec("sandbox", "sandbox")


def model(name: str, provider: str, *, simulated: bool = False) -> Model:
    return Model(name, provider, name, name, provider, "mid", simulated=simulated)


A, B, C, S = model("a", "keyed"), model("b", "keyless"), model("c", "free"), model("s", "sandbox", simulated=True)


@pytest.fixture
def catalog() -> Catalog:
    return Catalog((A, B, C, S), (KEYED, KEYLESS, FREE, SANDBOX))


def test_a_model_is_live_when_its_provider_has_a_key_or_needs_none(catalog: Catalog) -> None:
    assert catalog.live() == (A, C, S)
    assert [catalog.is_live(m) for m in (A, B, C, S)] == [True, False, True, True]


def test_the_pool_holds_no_simulated_model_while_a_real_one_is_live(catalog: Catalog) -> None:
    assert catalog.pool() == (A, C)


def test_the_pool_is_simulated_when_nothing_else_is_live(catalog: Catalog) -> None:
    catalog.mark_down("a", "free")
    assert catalog.pool() == (S,)


def test_the_pool_is_empty_when_nothing_is_live(catalog: Catalog) -> None:
    catalog.mark_down("keyed", "free", "sandbox")
    assert catalog.live() == catalog.pool() == ()


def test_a_model_that_is_down_is_still_in_the_catalog(catalog: Catalog) -> None:
    catalog.mark_down("a")
    assert catalog.get("a") is A
    assert not catalog.is_live(A)


def test_a_model_nobody_knows_is_not_found_with_near_names_and_where_to_look() -> None:
    catalog = Catalog((model("gpt-6.1-sol", "keyed"),), (KEYED,))
    with pytest.raises(NotFound) as missing:
        catalog.get("gpt-6-sol")
    assert missing.value.code == "model_not_found"
    assert missing.value.param == "model"
    assert "Did you mean gpt-6.1-sol?" in missing.value.message
    assert "GET /v1/models" in missing.value.message


def test_a_hostile_model_name_is_cut_and_escaped(catalog: Catalog) -> None:
    with pytest.raises(NotFound) as missing:
        catalog.get("\x00\ud800" + "x" * 100_000)
    assert len(missing.value.message) < 400
    assert missing.value.message.isascii()


def test_a_provider_is_found_by_id_and_an_unknown_one_is_not(catalog: Catalog) -> None:
    assert catalog.provider("keyed") is KEYED
    with pytest.raises(NotFound):
        catalog.provider("nobody")


def test_the_price_version_changes_with_any_price_and_with_nothing_else(catalog: Catalog) -> None:
    same = Catalog((S, C, B, A), (KEYED,))
    dearer = Catalog((A, B, C, Model("s", "sandbox", "s", "s", "s", "mid", Price(input=1))), (SANDBOX,))
    assert same.price_version == catalog.price_version != dearer.price_version


OPEN = Standing("open", live=False, retry_at=5.0)
PROBED = Standing("half_open", live=False, retry_at=5.0)
READY = Standing("half_open", live=True, retry_at=5.0)


@pytest.mark.parametrize(("standing", "live"), [(OPEN, False), (PROBED, False), (READY, True), (CLOSED, True)])
def test_a_model_is_live_as_its_breaker_says(catalog: Catalog, standing: Standing, *, live: bool) -> None:
    catalog.stand(A.provider, "a", standing)
    assert (catalog.is_live(A), catalog.standing(A)) == (live, standing)
    assert catalog.is_live(C)


def test_the_breaker_of_a_credential_holds_back_all_its_models(catalog: Catalog) -> None:
    catalog.stand(A.provider, None, OPEN)
    assert (catalog.is_live(A), catalog.standing(A), catalog.retry_at) == (False, OPEN, 5.0)


def test_an_outage_of_all_real_models_is_not_answered_by_simulated_ones(catalog: Catalog) -> None:
    for model in (A, C):
        catalog.stand(model.provider, model.id, OPEN)
    assert (catalog.pool(), catalog.live()) == ((), (S,))


def test_what_is_closed_again_is_back_unless_it_is_down_for_another_reason(catalog: Catalog) -> None:
    catalog.stand(A.provider, "a", OPEN)
    catalog.mark_down("a")
    catalog.stand(A.provider, "a", CLOSED)
    assert not catalog.is_live(A)
