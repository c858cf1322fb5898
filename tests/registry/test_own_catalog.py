from __future__ import annotations

import pytest
from tests.registry.test_catalog import FREE, KEYED, KEYLESS, SANDBOX, A, B, C, S

from prysm.core.provider import CLOSED, Standing
from prysm.registry.catalog import Catalog
from prysm.registry.own_catalog import OwnCatalog

OPEN = Standing("open", live=False, retry_at=9.0)


@pytest.fixture
def catalog() -> Catalog:
    return Catalog((A, B, C, S), (KEYED, KEYLESS, FREE, SANDBOX))


def test_a_provider_without_the_operators_key_is_live_for_who_has_one(catalog: Catalog) -> None:
    own = OwnCatalog(catalog, {"keyless": {}})
    assert own.live() == (A, B, C, S)
    assert own.pool() == (A, B, C)
    assert catalog.live() == (A, C, S)
    assert (own.get("b"), own.price_version) == (B, catalog.price_version)


def test_the_breakers_of_the_operators_key_say_nothing_of_another(catalog: Catalog) -> None:
    catalog.stand("keyed", None, OPEN)
    catalog.stand("free", "c", OPEN)
    own = OwnCatalog(catalog, {"keyed": {}})
    assert [own.standing(model) for model in (A, C)] == [CLOSED, OPEN]
    assert own.live() == (A, S)


def test_the_breakers_of_another_key_say_nothing_of_the_operators(catalog: Catalog) -> None:
    own = OwnCatalog(catalog, {"keyed": {None: OPEN}})
    assert (own.is_live(A), own.key_refused("keyed"), own.retry_at) == (False, True, 9.0)
    assert (catalog.is_live(A), catalog.key_refused("keyed")) == (True, False)


def test_what_the_operator_took_down_is_down_for_all(catalog: Catalog) -> None:
    catalog.mark_down("keyed", "c")
    assert OwnCatalog(catalog, {"keyed": {}}).live() == (S,)


def test_it_names_no_variable_of_the_operators_environment(catalog: Catalog) -> None:
    spec = OwnCatalog(catalog, {"keyed": {}}).provider("keyed")
    assert (spec.api_key, spec.api_key_env, spec.usable) == (None, None, True)


def test_every_change_of_a_catalog_counts(catalog: Catalog) -> None:
    before = catalog.changes
    catalog.stand("keyed", None, OPEN)
    catalog.learn({})
    catalog.mark_down("c")
    assert catalog.changes == before + 3
