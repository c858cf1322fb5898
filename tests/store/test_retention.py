"""What is old goes, what is promised stays, and neither the ledger nor fsck takes it for a loss."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from tests.store import receipts
from tests.store.filled_log import Filled, filled
from tests.store.till import Run, Till, budget, organisation, payer
from tests.store.waiting import eventually

from prysm.proof.verify import verify_document
from prysm.proof.written import receipt_document
from prysm.store import months as partitions
from prysm.store import retention
from prysm.store.ledger import ledger_defects
from prysm.store.migrate import alembic_config, engine, migrate
from prysm.store.months import MOST_MOVED, TABLES, Month, drop, make, months
from prysm.store.retention import Retention, prune

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from sqlalchemy import Connection as Sync

    from prysm.store.connection import Connection

    Sql = Callable[[str], Awaitable[object]]

YEAR = timedelta(days=365)
NOW = datetime.now(UTC)
USED = """
    INSERT INTO usage (request_id, at, org, project, strategy, mode, policy, task, outcome, cost_nano, estimated, tags)
    SELECT gen_random_uuid(), $2, $1, $1, 'single', 'balanced', 'balanced', 'chat', 'ok', $3, false, '{}'
    FROM generate_series(1, $4)
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    made = await asyncpg.connect(database_url)
    yield made
    await made.close()


@pytest.fixture
async def log(database_url: str, tmp_path: Path) -> AsyncIterator[Filled]:
    async with filled(database_url, tmp_path) as made:
        yield made


async def age(connection: Connection, by: timedelta, table: str) -> None:
    """Make all rows of a table older, in the partitions that they would have come into."""
    moment = "made_at" if table == "ledger_entry" else "sealed_at" if table == "receipt" else "at"
    if table in TABLES:
        for month in {Month.of(table, NOW - by), Month.of(table, NOW - by).next()}:
            await make(connection, month)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(f"UPDATE {table} SET {moment} = {moment} - $1::interval", by)  # noqa: S608
    await connection.execute("SET session_replication_role = DEFAULT")


async def names(connection: Connection, table: str) -> list[str]:
    return [month.name for month in await months(connection, table)]


@given(st.datetimes(datetime(1970, 1, 1), datetime(2400, 1, 1)))  # noqa: DTZ001 - in UTC
def test_every_moment_lies_in_one_month_whose_name_tells_it(moment: datetime) -> None:
    month = Month.of("usage", moment.replace(tzinfo=UTC))
    assert month.since <= moment.replace(tzinfo=UTC) < month.until == month.next().since
    assert Month.named("usage", month.name) == month
    assert Month.named("stage", month.name) is None


async def test_this_month_and_the_next_are_made_once_by_whoever_comes(database_url: str) -> None:
    many = [await asyncpg.connect(database_url) for _ in range(4)]
    done = await asyncio.gather(*(prune(one, YEAR) for one in many))
    made = sorted(name for each in done for name in each.made)
    this = {table: Month.of(table, NOW) for table in TABLES}
    assert made == sorted([this["usage"].name, this["usage"].next().name, this["stage"].next().name])
    for table in TABLES:
        assert await names(many[0], table) == [this[table].name, this[table].next().name]
    await asyncio.gather(*(one.close() for one in many))


async def test_what_came_before_its_month_was_made_moves_into_it(connection: Connection) -> None:
    await connection.execute(USED, uuid4(), NOW, 7, 3)
    await prune(connection, YEAR)
    assert await connection.fetchval("SELECT count(*) FROM usage_rest") == 0
    assert await connection.fetchval(f"SELECT sum(cost_nano) FROM {Month.of('usage', NOW).name}") == 21  # noqa: S608


