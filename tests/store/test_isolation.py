"""What Postgres keeps apart by itself: every statement here forgets to say whose rows it wants."""

from __future__ import annotations

import asyncio
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.api.holder import holder
from tests.serving import PROMPT, SANDBOX, served

from prysm.errors import ConfigError
from prysm.store import intents, lease, verdicts
from prysm.store.connection import connect
from prysm.store.database import Database
from prysm.store.embedded import EmbeddedPostgres
from prysm.store.isolation import EVERYBODY, PUBLIC, SEALER, TENANT, acting_for, become
from prysm.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from asyncpg import Record

    from prysm.store.connection import Connection

A, B = UUID(int=0xA), UUID(int=0xB)
ROLES = (TENANT, SEALER, PUBLIC)

ROWS = {
    "organisation": ("id", "(id, name) VALUES ('{org}', '{org}')"),
    "project": ("org", "(id, org, name) VALUES ('{org}', '{org}', 'default')"),
    "api_key": ("org", "(id, org, project, name, role) VALUES ('{org}', '{org}', '{org}', 'a', 'member')"),
    "api_secret": ("org", "(prefix, key, org, digest) VALUES ('{org}', '{org}', '{org}', '')"),
    "budget": ("org", "(id, org, period, limit_nano) VALUES ('{org}', '{org}', 'day', 1)"),
    "budget_window": ("budget", "(budget, starts) VALUES ('{org}', 'today')"),
    "ledger_account": ("org", "(org, name, shard) VALUES ('{org}', 'credits', 0)"),
    "ledger_entry": (
        "org",
        "(org, kind, source, target, shard, amount_nano) VALUES ('{org}', 'topup', 'funding', 'credits', 0, 1)",
    ),
    "usage": (
        "org",
        """(request_id, org, project, strategy, mode, policy, task, outcome, estimated, tags)
        VALUES ('{org}', '{org}', '{org}', '', '', '', '', '', false, '{{}}')""",
    ),
    "usage_pruned": ("org", "(org, cost_nano) VALUES ('{org}', 1)"),
    "receipt": ("request_id", "(request_id, payload, proof_hash) VALUES ('{org}', '', '')"),
    "feedback": ("request_id", "(request_id, score) VALUES ('{org}', 1)"),
    "response": (
        "org",
        "(id, org, owner, input, body, expires_at) VALUES ('{org}', '{org}', '', '', '', 'infinity')",
    ),
    "audit_event": (
        "org",
        "(id, at, org, actor, action, target, detail, body) VALUES ('{org}', now(), '{org}', '', '', '', '{{}}', '')",
    ),
    "idempotency": ("org", "(org, caller, name, request, request_id) VALUES ('{org}', '', '', '', '{org}')"),
    "provider_key": (
        "org",
        "(id, org, provider, wrapped_key, sealed, last4) VALUES ('{org}', '{org}', 'p', '', '', '')",
    ),
    "cached_answer": (
        "org",
        "(org, key, request_id, body, expires_at) VALUES ('{org}', sha256('{org}'), '{org}', '', 'infinity')",
    ),
    "intent": ("request_id", """(request_id, body, payer) VALUES ('{org}', '', '{{"org": "{org}"}}')"""),
    "log_leaf": (
        "request_id",
        "(log, idx, kind, digest, request_id) SELECT 1, count(*), 4, '', '{org}' FROM log_leaf",
    ),
}
"""Tables with rows of tenants: the column that tells here whose they are, and how one is made."""

NOBODYS = {
    *("receipt", "stage", "log", "log_key", "log_queue", "log_leaf", "log_tile", "checkpoint"),
    *("instance", "meter", "pruned", "secret", "alembic_version"),
}
"""Tables of the operator, and those of the log and of receipts, which are public to whoever knows what to ask for."""

