"""`prysm retention`, on a database without a running gateway."""

from __future__ import annotations

import json
from asyncio import to_thread
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from typer.testing import CliRunner

from prysm.cli import app
from prysm.store.months import Month, make

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from typer.testing import Result

    Prysm = Callable[..., Awaitable[Result]]

NOW = datetime.now(UTC)


@pytest.fixture
def prysm(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prysm:
    """Run a command as an operator does on the gateway's machine."""
    config = tmp_path / "prysm.toml"
    config.write_text('extends = "builtin"\n[retention]\nruns = "90d"\ncontent = "36h"\n')
    monkeypatch.setenv("PRYSM_CONFIG", str(config))
    monkeypatch.setenv("PRYSM_DATABASE_URL", database_url)
    monkeypatch.setenv("PRYSM_DATA_DIR", str(tmp_path))

    async def run(*args: str, **options: Any) -> Result:
        return await to_thread(CliRunner().invoke, app, args, **options)

    return run


async def test_run_prunes_by_the_configuration_and_says_what_it_did(prysm: Prysm, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    old = [Month.of("usage", NOW - timedelta(days=days)) for days in (200, 100)]
    for month in old:
        await make(connection, month)
    await connection.close()
    done = await prysm("retention", "run")
    assert f"{old[0].name}: dropped" in done.stdout
    assert (old[1].until <= NOW - timedelta(days=90)) is (f"{old[1].name}: dropped" in done.stdout)
    again = await prysm("retention", "run", "--json")
    assert json.loads(again.stdout) == {"made": [], "dropped": [], "deleted": {}, "put_off": []}
    assert (done.exit_code, again.exit_code) == (0, 0)


async def test_show_says_what_is_kept_and_how_long(prysm: Prysm) -> None:
    lines = [json.loads(line) for line in (await prysm("retention", "show", "--json")).stdout.splitlines()]
    kept = {line["table"]: line["kept"] for line in lines}
    assert {name: kept[name] for name in ("response", "idempotency", "usage", "receipt")} == {
        "response": "36h",
        "idempotency": "1d",
        "usage": "90d",
        "receipt": "for ever",
    }
    assert all(line["bytes"] > 0 for line in lines)
    assert f"since {NOW:%Y-%m}" in (await prysm("retention", "show")).stdout


async def test_show_says_that_a_cache_that_keeps_nothing_does(prysm: Prysm, tmp_path: Path) -> None:
    with (tmp_path / "prysm.toml").open("a") as config:
        config.write('[cache]\nttl = "none"\n')
    lines = [json.loads(line) for line in (await prysm("retention", "show", "--json")).stdout.splitlines()]
    assert next(line["kept"] for line in lines if line["table"] == "cached_answer") == "none"