async def test_storing_goes_on_while_its_month_is_made(database_url: str, connection: Connection) -> None:
    org, stop = uuid4(), asyncio.Event()

    async def store() -> int:
        mine, stored = await asyncpg.connect(database_url), 0
        while not stop.is_set():
            await mine.execute(USED, org, datetime.now(UTC), 1, 1)
            stored += 1
        await mine.close()
        return stored

    at_work = [asyncio.create_task(store()) for _ in range(4)]
    await asyncio.sleep(0.2)
    assert len((await prune(connection, YEAR)).made) == 3
    await asyncio.sleep(0.2)
    stop.set()
    stored = sum(await asyncio.gather(*at_work))
    assert await connection.fetchval("SELECT count(*) FROM usage") == stored > 0
    assert await connection.fetchval("SELECT count(*) FROM usage_rest") == 0


async def test_too_many_to_move_stay_where_they_are_and_are_pruned_row_by_row(connection: Connection) -> None:
    org = uuid4()
    await connection.execute(USED, org, NOW, 1, MOST_MOVED + 1)
    assert Month.of("usage", NOW).name not in (await prune(connection, YEAR)).made
    await connection.execute("UPDATE usage_rest SET at = at - interval '400 days'")
    assert (await prune(connection, YEAR)).deleted == {"usage": MOST_MOVED + 1}
    assert await connection.fetchval("SELECT cost_nano FROM usage_pruned WHERE org = $1", org) == MOST_MOVED + 1


async def test_a_month_is_dropped_when_its_last_moment_is_old_enough(connection: Connection) -> None:
    for days in (340, 365, 400):
        await make(connection, Month.of("usage", NOW - timedelta(days=days)))
    old = [Month.of("usage", NOW - timedelta(days=days)) for days in (400, 365)]
    done = await prune(connection, YEAR)
    assert done.dropped == [month.name for month in old if month.until <= NOW - YEAR]
    assert old[1].name in await names(connection, "usage")


@pytest.mark.parametrize("runs", [timedelta(days=1), timedelta(days=40)])
async def test_the_ledger_agrees_with_usage_that_was_pruned(database_url: str, runs: timedelta) -> None:
    till = await Till.open(database_url)
    orgs = [await organisation(till.connection, 1000), await organisation(till.connection)]
    await prune(till.connection, YEAR)
    older, newer = ([Run(payer(org), cost=cost) for org in orgs for cost in (5, None, 30)] for _ in range(2))
    await till.admit(older)
    await till.settle(older)
    for table in ("usage", "ledger_entry"):
        await age(till.connection, timedelta(days=100), table)
    await till.admit(newer)
    await till.settle(newer)
    assert await ledger_defects(till.connection) == []
    done = await prune(till.connection, runs)
    assert await till.connection.fetchval("SELECT count(*) FROM usage") == 6
    assert Month.of("usage", NOW - timedelta(days=100)).name in done.dropped
    assert await ledger_defects(till.connection) == []
    await till.connection.execute("UPDATE usage_pruned SET cost_nano = 34")
    assert len(await ledger_defects(till.connection)) == 2
    await till.connection.close()


async def test_a_period_under_a_month_is_kept_to_the_day(connection: Connection) -> None:
    org = uuid4()
    for days in (0, 1, 3, 5, 9):
        at = NOW - timedelta(days=days)
        await make(connection, Month.of("usage", at))
        await connection.execute(USED, org, at, 1, 1)
    await prune(connection, timedelta(days=4))
    assert await connection.fetchval("SELECT count(*) FROM usage") == 3
    assert await connection.fetchval("SELECT cost_nano FROM usage_pruned") == 2


async def aged(log: Filled) -> tuple[UUID, UUID]:
    """Two receipts, one of them 100 days old and without its stages, which were pruned."""
    old = (await log.logged(1))[0]
    await log.connection.execute("DELETE FROM stage WHERE request_id <> $1", old)
    others = "DELETE FROM feedback; DELETE FROM log_queue; DELETE FROM receipt WHERE request_id <> '{}'"
    await log.tamper(others.format(old))
    for table in ("receipt", "stage"):
        await age(log.connection, timedelta(days=100), table)
    done = await prune(log.connection, timedelta(days=35))
    assert Month.of("stage", NOW - timedelta(days=100)).name in done.dropped
    return old, (await log.logged(1))[0]


