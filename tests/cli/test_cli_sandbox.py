"""`prysm sandbox`: faults to point a gateway at."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx
import pytest
from typer.testing import CliRunner

from prysm.cli import app
from prysm.cli.sandbox import snippet
from prysm.config import Settings, load_config
from prysm.faults import DOORS, FAULTS, FaultServer

if TYPE_CHECKING:
    from pathlib import Path


def test_the_list_names_every_fault_and_says_what_it_does() -> None:
    done = CliRunner().invoke(app, ["sandbox", "--list"])
    assert done.exit_code == 0
    assert all(name in done.stdout for name in (*FAULTS, *DOORS))
    rows = json.loads(CliRunner().invoke(app, ["sandbox", "--list", "--json"]).stdout)
    assert len(rows) == len(FAULTS) + len(DOORS)
    assert all(row["what"] for row in rows)


async def test_on_request_every_fault_has_a_model_in_every_format_and_every_address_a_provider(
    tmp_path: Path,
) -> None:
    path = tmp_path / "prysm.toml"
    async with FaultServer.running() as server:
        path.write_text(snippet(server, every=True))
        config = load_config(Settings(config_path=path), {})
        assert {server.door_url(name) for name in DOORS} < {spec.base_url for spec in config.providers}
    assert len(config.models) == 3 * len(FAULTS) + len(DOORS)
    assert {model.upstream for model in config.models} == set(FAULTS)


async def test_the_printed_tables_work_as_they_are_pasted(tmp_path: Path) -> None:
    path = tmp_path / "prysm.toml"
    async with FaultServer.running() as server:
        path.write_text(snippet(server))
        config = load_config(Settings(config_path=path), {})
        specs = {spec.id: spec for spec in config.providers}
        assert len(config.models) == 4
        assert all(model.upstream in FAULTS and specs[model.provider].usable for model in config.models)
        async with httpx.AsyncClient(trust_env=False) as http:
            asked = {"model": "fault-529", "messages": []}
            assert (await http.post(f"{server.url}/chat/completions", json=asked)).status_code == 529


def test_without_a_word_on_what_to_serve_it_says_what_there_is() -> None:
    done = CliRunner().invoke(app, ["sandbox"])
    assert done.exit_code == 2
    assert "--faults" in done.stderr


async def test_a_port_that_is_taken_is_one_line_and_not_a_traceback() -> None:
    async with FaultServer.running() as server:
        arguments = ["sandbox", "--faults", "--port", str(server.port)]
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("prysm: Cannot listen")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/models/fault-none:generateContent"])
async def test_one_address_speaks_the_three_formats(path: str) -> None:
    async with FaultServer.running() as server, httpx.AsyncClient(trust_env=False) as http:
        body = {"model": "fault-none", "messages": []}
        answer = await http.post(f"http://127.0.0.1:{server.port}{path}", json=body)
        assert answer.status_code == 200
        assert "Paris" in answer.text