TABLES = """
    SELECT relname AS name, relrowsecurity AS secured, EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'org' AND NOT attisdropped
        ) AS owned, EXISTS (
            SELECT FROM pg_policies WHERE tablename = relname AND roles = '{prysm_tenant}' AND qual ~ 'acting_org'
        ) AS apart
    FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
GRANTED = """
    SELECT relname AS name, relispartition AS part FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
    AND (has_table_privilege($1, oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        OR CASE WHEN relkind <> 'S' THEN has_any_column_privilege($1, oid, 'SELECT, INSERT, UPDATE, REFERENCES') END)
"""
FUNCTIONS = """
    SELECT proname AS name, prosecdef AS defined, proconfig::text ~ 'search_path=.*pg_temp' AS fixed,
        has_function_privilege($1, oid, 'EXECUTE') AS allowed
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def named(postgres_url: str, database: str, login: str = "") -> str:
    """The same server, another database, and another login if one is given."""
    parts = urlsplit(postgres_url)
    host = f"{login}@" + parts.netloc.partition("@")[2] if login else parts.netloc
    return parts._replace(path=f"/{database}", netloc=host).geturl()


def administrator(postgres_url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await connect(postgres_url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


@pytest.fixture(scope="module")
def plain_url() -> Iterator[str]:
    """A database migrated by a login of its own that is no superuser and may make roles, on a server of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="prysm-test-") as folder,
        EmbeddedPostgres.start(Path(folder)) as server,
    ):
        administrator(
            server.url, "CREATE ROLE owner LOGIN CREATEROLE PASSWORD 'o'", "CREATE DATABASE theirs OWNER owner"
        )
        url = named(server.url, "theirs", "owner:o")
        migrate(url)
        yield url


@pytest.fixture(params=["superuser", "plain login"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("database_url" if request.param == "superuser" else "plain_url")
    return found


@pytest.fixture
async def owner(url: str) -> AsyncIterator[Connection]:
    """In a transaction that is rolled back, with a row of A and one of B in every table that has such."""
    connection = await connect(url)
    await connection.execute("BEGIN; INSERT INTO log VALUES (1, 'o'); SET CONSTRAINTS ALL IMMEDIATE")
    for org in (A, B):
        for table, (_, row) in ROWS.items():
            await connection.execute(f"INSERT INTO {table} {row.format(org=org)}")
    yield connection
    await connection.close()


async def act(connection: Connection, whose: UUID | str = "", role: str = TENANT) -> Connection:
    await connection.execute(f"{become(role)}; SET prysm.org = '{whose}'")
    return connection


async def attempt(connection: Connection, statement: str) -> list[Record]:
    """What comes back, nothing where the role may not even ask; leaves no trace."""
    await connection.execute("SAVEPOINT attempt")
    try:
        found: list[Record] = await connection.fetch(statement)
    except asyncpg.InsufficientPrivilegeError:
        return []
    finally:
        await connection.execute("ROLLBACK TO attempt")
    return found


async def refused(connection: Connection, *statements: str) -> None:
    for statement in statements:
        await connection.execute("SAVEPOINT attempt")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
        await connection.execute("ROLLBACK TO attempt")


async def seen(connection: Connection, table: str) -> set[UUID]:
    column = ROWS[table][0]
    return {row[0] for row in await connection.fetch(f"SELECT {column} FROM {table}")} & {A, B}  # noqa: S608 - constants


async def test_every_table_is_known_and_a_tenants_rows_are_kept_apart(owner: Connection) -> None:
    tables = {row["name"]: row for row in await owner.fetch(TABLES)}
    assert tables.keys() == ROWS.keys() | NOBODYS
    assert {name for name, table in tables.items() if table["owned"]} <= ROWS.keys()
    for name in ROWS:
        assert tables[name]["secured"]
        assert tables[name]["apart"] or name in {"budget_window", "feedback", "receipt", "log_leaf"}, name


async def test_an_organisation_sees_its_own_rows_and_without_a_setting_none_are_seen(owner: Connection) -> None:
    for whose, found in ((A, {A}), (B, {B}), (EVERYBODY, {A, B}), ("", set())):
        await act(owner, whose)
        for table in ROWS:
            assert await seen(owner, table) == found, (table, whose)


async def test_a_connection_that_never_had_a_setting_sees_nothing(url: str) -> None:
    connection = await connect(url)
    await connection.execute(become(TENANT))
    assert await connection.fetch("SELECT FROM organisation") == []
    await connection.execute("RESET ALL")
    assert await connection.fetchval("SELECT current_user") == TENANT
    assert await connection.fetch("SELECT FROM project") == []
    await connection.close()


async def test_an_organisation_changes_and_makes_no_row_of_another(owner: Connection) -> None:
    await act(owner, A)
    for table, (column, row) in ROWS.items():
        for statement in (
            f"UPDATE {table} SET {column} = {column} WHERE {column} = '{B}'",  # noqa: S608 - constants, here and below
            f"UPDATE {table} SET {column} = '{B}' WHERE {column} = '{A}'",  # noqa: S608
            f"DELETE FROM {table} WHERE {column} = '{B}'",  # noqa: S608
        ):
            assert await attempt(owner, f"{statement} RETURNING 1") == [], statement
        await refused(owner, f"INSERT INTO {table} {row.format(org=B)}")
    for table in ("project", "api_key", "budget", "provider_key", "cached_answer"):
        assert await attempt(owner, f"UPDATE {table} SET org = org RETURNING 1") != [], table  # noqa: S608


async def test_an_organisation_gives_itself_nothing(owner: Connection) -> None:
    await act(owner, A)
    for change in ("organisation SET prepaid = false", "ledger_account SET balance_nano = 1"):
        assert await attempt(owner, f"UPDATE {change} RETURNING 1") == []
    entry = ROWS["ledger_entry"][1].format(org=A)
    await refused(owner, f"INSERT INTO ledger_entry {entry}", "SELECT wrapped FROM log_key", "SELECT FROM meter")
    assert await attempt(owner, "SELECT FROM secret") == []


async def test_no_secret_is_made_for_the_key_of_another(owner: Connection) -> None:
    await act(owner, A)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await owner.execute(f"INSERT INTO api_secret (prefix, key, org, digest) VALUES ('x', '{B}', '{A}', '')")  # noqa: S608


async def test_whoever_seals_reads_and_changes_nothing_that_is_sealed(owner: Connection) -> None:
    await act(owner, role=SEALER)
    readable = {"receipt", "intent", "idempotency"}
    for table in ROWS.keys() - readable:
        await refused(owner, f"SELECT 1 FROM {table}", f"DELETE FROM {table}")  # noqa: S608
    await refused(
        owner,
        *("SELECT payload FROM receipt", "UPDATE receipt SET payload = ''", "DELETE FROM receipt"),
        *("SELECT body FROM stage", "UPDATE stage SET body = ''", "DELETE FROM stage", "SELECT FROM log_queue"),
        *("SELECT answer FROM idempotency", "SELECT name FROM idempotency", "DELETE FROM idempotency"),
        *("UPDATE log_key SET status = 'active'", "SELECT FROM secret", "UPDATE intent SET body = ''"),
    )
    assert {A, B} <= {row["request_id"] for row in await owner.fetch("SELECT request_id, proof_hash FROM receipt")}
    assert await owner.fetchval("SELECT settle('{}', '[]', '[]', gen_random_uuid())") == 0


async def test_whoever_seals_may_all_that_the_lease_and_the_reaper_need(owner: Connection) -> None:
    await act(owner, role=SEALER)
    now, second = datetime.now(UTC), timedelta(seconds=1)
    assert await owner.fetchrow(lease.RENEW, A, second, second) is not None
    await owner.execute("UPDATE intent SET instance = $1", A)
    await owner.execute("UPDATE idempotency SET instance = $1 WHERE expires_at IS NULL", A)
    await owner.execute(lease.END, [A])
    found = await owner.fetch(intents.ABANDONED, B, now, second, second, 9, None, None)
    assert [row["request_id"] for row in found] == [A, B]
    for statement, *values in ((intents.PRUNE, second), (lease.DELETE, B), (verdicts.RELEASE, [A, B], B)):
        await owner.execute(statement, *values)
    assert await owner.fetch("SELECT FROM intent") == []
    await act(owner, EVERYBODY)
    assert await owner.fetch("SELECT FROM idempotency WHERE instance IS NOT NULL") == []


async def test_strangers_read_a_receipt_by_its_id_and_cannot_list_any(owner: Connection) -> None:
    await act(owner, role=PUBLIC)
    assert len(await owner.fetch("SELECT * FROM receipt_of($1)", A)) == 1
    assert await owner.fetch("SELECT * FROM receipt_of($1)", uuid4()) == []
    assert await owner.fetch("SELECT kind, digest FROM log_leaf") != []
    for table in ROWS.keys() - {"log_leaf"}:
        await refused(owner, f"SELECT 1 FROM {table}")  # noqa: S608
    await refused(
        owner,
        *("SELECT request_id FROM log_leaf", "SELECT * FROM log_leaf", "SELECT wrapped FROM log_key"),
        *("SELECT FROM stage", "SELECT FROM log_queue", "DELETE FROM log_tile", "INSERT INTO log VALUES (9, '')"),
    )


@pytest.mark.parametrize(
    ("role", "functions"),
    [
        (TENANT, {"acting_org", "acting_for_everybody", "window_start"}),
        (SEALER, {"admit", "settle", "requested"}),
        (PUBLIC, {"receipt_of", "place_of"}),
    ],
)
async def test_a_role_calls_its_functions_and_no_other(owner: Connection, role: str, functions: set[str]) -> None:
    found = await owner.fetch(FUNCTIONS, role)
    assert {row["name"] for row in found if row["allowed"]} == functions
    defined = {"admit", "settle", "requested", "receipt_of", "place_of"}
    assert {row["name"] for row in found if row["defined"]} == defined
    assert all(row["fixed"] for row in found if row["defined"])


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reaches_no_partition_and_nothing_that_is_not_listed(owner: Connection, role: str) -> None:
    found = await owner.fetch(GRANTED, role)
    assert [row["name"] for row in found if row["part"]] == []
    assert {row["name"] for row in found} <= ROWS.keys() | NOBODYS - {"meter", "pruned", "alembic_version"}


@pytest.fixture
async def filled(url: str) -> AsyncIterator[str]:
    """The address of a database with the projects of A and B in it."""
    connection = await connect(url)
    for table in ("organisation", "project"):
        for org in (A, B):
            await connection.execute(f"INSERT INTO {table} {ROWS[table][1].format(org=org)}")
    yield url
    for table in ("project", "organisation"):
        await connection.execute(f"DELETE FROM {table} WHERE {ROWS[table][0]} IN ('{A}', '{B}')")  # noqa: S608
    await connection.close()


async def test_a_store_that_is_not_told_whose_rows_gives_those_of_who_asks(filled: str) -> None:
    database = await Database.open(filled)

    async def asked(whose: UUID) -> set[UUID]:
        with acting_for(whose):
            await asyncio.sleep(0)
            return {project.org for project in await database.tenants.projects(None, 9)}

    tasks = [asyncio.create_task(asked(whose)) for _ in range(50) for whose in (A, B)]
    assert await asyncio.gather(*tasks) == [{A}, {B}] * 50
    assert await database.tenants.projects(None, 9) == []
    with acting_for(EVERYBODY):
        assert {A, B} <= {project.org for project in await database.tenants.projects(None, 9)}
    await database.close()


async def test_every_pool_has_its_role(url: str) -> None:
    database = await Database.open(url)
    pools = {"pool": TENANT, "sealing": SEALER, "keyed": TENANT, "public": PUBLIC}
    for _ in range(2):
        assert {name: await getattr(database, name).fetchval("SELECT current_user") for name in pools} == pools
    assert await database.pool.fetchval("SELECT current_setting('prysm.org')") == EVERYBODY
    await database.close()


def test_a_gateway_does_all_its_work_as_a_plain_login(plain_url: str) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="prysm-test-") as folder,
        served(Path(folder), SANDBOX, plain_url) as it,
    ):
        run = it.chat("sandbox-small").json()["prysm"]["request_id"]
        assert it.proof(run)["verified"] is True
        assert it.http.post("/v1/feedback", json={"request_id": run, "correct": True}).status_code == 200
        who = holder(it, role="member", rpm=2, budget_usd=1)
        asked = {"model": "sandbox-small", "messages": [{"role": "user", "content": PROMPT}]}
        assert [who.post("/v1/chat/completions", asked).status_code for _ in range(3)] == [200, 200, 429]
        assert who.get("/v1/usage").json()["total_requests"] == 2
        assert it.http.get("/v1/usage").json()["total_requests"] == 3


@pytest.fixture
def login(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """The address of an empty database whose login has nothing but the options that are asked for."""
    name = f"login_{uuid4().hex}"

    def made(options: str) -> str:
        role = f"CREATE ROLE {name} LOGIN PASSWORD 'o' {options}"
        administrator(postgres_url, role, f"CREATE DATABASE {name} OWNER {name}")
        return named(postgres_url, name, f"{name}:o")

    yield made
    administrator(postgres_url, f"DROP DATABASE {name}", f"DROP ROLE {name}")


@pytest.mark.parametrize("options", ["NOCREATEROLE", "CREATEROLE"])
def test_a_login_that_may_not_have_the_roles_is_told_what_to_run_and_then_may(
    postgres_url: str, login: Callable[[str], str], options: str
) -> None:
    url = login(options)
    with pytest.raises(ConfigError, match="Have an administrator") as caught:
        migrate(url)
    asked = re.search(r"once: (.*;) Then", caught.value.message)
    assert asked is not None
    assert "CREATE ROLE" not in asked[1]  # this server has them
    administrator(postgres_url, asked[1])
    migrate(url)
