"""Provider keys in the database: one for each organisation and provider, and what can be read of a stolen copy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from prysm.accounts.sealed_key import Belongs, SealedKey, rewrapped, seal, unseal
from prysm.core.caller import DEFAULT_ID
from prysm.store.audit import Event
from prysm.store.connection import connect
from prysm.store.isolation import EVERYBODY, TENANT, act_for, open_pool
from prysm.store.provider_keys import KnownProviderKey, ProviderKeyStore, rewrap
from prysm.vault import Vault, WrongEncryptionKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OLD, NEW = Vault("the operator's key until now"), Vault("the operator's key from now on")
EVENT = Event("provider_key.create", "x")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[ProviderKeyStore]:
    act_for(EVERYBODY)
    pool = await open_pool(database_url, 4, TENANT, EVERYBODY)
    yield ProviderKeyStore(pool, pool)
    await pool.close()


def sealed(text: str = "sk-canary", provider: str = "openai") -> KnownProviderKey:
    belongs = Belongs(uuid4(), DEFAULT_ID, provider)
    key = seal(OLD, text, belongs)
    return KnownProviderKey(belongs.id, belongs.org, provider, key.wrapped_key, key.sealed)


def opened(vault: Vault, key: KnownProviderKey) -> str:
    return unseal(
        vault, SealedKey(key.wrapped_key or b"", key.sealed or b""), Belongs(key.id, key.org, key.provider)
    )


async def test_what_changed_is_told_once_all_is_known(store: ProviderKeyStore) -> None:
    nothing = await store.changed(None)
    assert nothing.keys == []
    first, second = sealed("one"), sealed("two")
    await store.create(EVENT, first, None, "aaaa")
    assert (await store.changed(nothing.at)).keys == [first]
    await store.create(EVENT, second, None, "bbbb")
    gone = KnownProviderKey(first.id, first.org, first.provider, None, None)
    assert (await store.changed(nothing.at)).keys == [gone, second]
    assert (await store.changed(None)).keys == [second]


async def test_of_keys_that_come_at_the_same_moment_one_stays(store: ProviderKeyStore) -> None:
    keys = [sealed() for _ in range(8)]
    came = await asyncio.gather(*(store.create(EVENT, key, None, "aaaa") for key in keys), return_exceptions=True)
    assert None in came
    assert len((await store.changed(None)).keys) == 1


async def test_a_revoked_key_is_no_longer_in_the_database(store: ProviderKeyStore, database_url: str) -> None:
    key = sealed()
    await store.create(EVENT, key, "label", "aaaa")
    assert not await store.revoke(EVENT, key.id, uuid4())
    assert await store.revoke(EVENT, key.id, None)
    assert not await store.revoke(EVENT, key.id, None)
    connection = await connect(database_url)
    assert await connection.fetchval("SELECT num_nonnulls(wrapped_key, sealed) FROM provider_key") == 0
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("UPDATE provider_key SET revoked_at = NULL")
    await connection.close()


async def test_rows_whose_columns_were_swapped_do_not_open(store: ProviderKeyStore, database_url: str) -> None:
    await store.create(EVENT, sealed("of one"), None, "aaaa")
    await store.create(EVENT, sealed("of another", "anthropic"), None, "bbbb")
    connection = await connect(database_url)
    await connection.execute("""
        UPDATE provider_key k SET wrapped_key = o.wrapped_key, sealed = o.sealed FROM provider_key o WHERE o.id <> k.id
    """)
    await connection.close()
    for key in (await store.changed(None)).keys:
        with pytest.raises(WrongEncryptionKey):
            opened(OLD, key)


async def test_rewrapping_puts_all_keys_under_the_new_one_and_can_be_repeated(
    store: ProviderKeyStore, database_url: str
) -> None:
    for provider in ("openai", "anthropic", "gemini"):
        await store.create(EVENT, sealed(f"of {provider}", provider), None, "aaaa")
    before = {key.provider: key for key in (await store.changed(None)).keys}
    connection = await connect(database_url)
    assert [await rewrap(connection, once) for _ in range(2)] == [(3, 3), (3, 0)]
    assert await connection.fetchval("SELECT count(*) FROM audit_event WHERE action = 'provider_key.rewrap'") == 1
    await connection.close()
    for key in (await store.changed(None)).keys:
        assert key.sealed == before[key.provider].sealed
        assert opened(NEW, key) == f"of {key.provider}"
        with pytest.raises(WrongEncryptionKey):
            opened(OLD, key)


async def test_a_key_under_neither_stops_the_rewrapping_before_any_is_changed(
    store: ProviderKeyStore, database_url: str
) -> None:
    await store.create(EVENT, sealed(), None, "aaaa")
    strange = Belongs(uuid4(), DEFAULT_ID, "anthropic")
    of_another = seal(Vault("an operator's key from elsewhere"), "x", strange)
    key = KnownProviderKey(strange.id, strange.org, "anthropic", of_another.wrapped_key, of_another.sealed)
    await store.create(EVENT, key, None, "bbbb")
    before = {key.id: key for key in (await store.changed(None)).keys}
    connection = await connect(database_url)
    with pytest.raises(WrongEncryptionKey):
        await rewrap(connection, once)
    await connection.close()
    assert {key.id: key for key in (await store.changed(None)).keys} == before


def once(key: KnownProviderKey) -> bytes | None:
    return rewrapped(OLD, NEW, key.wrapped_key or b"", Belongs(key.id, key.org, key.provider))
