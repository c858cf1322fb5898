"""The commands against a scripted gateway: what is asked, what is printed where, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from prysm import __version__
from prysm.cli import COMMANDS, app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.scripted_gateway import ScriptedGateway, Sealed
    from typer.testing import Result

RUN = "0b8e7f0c-6b1f-4ef7-9d0a-3f1f5f3d2a11"
KEY = "prysm_sk_very_secret"
ABOUT: dict[str, Any] = {
    "request_id": RUN,
    "simulated": True,
    "orchestration": {
        "policy": "depth",
        "strategy": "ensemble_moa",
        "reason": "hard",
        "models_used": ["a", "b"],
        "confidence": 0.88,
        "agreement": None,
        "bar": 0.85,
        "bar_cleared": True,
        "degraded": ["b was slow"],
    },
    "cost": {"total_usd": 0.000042, "saved_usd": 0.000858, "baseline_model": "big"},
    "proof": {"request_id": RUN},
}
STAGE = {"i": 0, "kind": "propose", "started_ms": 2, "ended_ms": 642, "tokens_out": 9, "cost_usd": 0.00002}
CHUNKS = [
    {"choices": [], "prysm_event": {**ABOUT["orchestration"], "type": "plan", "models": ["a", "b"]}},
    {"choices": [], "prysm_event": {"type": "stage_started", "kind": "propose", "model": "a"}},
    {"choices": [], "prysm_event": {"type": "a later kind of event"}},
    {
        "choices": [],
        "prysm_event": {"type": "stage", "stage": {**STAGE, "model": "a", "status": "ok", "error": None}},
    },
    {"choices": [{"delta": {"role": "assistant", "content": "[bold]Paris"}}]},
    {
        "choices": [],
        "prysm_event": {
            "type": "stage",
            "stage": {**STAGE, "model": None, "status": "failed", "error": "timeout", "tokens_out": None},
        },
    },
    {"choices": [{"delta": {"content": " is it\ud800"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "prysm": ABOUT},
]


@pytest.fixture
def prysm(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run the command against the scripted gateway."""
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url)
    monkeypatch.setenv("PRYSM_API_KEY", KEY)
    monkeypatch.setenv("PRYSM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PRYSM_TRUST_FILE", str(tmp_path / "trust.json"))
    return lambda *args, **options: CliRunner().invoke(app, args, **options)


