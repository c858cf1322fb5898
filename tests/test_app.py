from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from tests.serving import PROMPT, ROOT_KEY, SANDBOX, served

from prysm.accounts.directory import Directory
from prysm.accounts.keys import root_key_path
from prysm.app import create_app, live_catalog, opened
from prysm.config import Endpoint, Settings, load_config
from prysm.core.chat import Message
from prysm.core.plan import ChatRequest
from prysm.errors import ConfigError, Overloaded
from prysm.receipt import new_request_id
from prysm.telemetry import Telemetry

if TYPE_CHECKING:
    from pathlib import Path

    from prysm.core.plan import StrategyName


def test_docs_metrics_and_public_proofs_can_be_switched_off(database_url: str, tmp_path: Path) -> None:
    toml = "[server]\ndocs = false\nmetrics = false\n[proof]\npublic = false\n" + SANDBOX
    with served(tmp_path, toml, database_url) as gateway:
        for path in ("/docs", "/openapi.json", "/metrics"):
            assert gateway.http.get(path).status_code == 404
        url = f"/v1/proof/{gateway.chat().headers['x-request-id']}"
        assert httpx.get(gateway.url + url).status_code == 401
        assert httpx.get(f"{gateway.url}{url}/stages/0").status_code == 401
        assert gateway.http.get(url).json()["verified"] is True
        assert gateway.http.get(f"{url}/stages/0").status_code == 200


def test_the_body_limit_is_the_operators(database_url: str, tmp_path: Path) -> None:
    toml = "[server]\nbody_limit_mb = 0.001\n" + SANDBOX
    with served(tmp_path, toml, database_url) as gateway:
        assert gateway.chat().status_code == 200
        response = gateway.chat("auto", "x" * 1000)
        assert response.status_code == 413
        assert "over 0.001 MB" in response.json()["error"]["message"]


def test_a_tuned_policy_is_at_work(database_url: str, tmp_path: Path) -> None:
    toml = "[policies.careful]\nbar = 0.99\nk = 4\n" + SANDBOX
    with served(tmp_path, toml, database_url) as gateway:
        block = gateway.orchestrate(policy="careful").json()["prysm"]["orchestration"]
        assert (block["policy"], block["bar"]) == ("careful", 0.99)
        assert gateway.chat("prysm/careful").json()["prysm"]["orchestration"]["policy"] == "careful"


def test_a_defect_is_logged_without_content_and_told_without_detail(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr("prysm.planner.Planner.plan", broken)
    with served(tmp_path, SANDBOX, database_url) as gateway, capture_logs() as logs:
        response = gateway.chat("auto", "canary")
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "canary" not in response.text + str(logs)
    defect = next(line for line in logs if line["event"] == "defect")
    assert defect["request_id"] == response.headers["x-request-id"]
    assert (defect["type"], defect["where"].split(":")[0]) == ("RuntimeError", __name__)


def test_a_defect_in_the_middle_of_a_stream_ends_it_with_an_error_and_leaks_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr("prysm.api.render.block", broken)
    with served(tmp_path, SANDBOX, database_url, log_level="warning") as gateway, capture_logs():
        last = gateway.chat("auto", stream=True).text.rstrip().removeprefix("data: ").rpartition("data: ")[2]
    assert orjson.loads(last)["error"]["code"] == "internal_error"
    assert "canary" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("strategy", ["single", "ensemble_moa", "self_consistency"])
async def test_runs_that_are_cut_off_by_the_end_are_sealed_before_the_database_is_closed(
    database_url: str, tmp_path: Path, strategy: StrategyName
) -> None:
    settings = Settings(database_url=database_url, data_dir=tmp_path, config_path=_config(tmp_path))
    asked, request_id = ChatRequest((Message("user", PROMPT),), strategy=strategy), new_request_id()
    async with opened(settings, load_config(settings, {}), None, Telemetry(), Directory(ROOT_KEY)) as parts:
        running = asyncio.create_task(parts.gateway.run(asked, request_id))
        await asyncio.sleep(0.01)
        running.cancel()
    with pytest.raises(Overloaded):
        await running
    async with opened(settings, load_config(settings, {}), None, Telemetry(), Directory(ROOT_KEY)) as parts:
        sealed = await parts.receipts.get(request_id)
    assert sealed is not None
    assert orjson.loads(sealed.payload)["outcome"] == "interrupted"


def test_a_root_key_is_generated_once_and_guarded(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", config_path=_config(tmp_path))
    config = load_config(settings, {})
    create_app(settings, config)
    path = root_key_path(settings.data_dir)
    key = path.read_text()
    create_app(settings, config)
    assert path.read_text() == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_short_root_key_is_refused_without_showing_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, config_path=_config(tmp_path), root_key="short-canary")
    with pytest.raises(ConfigError, match="PRYSM_ROOT_KEY") as refused:
        create_app(settings, load_config(settings, {}))
    assert "canary" not in str(refused.value)
    assert ROOT_KEY not in repr(settings)


async def test_a_managed_model_is_live_only_while_its_server_runs(tmp_path: Path) -> None:
    toml = '[[models]]\nid = "smollm2-135m"\nprovider = "local"\ntier = "small"\n'
    config = load_config(Settings(config_path=_config(tmp_path, toml)), {})
    without = await live_catalog(config, None)
    with_server = await live_catalog(config, Endpoint("http://127.0.0.1:9/v1", "key"))
    assert without.live() == ()
    assert [model.id for model in with_server.live()] == ["smollm2-135m"]


def _config(folder: Path, toml: str = SANDBOX) -> Path:
    path = folder / "prysm.toml"
    path.write_text(toml)
    return path
