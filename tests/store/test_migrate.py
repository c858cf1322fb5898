from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from prysm.errors import ConfigError
from prysm.store.connection import connect
from prysm.store.migrate import alembic_config, engine, migrate
from prysm.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

    Sql = Callable[[str], Awaitable[object]]


TABLES = """
    SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
OURS = " ".join(sorted({"alembic_version", *metadata.tables}))
FRESH = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


async def execute(url: str, statements: str) -> None:
    connection = await connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


def whole(name: str | None, kind: str, _: object) -> bool:
    """Whether it is no partition: these are as their table is."""
    return kind != "table" or name in metadata.tables or not str(name).startswith(("usage_", "stage_"))


def first_release(connection: Connection) -> None:
    """Migrate as the first release did."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


@pytest.fixture
async def empty_url(database_url: str) -> str:
    await execute(database_url, FRESH)
    return database_url


async def test_an_empty_database_gets_every_table(sql: Sql, empty_url: str) -> None:
    await asyncio.to_thread(migrate, empty_url)
    assert await sql(TABLES) == OURS


async def test_migrating_again_changes_nothing(sql: Sql, database_url: str) -> None:
    await asyncio.to_thread(migrate, database_url)
    assert await sql(TABLES) == OURS


async def test_many_starters_may_migrate_at_once(sql: Sql, empty_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate, empty_url) for _ in range(6)))
    assert await sql(TABLES) == OURS


async def test_the_migrated_schema_is_the_one_the_code_expects(database_url: str) -> None:
    def difference(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True, "include_name": whole}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    database = engine(database_url)
    async with database.connect() as connection:
        assert await connection.run_sync(difference) == []
    await database.dispose()


async def test_a_database_of_a_later_release_is_refused_and_left_alone(sql: Sql, database_url: str) -> None:
    await sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer than this gateway"):
        await asyncio.to_thread(migrate, database_url)
    assert await sql("SELECT version_num FROM alembic_version") == "9999"


async def test_an_update_of_a_receipt_is_refused_by_the_database(sql: Sql) -> None:
    for table in ("receipt", "stage"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await sql(f"UPDATE {table} SET request_id = gen_random_uuid()")  # noqa: S608  a constant


async def test_a_database_of_the_first_release_is_brought_up_with_its_receipts(sql: Sql, empty_url: str) -> None:
    database = engine(empty_url)
    async with database.begin() as connection:
        await connection.run_sync(first_release)
    await database.dispose()
    await sql("INSERT INTO receipt (request_id, payload, proof_hash) VALUES (gen_random_uuid(), '{}', '')")
    await asyncio.to_thread(migrate, empty_url)
    assert await sql(TABLES) == OURS
    assert await sql("SELECT count(*) FROM receipt") == 1


@pytest.mark.parametrize("score", ["-0.001", "1.001", "NULL", "'NaN'"])
async def test_a_score_outside_of_0_to_1_is_refused_by_the_database(sql: Sql, score: str) -> None:
    await sql("INSERT INTO receipt (request_id, payload, proof_hash) VALUES (gen_random_uuid(), '{}', '')")
    with pytest.raises(asyncpg.PostgresError):
        await sql(f"INSERT INTO feedback (request_id, score) SELECT request_id, {score} FROM receipt")  # noqa: S608  a constant


def test_no_migration_goes_backwards_and_there_is_one_head() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    assert not [script.revision for script in scripts.walk_revisions() if hasattr(script.module, "downgrade")]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:hunter2@localhost/x", "percent-encoded"),
        ("postgresql://u:hunter2/#@localhost/x", "percent-encoded|does not answer"),
        ("postgresql://u:hunter2@127.0.0.1:1/x", "does not answer"),
    ],
)
async def test_a_wrong_address_is_explained_without_the_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        await connect(url, patience_s=0.2)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


async def test_a_refused_login_is_explained_at_once_without_the_password(postgres_url: str) -> None:
    with pytest.raises(ConfigError, match="refused us") as caught:
        await connect(postgres_url.replace("@", "hunter2@", 1), patience_s=30)
    assert "hunter2" not in str(caught.value)
