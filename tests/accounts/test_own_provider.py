"""A provider called with an organisation's own key, against a scripted upstream."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.api.wire import completion
from tests.providers.upstream import running

from prysm.accounts import own_provider
from prysm.accounts.own_provider import OwnProvider
from prysm.core.chat import Message, ModelCall, Sampling
from prysm.core.model import Model
from prysm.core.provider import ProviderSpec
from prysm.errors import ProviderError
from prysm.providers.build import build_provider
from prysm.providers.transport import open_transport
from prysm.vault import WrongEncryptionKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.providers.upstream import Upstream

KEY = "sk-canary-of-a-tenant"
MODEL = Model("a", "host", "a", "a", "host", "mid")
CALL = ModelCall(MODEL, (Message("user", "Hello"),), Sampling())
SPEC = ProviderSpec("host", "openai", api_key="of the operator", api_key_env="HOST_KEY", needs_key=True)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with running() as found:
        found.plays(completion("hello"))
        yield found


@pytest.fixture
async def made(upstream: Upstream) -> AsyncIterator[Callable[[Callable[[], str]], OwnProvider]]:
    transport = open_transport()
    spec = replace(SPEC, base_url=upstream.url)
    yield lambda opens: OwnProvider(spec, opens, lambda keyed: build_provider(keyed, transport))
    await transport.aclose()


async def test_the_key_is_opened_for_a_call_and_kept_for_a_moment(
    upstream: Upstream, made: Callable[[Callable[[], str]], OwnProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_provider, "KEPT_S", 1.0)
    opened: list[str] = []

    def opens() -> str:
        opened.append(KEY)
        return KEY

    own = made(opens)
    for _ in range(3):
        assert (await own.complete(CALL)).text == "hello"
    assert opened == [KEY]
    await asyncio.sleep(1.1)
    assert own._keyed is None
    await own.complete(CALL)
    assert opened == [KEY] * 2
    assert {seen.headers["authorization"] for seen in upstream.seen} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_key_that_does_not_open_fails_the_call_before_it_is_made(
    upstream: Upstream, made: Callable[[Callable[[], str]], OwnProvider], *, streamed: bool
) -> None:
    def closed() -> str:
        raise WrongEncryptionKey("under another")

    own = made(closed)
    with pytest.raises(ProviderError, match="cannot be opened: an admin can store it anew") as failed:
        _ = [piece async for piece in own.stream(CALL)] if streamed else await own.complete(CALL)
    assert (failed.value.kind, failed.value.sent, upstream.seen) == ("auth", False, [])
    assert failed.value.__context__ is None


async def test_a_revoked_key_makes_no_further_call_not_even_in_a_run_under_way(
    upstream: Upstream, made: Callable[[Callable[[], str]], OwnProvider]
) -> None:
    own = made(lambda: KEY)
    await own.complete(CALL)
    own.revoke()
    with pytest.raises(ProviderError, match="revoked") as failed:
        await own.complete(CALL)
    assert (failed.value.sent, len(upstream.seen)) == (False, 1)