def test_orchestrate_shows_the_run_on_stderr_and_only_the_answer_on_stdout(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    gateway.streams("/v2/orchestrate", *CHUNKS)
    done = prysm("orchestrate", "capital?", "--policy", "depth", "--k", "3", "-m", "a", "-m", "b")
    assert (done.exit_code, done.stdout) == (0, "[bold]Paris is it?\n")
    assert gateway.asked[0].body == {
        "prompt": "capital?",
        "policy": "depth",
        "k": 3,
        "models": ["a", "b"],
        "stream": True,
    }
    lines = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert lines == [
        "plan ensemble_moa under depth: hard",
        "models a, b",
        "✓ propose a 640 ms · 9 tokens · $0.000020",
        "✗ propose 640 ms · $0.000020 · timeout",
        "confidence 0.88 (bar 0.85, cleared) · agreement –",
        "note b was slow",
        "simulated no real model answered",
        "cost $0.000042 · saved $0.00086 against big alone",
        f"receipt {RUN} check it: prysm proof verify {RUN}",
    ]


def test_orchestrate_json_prints_the_reply_and_nothing_else(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    gateway.says("/v2/orchestrate", {"choices": [], "prysm": ABOUT})
    done = prysm("orchestrate", "-", "--json", "--max-cost-usd", "0.5", "--samples", "4", input="from stdin\n")
    assert (done.exit_code, json.loads(done.stdout), done.stderr) == (0, {"choices": [], "prysm": ABOUT}, "")
    sent = {"prompt": "from stdin\n", "policy": "balanced", "max_cost_usd": 0.5, "samples": 4}
    assert gateway.asked[0].body == sent


def test_a_dry_run_shows_the_plan_and_its_price(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    estimate = {"calls_max": 3, "cost_usd_expected": 0.01, "cost_usd_max": None, "latency_ms_expected": 900}
    gateway.says("/v2/orchestrate", {"choices": [], "prysm": {**ABOUT, "estimate": estimate}})
    done = prysm("orchestrate", "hi", "--dry-run", "--strategy", "ensemble_moa", "--deadline-s", "2")
    assert done.exit_code == 0
    assert "cost     $0.010, at most unknown" in done.stdout
    assert gateway.asked[0].body["dry_run"] is True
    assert "stream" not in gateway.asked[0].body


def test_a_run_that_fails_midway_is_one_line_after_what_came(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    gateway.streams("/v2/orchestrate", *CHUNKS[:5], {"error": {"message": "all failed", "code": "x"}}, done=False)
    done = prysm("orchestrate", "hi")
    assert (done.exit_code, done.stdout) == (2, "[bold]Paris\n")
    assert done.stderr.splitlines()[-1] == "prysm: all failed"


def test_an_empty_prompt_is_a_usage_error(prysm: Callable[..., Result], gateway: ScriptedGateway) -> None:
    done = prysm("orchestrate", "-", input=" \n")
    assert (done.exit_code, gateway.asked) == (2, [])
    assert "the prompt is empty" in done.stderr


def test_chat_keeps_the_history_from_line_to_line(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.streams("/v1/chat/completions", *CHUNKS[4:5], CHUNKS[7])
    gateway.streams("/v1/chat/completions", {"choices": [{"delta": {"content": "2M"}}]}, CHUNKS[7])
    done = prysm("chat", "--model", "a", input="capital?\n\nhow big?\n")
    assert (done.exit_code, done.stdout) == (0, "[bold]Paris\n2M\n")
    assert [message["content"] for message in gateway.asked[1].body["messages"]] == [
        "capital?",
        "[bold]Paris",
        "how big?",
    ]
    assert gateway.asked[1].body["model"] == "a"


def test_chat_once_asks_and_leaves(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says("/v1/chat/completions", {"choices": [{"message": {"content": None}}]})
    done = prysm("chat", "hi", "--json")
    assert json.loads(done.stdout) == {"choices": [{"message": {"content": None}}]}
    assert gateway.asked[0].body == {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def test_a_failed_turn_ends_a_chat_that_nobody_watches(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    gateway.says("/v1/chat/completions", {"error": {"message": "no such model", "code": "model_not_found"}}, 404)
    done = prysm("chat", input="one\ntwo\n")
    assert (done.exit_code, done.stderr, len(gateway.asked)) == (2, "prysm: no such model\n", 1)


def test_models_are_a_table_with_unknown_prices_said(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    model = {"id": "a" * 40, "kind": "model", "provider": "p", "tier": "small", "live": True, "simulated": True}
    dead = {"id": "b", "provider": "p", "pricing": {"input_per_mtok": 1.25, "output_per_mtok": None}, "live": False}
    listed = {"object": "list", "data": [dead, model, {"id": "auto", "kind": "alias"}]}
    gateway.says("/v1/models", listed)
    done = prysm("models")
    rows = [line.split() for line in done.stdout.splitlines()][1:]
    assert rows == [["a" * 40, "p", "small", "?", "?", "yes,", "simulated"], ["b", "p", "1.25", "?", "no"]]
    assert json.loads(prysm("models", "--json").stdout) == listed


def test_pulling_the_local_model_tells_where_it_is(
    prysm: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("prysm.cli.models.fetch", lambda folder: folder / "models" / "m.gguf")
    assert str(tmp_path / "models" / "m.gguf") in prysm("models", "pull", "local").stdout
    assert prysm("models", "pull", "other").exit_code == 2


def test_route_says_which_model_and_why_not_another(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    routing = {"model": "a", "provider": "p", "tier": "small", "task": "code", "why": "short"}
    other = {"model": "b", "est_cost_usd": 0.1, "why_not": "dear"}
    gateway.says("/v1/route", {"routing": {**routing, "alternatives": [other]}})
    done = prysm("route", "hi", "--mode", "agility")
    assert done.stdout.split("\n")[:2] == ["model  a (p, small)", "task   code"]
    assert "b ($0.10): dear" in done.stdout
    assert gateway.asked[0].body == {"prompt": "hi", "routing_mode": "agility"}


def test_a_receipt_that_was_saved_verifies_without_a_gateway(
    gateway: ScriptedGateway, prysm: Callable[..., Result], receipt: Sealed, tmp_path: Path
) -> None:
    receipt.served_by(gateway)
    file = tmp_path / "receipt.json"
    file.write_text(prysm("proof", "get", RUN, "--all").stdout)
    done = prysm("proof", "verify", str(file), "--url", "http://127.0.0.1:1")
    assert done.exit_code == 0
    said = [line.split()[0] for line in done.stdout.splitlines()]
    assert said == ["L1"] * 5 + ["L2", "L3", "L4", "L5", "L6", "GOOD."]
    assert "L1 ok          signature" in done.stdout


def test_a_receipt_that_was_changed_fails(
    gateway: ScriptedGateway, prysm: Callable[..., Result], receipt: Sealed
) -> None:
    receipt.stages[0]["body"] = "AAAA"
    receipt.served_by(gateway)
    done = prysm("proof", "verify", RUN, "--json")
    assert done.exit_code == 12
    report = json.loads(done.stdout)
    assert [check["name"] for check in report["checks"] if check["ok"] is False] == ["stages"]
    assert (report["ok"], report["failed_level"]) == (False, 2)


def test_a_receipt_is_shown_for_people(
    gateway: ScriptedGateway, prysm: Callable[..., Result], receipt: Sealed
) -> None:
    receipt.served_by(gateway)
    shown = prysm("proof", "get", RUN).stdout
    lines = {" ".join(line.split()) for line in shown.splitlines()}
    assert {"model sandbox-small", "agreement –", "cost_usd $0.000012", "degraded –"} <= lines
    assert "gateway says  verified" in shown
    assert json.loads(prysm("proof", "get", RUN, "--json").stdout) == receipt.document


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_file_that_is_no_receipt_is_said_to_be_none(
    prysm: Callable[..., Result], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "receipt.json"
    file.write_text(text)
    done = prysm("proof", "verify", str(file))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no receipt" in done.stderr


def test_an_unknown_receipt_is_not_a_failed_check(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    gateway.says(f"/v1/proof/{RUN}", {"error": {"message": "no such receipt", "code": "proof_not_found"}}, 404)
    done = prysm("proof", "verify", RUN)
    assert (done.exit_code, done.stderr) == (2, "prysm: no such receipt\n")


COMMAND_LINES = [("orchestrate", "x"), ("chat", "x"), ("models",), ("route", "x"), ("proof", "get", RUN)]


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_no_gateway_is_one_line_with_the_fix(prysm: Callable[..., Result], line: tuple[str, ...]) -> None:
    done = prysm(*line, "--url", "http://127.0.0.1:1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("prysm: No gateway answers at http://127.0.0.1:1: start one with `prysm serve`")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_no_error_shows_the_key_or_moves_the_cursor(
    gateway: ScriptedGateway, prysm: Callable[..., Result], line: tuple[str, ...]
) -> None:
    body = {"error": {"message": "unknown key\n\x1b[2J", "code": "invalid_api_key"}}
    for path in ("/v2/orchestrate", "/v1/chat/completions", "/v1/models", "/v1/route", f"/v1/proof/{RUN}"):
        gateway.says(path, body, 401)
    done = prysm(*line)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "Set PRYSM_API_KEY or --key" in done.stderr
    assert KEY not in done.stderr
    assert "\x1b" not in done.stderr


def key_sent(gateway: ScriptedGateway) -> str | None:
    return gateway.asked[-1].headers.get("authorization")


def test_the_root_key_is_read_for_a_gateway_on_this_machine_when_no_other_is_given(
    gateway: ScriptedGateway, prysm: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gateway.says("/v1/models", {"data": []})
    monkeypatch.delenv("PRYSM_API_KEY")
    prysm("models")
    assert key_sent(gateway) is None
    (tmp_path / "root.key").write_text("root\n")
    prysm("models")
    assert key_sent(gateway) == "Bearer root"
    prysm("models", "--key", "mine")
    assert key_sent(gateway) == "Bearer mine"


def test_the_root_key_never_goes_to_another_machine(
    prysm: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PRYSM_API_KEY")
    (tmp_path / "root.key").mkdir()  # reading it would fail
    assert "cannot be read" in prysm("models").stderr
    assert "No gateway answers" in prysm("models", "--url", "http://nowhere.invalid").stderr


def test_a_bad_address_is_one_line(prysm: Callable[..., Result]) -> None:
    done = prysm("models", "--url", "nowhere")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


def test_version_and_an_unknown_command(prysm: Callable[..., Result]) -> None:
    assert prysm("--version").stdout == f"prysm {__version__}\n"
    done = prysm("orchstrate")
    assert done.exit_code == 2
    assert "'orchestrate'" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_is_listed(prysm: Callable[..., Result], name: str) -> None:
    assert name in prysm("--help").stdout
    assert f"prysm {name}" in prysm(name, "--help", prog_name="prysm").stdout


HELP = """
import sys
from prysm.cli import main
sys.argv = ["prysm", "--help"]
try:
    main()
finally:
    print(sorted({"httpx", "rich", "fastapi", "sqlalchemy"} & sys.modules.keys()))
"""


def test_help_needs_neither_the_client_nor_the_server() -> None:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)  # noqa: S603 -- fixed
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - began < 5  # for a loaded machine; 0.1 s on an idle one
