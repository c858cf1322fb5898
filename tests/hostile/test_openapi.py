"""Whatever the OpenAPI document allows, and much that it does not: no defect, and no status it does not tell of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.serving import ROOT_KEY, SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Process

CONFIG = Path(__file__).with_name("schemathesis.toml")
SHORT_S, LONG_S = 6, 900


def fuzz(gateway: Process, seconds: int, folder: Path) -> None:
    """Let schemathesis make requests for so long; the last lines of its report tell how to send one again."""
    command: list[str | Path] = [
        *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run"),
        *(f"{gateway.url}/openapi.json", "--header", f"Authorization: Bearer {ROOT_KEY}"),
        *("--checks", "all", "--max-time", str(seconds), "--generation-database", "none", "--no-color"),
        "--continue-on-failure",
    ]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603 - fixed
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    lines = gateway.log().splitlines()
    assert [line for line in lines if '"status":500' in line or '"defect"' in line] == []


def test_requests_made_from_the_document_find_nothing_undocumented(
    serve: Callable[..., Process], database_url: str, tmp_path: Path
) -> None:
    fuzz(serve(toml=SANDBOX, PRYSM_DATABASE_URL=database_url).wait_ready(), SHORT_S, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(LONG_S + 300)
def test_thousands_of_requests_find_nothing_undocumented(
    serve: Callable[..., Process], database_url: str, tmp_path: Path
) -> None:
    fuzz(serve(toml=SANDBOX, PRYSM_DATABASE_URL=database_url).wait_ready(), LONG_S, tmp_path)


def test_every_route_says_whether_it_takes_a_key_and_how_it_refuses(live: Process) -> None:
    document = httpx.get(live.url + "/openapi.json").json()
    for path, item in document["paths"].items():
        for operation in item.values():
            answers = operation["responses"].keys()
            public = operation["security"] == []
            assert answers >= (
                {"408", "414", "431"} if public else {"400", "401", "403", "408", "414", "429", "431"}
            ), path
            assert "requestBody" not in operation or answers >= {"413", "415"}, path
            assert public is (httpx.get(live.url + path.replace("{i}", "0")).status_code != 401), path