async def test_fsck_tells_stages_that_were_pruned_from_stages_that_are_missing(log: Filled) -> None:
    old, new = await aged(log)
    found = await log.audit()
    assert (found.findings, found.counts["pruned"], found.counts["receipts"]) == ([], 1, 2)
    await log.tamper(f"INSERT INTO stage (request_id, i, body) VALUES ('{old}', 1, 'x')")  # noqa: S608
    assert (await log.audit()).kinds == {"receipt_stages": 1}
    await log.tamper("DELETE FROM stage")
    assert [finding.where for finding in (await log.audit()).findings] == [f"receipt {new}"]


async def test_a_receipt_is_verified_without_the_stages_that_were_pruned(log: Filled) -> None:
    old, new = await aged(log)
    path = await receipts.SealPath.open(log.url)
    pruned, whole = await path.receipts.get(old), await path.receipts.get(new)
    await path.close()
    assert pruned is not None
    assert whole is not None
    assert (whole.pruned, pruned.stages) == (None, ())
    assert pruned.pruned == Month.of("stage", NOW - timedelta(days=100)).next().until
    report = verify_document(receipt_document(pruned, None))
    stages = next(check for check in report.checks if check.name == "stages")
    assert (stages.ok, stages.detail, report.failed_level) == (None, "the stages were pruned", None)


class Killed(Exception):
    """Stands for a process that ends between two steps."""


def killed(*_: object) -> None:
    raise Killed


