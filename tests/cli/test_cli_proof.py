"""`prysm proof verify` with pinned keys, texts, witnesses and its memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.signed_receipts import ANSWER, OPENINGS, PROMPT, RECORD, RUN, Log, b64
from typer.testing import CliRunner

from prysm.cli import app
from prysm.proof.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.scripted_gateway import ScriptedGateway, Sealed
    from typer.testing import Result


@pytest.fixture
def verify(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run the command; a value that is neither text nor bytes is saved as JSON, and its path given."""
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url)
    monkeypatch.setenv("PRYSM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PRYSM_TRUST_FILE", str(tmp_path / "trust.json"))

    def saved(n: int, value: Any) -> str:
        path = tmp_path / f"{n}.json"
        path.write_text(json.dumps(value))
        return str(path)

    def run(*args: Any) -> Result:
        words = [each if isinstance(each, str) else saved(n, each) for n, each in enumerate(args)]
        return CliRunner().invoke(app, ["proof", "verify", *words])

    return run


def levels(done: Result, level: int) -> list[bool | None]:
    return [check["ok"] for check in json.loads(done.stdout)["checks"] if check["level"] == level]


def test_a_file_is_checked_against_pinned_keys_only(verify: Callable[..., Result]) -> None:
    log = Log()
    document = log.document()
    assert verify(document, "--keys", log.keys()).exit_code == 0
    stranger = Log(receipt_key=SigningKey.generate()).keys()
    assert verify(document, "--keys", stranger).exit_code == 11
    refused = verify(document, "--keys", {"keys": 7})
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "holds no keys of a gateway" in refused.stderr


def test_a_text_is_opened(verify: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text(ANSWER)
    given = ("--openings", OPENINGS, "--text", str(tmp_path / "answer.txt"), "--prompt", PROMPT, "--json")
    assert levels(verify(Log().document(), *given), 6) == [True, True]
    chat = {"choices": [{"message": {"content": "Kyoto"}}], "prysm": {"openings": OPENINGS}}
    assert verify(Log().document(), "--openings", chat).exit_code == 16


def test_a_witness_that_is_demanded_and_absent_fails_its_level(verify: Callable[..., Result]) -> None:
    key = b64(SigningKey.generate().public)
    assert verify(Log().document(), "--witness", f"witness.example={key}").exit_code == 15
    assert verify(Log().document(), "--witness", "witness.example=x").exit_code == 2


def test_two_histories_are_a_security_error_with_both_notes(verify: Callable[..., Result]) -> None:
    notes = []
    for seed, code in enumerate((0, 14)):
        log = Log()
        log.grow(1, seed)
        document = log.document()
        notes.append(document["proof"]["log"]["checkpoint"])
        done = verify(document, "--keys", log.keys())
        assert done.exit_code == code
    assert "SECURITY ERROR" in done.stderr
    assert all(note in done.stderr for note in notes)
    assert verify(document, "--no-memory").exit_code == 0


def test_a_log_that_grew_proves_it_online(
    gateway: ScriptedGateway, receipt: Sealed, verify: Callable[..., Result]
) -> None:
    receipt.served_by(gateway)
    assert verify(RUN).exit_code == 0
    receipt.log.grow(5)
    receipt.document["proof"]["log"] = receipt.log.place(1)
    gateway.script.clear()
    receipt.served_by(gateway)
    gateway.says("/v1/log/proof/consistency", receipt.log.consistency(2, 7))
    assert levels(verify(RUN, "--json"), 4) == [True]
    gateway.script["/v1/log/proof/consistency"].clear()
    assert levels(verify(RUN, "--json"), 4) == [True]  # what was just remembered
    receipt.log.grow(1)
    receipt.document["proof"]["log"] = receipt.log.place(1)
    gateway.script.clear()
    receipt.served_by(gateway)
    refused = verify(RUN)
    assert refused.exit_code == 14
    assert "BAD: level 4 failed." in refused.stdout
    assert "was asked to prove that" in refused.stdout
    assert "SECURITY ERROR" in refused.stderr


def test_a_file_is_compared_by_a_proof_from_a_file(verify: Callable[..., Result]) -> None:
    log = Log()
    keys = log.keys()
    verify(log.document(), "--keys", keys)
    log.grow(4)
    late = log.document({**RECORD, "latency_ms": 8})
    alone = verify(late, "--keys", keys)
    assert alone.exit_code == 0
    assert "NOT compared with what is remembered" in alone.stdout
    assert verify(late, "--keys", keys, "--consistency", log.consistency(3, 7)).exit_code == 14
    compared = verify(late, "--keys", keys, "--consistency", log.consistency(2, 7))
    assert (compared.exit_code, compared.stdout.splitlines()[-1]) == (0, "GOOD.")


def test_a_strangers_file_teaches_nothing(verify: Callable[..., Result], tmp_path: Path) -> None:
    assert verify(Log(log_keys=[SigningKey.generate()]).document()).exit_code == 0
    assert not (tmp_path / "trust.json").exists()
    log = Log()
    assert verify(log.document(), "--keys", log.keys()).exit_code == 0


@pytest.mark.parametrize("what", ["nosuch.json", "x" * 300, "another", ".", "prysm-x", f"{RUN}.json"])
def test_what_is_neither_a_file_nor_an_id_is_not_asked_of_a_gateway(
    gateway: ScriptedGateway, verify: Callable[..., Result], what: str
) -> None:
    done = verify(what)
    assert (done.exit_code, gateway.asked) == (2, [])
    assert "There is no file" in done.stderr


BODIES: list[tuple[str, Any, list[Any]]] = [
    ("chat", {"messages": [{"role": "user", "content": "hi", "name": None}]}, [{"role": "user", "content": "hi"}]),
    ("orchestrate", {"prompt": "hi"}, [{"role": "user", "content": "hi"}]),
    (
        "messages",
        {"max_tokens": 9, "system": "brief", "messages": [{"role": "user", "content": "hi"}]},
        [{"role": "system", "content": "brief"}, {"role": "user", "content": "hi"}],
    ),
    ("responses", {"input": "hi"}, [{"role": "user", "content": "hi"}]),
    ("embeddings", {"input": "hi"}, ["hi"]),
]


@pytest.mark.parametrize(("surface", "body", "form"), BODIES)
def test_what_is_committed_to_of_a_request_is_printed(
    tmp_path: Path, surface: str, body: dict[str, Any], form: list[Any]
) -> None:
    (tmp_path / "body.json").write_text(json.dumps(body if surface == "orchestrate" else body | {"model": "auto"}))
    words = ["proof", "prompt", str(tmp_path / "body.json"), "--surface", surface]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, json.loads(done.stdout)) == (0, form)


def test_a_request_that_goes_on_from_another_is_refused(tmp_path: Path) -> None:
    body = {"model": "auto", "input": "hi", "previous_response_id": "resp_1"}
    (tmp_path / "body.json").write_text(json.dumps(body))
    done = CliRunner().invoke(app, ["proof", "prompt", str(tmp_path / "body.json"), "--surface", "responses"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "previous_response_id" in done.stderr


def test_what_the_gateway_says_of_itself_changes_nothing(
    gateway: ScriptedGateway, receipt: Sealed, verify: Callable[..., Result]
) -> None:
    receipt.document["verified"] = False
    receipt.served_by(gateway)
    assert verify(RUN).exit_code == 0
