"""What `prysm serve` will not start with: one clear line, and an exit code that scripts can see."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.acceptance.conftest import taken_port
from tests.serving import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Process


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[server]\nbody_limit = 1\n", ("prysm.toml", "[server]", "body_limit")),
        (SANDBOX.replace("= 0.1\n", "= -1\n", 1), ("[[models]]", "sandbox-small", "input_usd_per_mtok")),
        ("[server\n", ("prysm.toml", "TOML")),
    ],
)
def test_a_wrong_config_is_one_line_that_names_table_and_key(
    serve: Callable[..., Process], toml: str, named: tuple[str, ...]
) -> None:
    _assert_refused(serve(toml=toml), *named)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_taken_port_is_told_before_anything_is_started(serve: Callable[..., Process], workers: str) -> None:
    with taken_port() as port:
        _assert_refused(serve("--workers", workers, toml=SANDBOX, PRYSM_PORT=port), port, "in use", "--port")


async def test_a_database_newer_than_the_program_is_refused(
    serve: Callable[..., Process], database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    _assert_refused(serve(toml=SANDBOX, PRYSM_DATABASE_URL=database_url), "newer")


def test_a_database_that_refuses_us_is_told_without_the_password(
    serve: Callable[..., Process], database_url: str
) -> None:
    password = urlsplit(database_url).password or ""
    process = serve(toml=SANDBOX, PRYSM_DATABASE_URL=database_url.replace(password, "canary"))
    _assert_refused(process, "PRYSM_DATABASE_URL")
    assert "canary" not in process.log()


@pytest.mark.parametrize("seal", ["strict", "spool"])
@pytest.mark.parametrize("taken", ["instances", "pins"])
def test_a_data_directory_that_cannot_be_written_to_is_named(
    serve: Callable[..., Process], database_url: str, tmp_path: Path, seal: str, taken: str
) -> None:
    (tmp_path / ".prysm").mkdir()
    (tmp_path / ".prysm" / taken).write_text("no folder")
    toml = f'{SANDBOX}[proof]\nseal = "{seal}"\n'
    _assert_refused(serve("--workers", "2", toml=toml, PRYSM_DATABASE_URL=database_url), f".prysm/{taken}")


def test_a_wrong_variable_is_named(serve: Callable[..., Process]) -> None:
    _assert_refused(serve(PRYSM_LOG_LEVEL="loud"), "PRYSM_LOG_LEVEL")


def _assert_refused(process: Process, *named: str) -> None:
    assert process.popen.wait(30) == 2
    (line,) = process.log().splitlines()
    assert line.startswith("prysm: ")
    assert all(name in line for name in named), line
