"""The table of who may do what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.accounts.access import check, need
from prysm.core.caller import ROOT
from prysm.errors import Forbidden

if TYPE_CHECKING:
    from prysm.core.caller import Role, Scope

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def may(role: Role, method: str, path: str, scopes: frozenset[Scope] | None = None) -> bool:
    try:
        check(replace(ROOT, key=uuid4(), role=role, scopes=scopes), method, path)
    except Forbidden:
        return False
    return True


@given(method=st.sampled_from(METHODS), path=st.text(max_size=30).map("/".__add__))
def test_what_is_not_listed_takes_the_root_key(method: str, path: str) -> None:
    assert may("root", method, path)
    if need(method, path).roles == {"root"}:
        assert not any(may(role, method, path) for role in ("admin", "member", "reader"))


@pytest.mark.parametrize(
    "path", ["/v1/keys/", "//v1/keys", "/v1/keys/a/b", "/V1/keys", "/v1/models\n/x/../../keys"]
)
def test_a_path_that_is_only_like_a_listed_one_is_not_it(path: str) -> None:
    allowed = path.startswith("/v1/models")
    assert not may("member", "POST", path)
    assert need("DELETE", path).roles == {"root"}
    assert may("reader", "GET", path) == (allowed and "\n" not in path)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/keys", "/v1/usage", "/v1/responses/x"])
def test_a_reader_changes_nothing(method: str, path: str) -> None:
    assert not may("reader", method, path) or method in {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/keys/x", "/v1/projects", "/v1/audit"])
def test_administration_is_for_admins(path: str) -> None:
    assert may("admin", "GET", path)
    assert may("admin", "GET", path, frozenset({"admin"}))
    assert not may("admin", "GET", path, frozenset({"chat"}))
    assert not may("member", "GET", path)


def test_organisations_are_for_root() -> None:
    for method in ("GET", "POST", "PATCH"):
        assert not may("admin", method, "/v1/organisations")
        assert not may("admin", method, "/v1/organisations/x")


def test_a_scope_opens_its_own_routes_and_no_others() -> None:
    routes = {"chat": "/v1/chat/completions", "embeddings": "/v1/embeddings", "feedback": "/v1/feedback"}
    for scope, path in routes.items():
        for other in routes:
            assert may("member", "POST", path, frozenset({other})) == (other == scope)  # type: ignore[arg-type]
    assert may("member", "GET", "/v1/models", frozenset())
