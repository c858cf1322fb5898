from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from prysm.errors import ConfigError
from prysm.store.cluster import Cluster, binaries
from prysm.store.connection import connect
from prysm.store.embedded import EmbeddedPostgres, attached

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def new_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        yield Path(folder) / "data"


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """A data directory that was used and left in order."""
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        EmbeddedPostgres.start(Path(folder)).stop()
        yield Path(folder)


@pytest.fixture
def data_dir(new_dir: Path, stopped: Path) -> Path:
    shutil.copytree(stopped, new_dir)
    return new_dir


@pytest.fixture(scope="module")
def server(stopped: Path) -> Iterator[EmbeddedPostgres]:
    """For tests that only look."""
    with (
        tempfile.TemporaryDirectory(prefix="prysm-test-") as folder,
        EmbeddedPostgres.start(shutil.copytree(stopped, Path(folder) / "data")) as running,
    ):
        yield running


def ask(url: str, statement: str) -> object:
    async def run() -> object:
        connection = await connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def socket_folder(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_there_after_a_restart(new_dir: Path) -> None:
    with EmbeddedPostgres.start(new_dir) as first:
        ask(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres.start(new_dir) as second:
        assert ask(second.url, "SELECT answer FROM kept") == 42


def test_stopping_leaves_no_process_and_no_socket(data_dir: Path) -> None:
    server = EmbeddedPostgres.start(data_dir)
    pid, folder = server.pid, socket_folder(server.url)
    server.stop()
    server.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert not folder.exists()
    assert not Cluster(data_dir).url_file.exists()


def test_a_second_gateway_on_the_same_folder_is_refused(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as first:
        with pytest.raises(ConfigError, match="Another gateway"):
            EmbeddedPostgres.start(data_dir)
        assert ask(first.url, "SELECT 1") == 1


def test_a_command_attaches_to_the_running_server(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as running:
        with attached(data_dir) as url:
            assert url == running.url
        assert ask(running.url, "SELECT 1") == 1


def test_a_command_starts_a_server_for_its_own_duration(new_dir: Path) -> None:
    with attached(new_dir) as url:
        assert ask(url, "SELECT 1") == 1
    assert not socket_folder(url).exists()


def test_nobody_gets_in_without_the_password(server: EmbeddedPostgres) -> None:
    for password in ("", ":wrong"):
        parts = urlsplit(server.url)
        with pytest.raises(ConfigError, match=r"InvalidPassword|InvalidAuthorization"):
            ask(parts._replace(netloc=f"prysm{password}@").geturl(), "SELECT 1")
    methods = ask(server.url, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules")
    assert methods == "scram-sha-256"


def test_the_server_is_durable_and_not_on_the_network(server: EmbeddedPostgres) -> None:
    expected = {"listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "data_checksums": "on"}
    expected |= {"server_encoding": "UTF8", "password_encryption": "scram-sha-256"}
    assert {name: ask(server.url, f"SHOW {name}") for name in expected} == expected


def test_secrets_are_readable_by_their_owner_only(server: EmbeddedPostgres) -> None:
    files = server._cluster
    assert [mode(path) for path in (files.password_file, files.url_file)] == [0o600, 0o600]
    assert [mode(path) for path in (files.data, socket_folder(server.url))] == [0o700, 0o700]
    assert files.password_file.read_text() not in Path(f"/proc/{server.pid}/cmdline").read_text()


def test_a_failed_statement_leaves_nothing_in_the_log(server: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.PostgresError):
        ask(server.url, "SELECT 'a private prompt'::int")
    assert "private" not in server._cluster.log.read_text()


def test_the_server_does_not_inherit_our_environment(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "canary")
    monkeypatch.setenv("PGPORT", "1")
    with EmbeddedPostgres.start(data_dir) as server:
        assert b"canary" not in Path(f"/proc/{server.pid}/environ").read_bytes()
        assert ask(server.url, "SELECT 1") == 1


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(server: EmbeddedPostgres) -> None:
    assert os.getsid(server.pid) == server.pid


def test_a_killed_server_is_started_again_at_the_same_address(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as server:
        ask(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        assert ask(server.url, "SELECT answer FROM kept") == 42
        assert server.pid != killed


def test_a_folder_too_deep_for_a_socket_is_no_obstacle(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir.rename(data_dir.with_name("x" * 120))) as server:
        folder = socket_folder(server.url)
        assert mode(folder) == 0o700
        assert ask(server.url, "SELECT 1") == 1
    assert not folder.exists()


def test_any_characters_in_the_path_are_fine(data_dir: Path) -> None:
    with EmbeddedPostgres.start(data_dir.rename(data_dir.with_name("my data, é 100% 'x'&y"))) as server:
        assert ask(server.url, "SELECT 1") == 1


def test_a_copy_of_the_folder_of_a_running_server_does_not_disturb_it(data_dir: Path, stopped: Path) -> None:
    with EmbeddedPostgres.start(data_dir) as original:
        copy = shutil.copytree(stopped, data_dir.with_name("copy"))
        shutil.copy(Cluster(data_dir).url_file, copy)
        with EmbeddedPostgres.start(copy) as other:
            assert ask(other.url, "SELECT 1") == 1
        assert ask(original.url, "SELECT 1") == 1


def test_an_unrelated_process_with_the_old_number_does_not_stop_the_start(data_dir: Path) -> None:
    (data_dir / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{data_dir}\n")
    EmbeddedPostgres.start(data_dir).stop()


def test_a_first_start_that_was_cut_short_is_begun_anew(new_dir: Path) -> None:
    (new_dir / "postgres.new").mkdir(parents=True)
    (new_dir / "postgres.new" / "PG_VERSION").write_text("18")
    EmbeddedPostgres.start(new_dir).stop()


def test_a_folder_of_another_postgres_version_is_refused(new_dir: Path) -> None:
    (new_dir / "postgres").mkdir(parents=True)
    (new_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigError, match="made by Postgres 16"):
        EmbeddedPostgres.start(new_dir)


def test_a_lost_password_is_named(data_dir: Path) -> None:
    (data_dir / "postgres.password").unlink()
    with pytest.raises(ConfigError, match=r"postgres\.password is missing"):
        EmbeddedPostgres.start(data_dir)


def test_a_damaged_folder_is_reported_with_the_log_and_frees_the_lock(data_dir: Path) -> None:
    control = data_dir / "postgres" / "global" / "pg_control"
    shutil.move(control, data_dir / "kept")
    with pytest.raises(ConfigError, match=r"postgres\.log"):
        EmbeddedPostgres.start(data_dir)
    assert "pg_control" in (data_dir / "postgres.log").read_text()
    shutil.move(data_dir / "kept", control)
    EmbeddedPostgres.start(data_dir).stop()


def test_a_missing_wheel_is_named_with_both_ways_out(new_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"prysm-gateway\[embedded\].*PRYSM_DATABASE_URL"):
        EmbeddedPostgres.start(new_dir)


def test_a_data_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="data directory"):
        EmbeddedPostgres.start(tmp_path / "file" / "data")


def test_the_binaries_are_found_without_importing_their_wheel() -> None:
    assert (binaries() / "initdb").is_file()
