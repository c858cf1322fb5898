"""`python -m prysm.proof`: a stranger needs the package and `cryptography`, and nothing of the server."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.signed_receipts import ANSWER, OPENINGS, PROMPT, RECORD, STAGES, Log, unlogged

from prysm.proof.__main__ import main
from prysm.proof.canonical import canonical

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Log().document()
ALONE = """
import importlib.abc, runpy, sys

class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        if top in {"prysm", "cryptography", "_cffi_backend", "cffi"} or top in sys.stdlib_module_names:
            return None
        raise ModuleNotFoundError(f"{name} is not on a stranger's machine")

sys.meta_path.insert(0, Nothing())
sys.argv = ["prysm.proof", *sys.argv[1:]]
try:
    runpy.run_module("prysm.proof", run_name="__main__", alter_sys=True)
finally:
    ours = {name for name in sys.modules if name.startswith("prysm.")}
    print(sorted(name for name in ours if not name.startswith("prysm.proof")), file=sys.stderr)
"""


@pytest.fixture(autouse=True)
def trust_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "trust.json"
    monkeypatch.setenv("PRYSM_TRUST_FILE", str(path))
    return path


def saved(folder: Path, value: Any, name: str = "receipt.json") -> str:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def test_it_needs_nothing_but_the_standard_library_and_cryptography(tmp_path: Path) -> None:
    run = subprocess.run(  # noqa: S603 -- no input in it
        [
            sys.executable,
            "-c",
            ALONE,
            saved(tmp_path, WHOLE),
            "--keys",
            saved(tmp_path, WHOLE["keys"], "keys.json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert [line.split()[:2] for line in run.stdout.splitlines()[:5]] == [["L1", "ok"]] * 5
    assert run.stderr == "['prysm.errors']\n"


def test_the_levels_are_printed_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([saved(tmp_path, WHOLE)]) == 0
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [words[0] for words in said] == ["L1"] * 5 + ["L2", "L3", "L4", "L5", "L6", "GOOD."]
    assert said[0][:3] == ["L1", "ok", "signature"]
    assert said[7][:4] == ["L4", "not", "checked", "consistency"]


SPOILED = {
    11: ("entry", {}),
    12: ("stages", []),
    13: ("proof", WHOLE["proof"] | {"log": []}),
}


@pytest.mark.parametrize("code", SPOILED)
def test_the_exit_code_is_ten_more_than_the_first_level_that_failed(tmp_path: Path, code: int) -> None:
    name, value = SPOILED[code]
    assert main([saved(tmp_path, WHOLE | {name: value})]) == code


def test_what_could_not_be_checked_is_one_and_what_is_no_receipt_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([saved(tmp_path, unlogged(canonical(RECORD), STAGES, None))]) == 1
    assert main([saved(tmp_path, "{}")]) == 2
    assert main([str(tmp_path / "absent")]) == 2
    assert main([saved(tmp_path, WHOLE), "--keys", saved(tmp_path, "{}", "keys.json")]) == 2
    assert main([saved(tmp_path, WHOLE), "--witness", "x"]) == 2
    assert main([saved(tmp_path, WHOLE), "--text", saved(tmp_path, ANSWER, "answer.txt")]) == 2
    assert "holds no keys of a gateway" in capsys.readouterr().err


def test_texts_and_openings_come_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    openings, text = saved(tmp_path, OPENINGS, "answer.json"), saved(tmp_path, ANSWER, "answer.txt")
    files = ["--openings", openings, "--text", text, "--prompt", saved(tmp_path, PROMPT, "messages.json")]
    assert main([saved(tmp_path, WHOLE), *files, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [check["ok"] for check in report["checks"] if check["level"] == 6] == [True, True]
    assert (report["ok"], report["failed_level"]) == (True, None)
    assert main([saved(tmp_path, WHOLE), "--openings", openings, "--text", openings]) == 16


def test_a_fork_is_shouted_and_nothing_is_remembered_without_memory(
    tmp_path: Path, trust_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Log()
    other.grow(1, seed=3)
    log = Log()
    log.grow(1)
    first, second = saved(tmp_path, log.document()), saved(tmp_path, other.document(), "second.json")
    pinned = ["--keys", saved(tmp_path, log.keys(), "keys.json")]
    assert main([first, *pinned, "--no-memory"]) == 0
    assert main([first]) == 0
    assert not trust_file.exists()  # whose keys are these?
    assert (main([first, *pinned]), main([second])) == (0, 14)
    assert "SECURITY ERROR" in capsys.readouterr().err
    assert main([second, "--no-memory"]) == 0


def test_a_log_that_grew_is_compared_by_a_proof_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log()
    pinned = ["--keys", saved(tmp_path, log.keys(), "keys.json")]
    assert main([saved(tmp_path, log.document()), *pinned]) == 0
    log.grow(4)
    late = saved(tmp_path, log.document(RECORD | {"latency_ms": 8}), "late.json")
    assert main([late, *pinned]) == 0
    assert "NOT compared with what is remembered" in capsys.readouterr().out
    growth = saved(tmp_path, log.consistency(2, 7), "growth.json")
    wrong = saved(tmp_path, log.consistency(3, 7), "wrong.json")
    assert main([late, *pinned, "--consistency", wrong]) == 14
    assert main([late, *pinned, "--consistency", saved(tmp_path, "null", "null.json")]) == 2
    assert main([late, *pinned, "--consistency", growth]) == 0
    assert capsys.readouterr().out.endswith("GOOD.\n")


def test_a_terminal_that_knows_only_ascii_is_written_to_all_the_same(tmp_path: Path) -> None:
    for arguments in ([saved(tmp_path, WHOLE | {"request_id": "é"})], [str(tmp_path / "é")]):
        run = subprocess.run(  # noqa: S603 -- no input in it
            [sys.executable, "-m", "prysm.proof", *arguments, "--no-memory"],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert run.returncode in {2, 11}
        assert b"Traceback" not in run.stderr
        assert b"?" in run.stdout + run.stderr


def test_a_memory_that_is_damaged_stops_the_verification(
    tmp_path: Path, trust_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust_file.write_text("{")
    assert main([saved(tmp_path, copy.deepcopy(WHOLE))]) == 2
    assert "--no-memory" in capsys.readouterr().err