async def test_a_pass_that_is_cut_off_leaves_a_receipt_all_of_its_stages_or_none(
    log: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE_BLOCKS", 1)
    monkeypatch.setattr(retention, "SAY_EVERY_S", -1.0)
    for number in (1, 2, 0):  # their first stages lie in other blocks than their last
        await log.connection.execute(
            "WITH late AS (DELETE FROM stage WHERE i = $1 RETURNING *) INSERT INTO stage SELECT * FROM late", number
        )
        fill = "INSERT INTO stage (request_id, i, body) SELECT gen_random_uuid(), 0, $1 FROM generate_series(1, 9)"
        await log.connection.execute(fill, bytes(1900))
    for table in ("receipt", "stage", "ledger_entry"):
        await age(log.connection, timedelta(days=3), table)
    pruned: list[int] = []
    while True:
        try:
            await prune(log.connection, timedelta(days=2), killed)
        except Killed:
            found = await log.audit()
            assert set(found.kinds) <= {"stage_orphan"}
            pruned.append(found.counts["pruned"])
        else:
            break
    assert len(pruned) > 3
    assert pruned[-1] == found.counts["receipts"] > 10


async def test_who_reads_a_receipt_while_its_month_is_dropped_hears_that_its_stages_are_pruned(log: Filled) -> None:
    run = (await log.logged(1))[0]
    for table in ("receipt", "stage"):
        await age(log.connection, timedelta(days=100), table)
    path = await receipts.SealPath.open(log.url)
    before = await path.receipts.get(run)
    async with log.connection.transaction():
        for month in await months(log.connection, "stage"):
            await drop(log.connection, month)
        reading = asyncio.create_task(path.receipts.get(run))
        await eventually(lambda: log.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
    after = await reading
    await path.close()
    assert before is not None
    assert after is not None
    assert (bool(before.stages), before.pruned) == (True, None)
    assert (after.stages, after.pruned is None) == ((), False)


async def test_windows_that_are_over_and_meters_that_are_idle_go(database_url: str) -> None:
    till = await Till.open(database_url)
    org = await organisation(till.connection)
    day, total = [await budget(till.connection, org, 9, period=period) for period in ("day", "total")]
    ages = {day: ("now()", "now() - interval '500 days'"), total: ("date '1970-01-01'",)}
    for which, starts in ages.items():
        for start in starts:
            await till.connection.execute(f"INSERT INTO budget_window VALUES ($1, {start})", which)  # noqa: S608
    held = "INSERT INTO budget_window VALUES ($1, now() - interval '501 days', 0, 5)"
    await till.connection.execute(held, day)
    await till.connection.execute(
        "INSERT INTO meter SELECT gen_random_uuid(), kind, level, now() - days * interval '1 day'"
        " FROM (VALUES ('runs', 1, 9), ('runs', 0, 9), ('tokens', 3, 9), ('tokens', 3, 0)) x (kind, level, days)"
    )
    done = await prune(till.connection, YEAR)
    assert done.deleted == {"budget_window": 1, "meter": 2}
    await till.connection.close()


async def test_a_table_in_use_is_put_off_without_holding_anybody_up(
    database_url: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_TRIES", 2)
    monkeypatch.setattr(partitions, "LOCK_PAUSE_S", 0.05)
    old = Month.of("usage", NOW - timedelta(days=400))
    await make(connection, old)
    reader = await asyncpg.connect(database_url)
    async with reader.transaction():
        await reader.fetchval("SELECT count(*) FROM usage")
        done = await prune(connection, YEAR)
        assert old.name in done.put_off
    assert old.name in (await prune(connection, YEAR)).dropped
    await reader.close()


async def test_one_process_prunes_and_the_next_turn_is_an_hour_later(
    database_url: str, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = 0

    async def counted(*_: object) -> None:
        nonlocal passes
        passes += 1

    monkeypatch.setattr(retention, "prune", counted)
    gateways = [Retention(database_url, YEAR) for _ in range(3)]
    for _ in range(2):
        await asyncio.gather(*(gateway.turn() for gateway in gateways))
    assert passes == 1
    await sql("UPDATE pruned SET before = before - interval '1 hour'")
    await Retention(database_url, YEAR).turn()
    assert passes == 2


async def test_stages_of_earlier_releases_are_kept_as_the_first_partition(sql: Sql, database_url: str) -> None:
    def before(connection: Sync) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")

    await sql("DROP SCHEMA public CASCADE")
    await sql("CREATE SCHEMA public")
    database = engine(database_url)
    async with database.begin() as sync:
        await sync.run_sync(before)
    await database.dispose()
    await sql("INSERT INTO stage SELECT gen_random_uuid(), 0, 'x' FROM generate_series(1, 10)")
    storage = "SELECT array_agg(pg_relation_filenode(oid)) FROM pg_class WHERE relname ~ '^stage(_\\d.*)?$'"
    old = await sql(storage)
    await asyncio.to_thread(migrate, database_url)
    assert await sql("SELECT count(*) FROM stage WHERE at > now() - interval '1 minute'") == 10
    assert set(await sql(storage)) > set(old)  # type: ignore[call-overload] # arrays of numbers
    await sql("INSERT INTO stage (request_id, i, body) VALUES (gen_random_uuid(), 0, 'x')")
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await sql(f"UPDATE {Month.of('stage', NOW).name} SET i = 1")  # noqa: S608


async def test_what_says_that_it_is_over_goes(connection: Connection) -> None:
    made = (
        "INSERT INTO cached_answer (org, key, request_id, body, expires_at)"
        " SELECT id, sha256(''), gen_random_uuid(), '', now() + $1::interval FROM organisation"
    )
    for days in (-1, 1):
        await connection.execute(made, timedelta(days=days))
    assert (await prune(connection, YEAR)).deleted == {"cached_answer": 1}


async def test_two_who_prune_at_once_delete_every_row_once(database_url: str) -> None:
    many, org = [await asyncpg.connect(database_url) for _ in range(3)], uuid4()
    await many[0].execute(USED, org, NOW - timedelta(days=5), 1, 30_000)
    done = await asyncio.gather(*(prune(one, timedelta(days=1)) for one in many))
    assert sum(each.deleted.get("usage", 0) for each in done) == 30_000
    assert await many[0].fetchval("SELECT cost_nano FROM usage_pruned WHERE org = $1", org) == 30_000
    assert not [each.put_off for each in done if each.put_off]
    await asyncio.gather(*(one.close() for one in many))
