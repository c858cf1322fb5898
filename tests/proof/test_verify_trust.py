"""A verifier remembers every log, and no log can show it two histories."""

from __future__ import annotations

import copy
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.signed_receipts import ORIGIN, RECORD, Log

from prysm.errors import ConfigError
from prysm.proof.keys import read_keys
from prysm.proof.signing import SigningKey
from prysm.proof.trust import Refused, Trust, default_path, gap, read_trust, remember
from prysm.proof.verify import verify_document

if TYPE_CHECKING:
    from pathlib import Path

    from prysm.proof.report import Check, Report

OTHER = SigningKey.from_private(bytes([9]) * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "trust.json"


def verify(path: Path, document: Any, log: Log | None = None, **given: Any) -> tuple[Report, str | None]:
    """Verify as the command line does; with a log, as one that is online."""
    trust = read_trust(path, given.get("keys"))
    sizes = gap(document, trust)
    proof = log.consistency(*sizes[1:]) if log and sizes else None
    report = verify_document(document, trust=trust, consistency=given.pop("consistency", proof), **given)
    return report, remember(path, trust, report)


def memory(report: Report) -> Check:
    return next(check for check in report.checks if check.level == 4)


def size(path: Path) -> int:
    (entry,) = json.loads(path.read_text()).values()
    return int(entry["size"])


def grown(by: int = 5) -> tuple[Log, Any, Any]:
    """A log with a receipt, and another one later."""
    log = Log()
    log.grow(3)
    early = log.document()
    log.grow(by, seed=1)
    return log, early, log.document({**RECORD, "latency_ms": 8})


def test_a_log_that_is_seen_first_is_remembered_for_its_owner_alone(path: Path) -> None:
    log, early, _ = grown()
    report, alarm = verify(path, early)
    assert (report.ok, alarm, memory(report).ok) == (True, None, None)
    kid = log.log_keys[0].kid
    assert list(json.loads(path.read_text())) == [f"{ORIGIN}|{kid}"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["trust.json"]  # noqa: PTH208 -- names are enough


def test_the_same_checkpoint_again_is_consistent(path: Path) -> None:
    _, early, _ = grown()
    verify(path, early)
    report, alarm = verify(path, early)
    assert (memory(report).ok, alarm) == (True, None)


@pytest.mark.parametrize("by", [1, 4, 60, 300])
def test_a_log_that_grew_is_consistent_when_it_proves_it(path: Path, by: int) -> None:
    log, early, late = grown(by)
    verify(path, early)
    report, alarm = verify(path, late, log)
    assert (report.ok, memory(report).ok, alarm) == (True, True, None)
    assert size(path) == late["proof"]["log"]["size"]


def test_what_is_remembered_never_shrinks(path: Path) -> None:
    log, early, late = grown()
    verify(path, late)
    report, _ = verify(path, early, log)
    assert memory(report).ok
    assert size(path) == late["proof"]["log"]["size"]


@pytest.mark.parametrize("order", [0, 1])
def test_without_a_proof_nothing_is_said_and_nothing_new_is_remembered(path: Path, order: int) -> None:
    _, *documents = grown()
    first, second = documents if order else documents[::-1]
    verify(path, first)
    report, alarm = verify(path, second)
    assert (report.ok, memory(report).ok, alarm) == (True, None, None)
    assert "NOT compared with what is remembered" in report.verdict()
    assert "no proof between the remembered size" in memory(report).detail
    assert size(path) == first["proof"]["log"]["size"]


def forked() -> tuple[Log, Any, Log, Any]:
    """Two histories of one log, of the same size, each with its receipt."""
    logs = Log(), Log()
    for seed, log in enumerate(logs):
        log.grow(4, seed)
    return logs[0], logs[0].document(), logs[1], logs[1].document()


def test_another_root_at_the_same_size_is_a_security_error_with_both_notes(path: Path) -> None:
    _, told, _, retold = forked()
    verify(path, told)
    report, alarm = verify(path, retold)
    assert (report.ok, report.exit_code) == (False, 14)
    assert "two histories" in memory(report).detail
    notes = [document["proof"]["log"]["checkpoint"] for document in (told, retold)]
    assert alarm is not None
    assert alarm.startswith("SECURITY ERROR")
    assert all(note in alarm for note in notes)
    (entry,) = json.loads(path.read_text()).values()
    assert (entry["note"], entry["conflicts"]) == (notes[0], notes[1:])
    assert verify(path, told)[0].ok


def test_a_history_that_grew_from_another_root_cannot_prove_itself(path: Path) -> None:
    _, told, other, _ = forked()
    verify(path, told)
    other.grow(9, seed=5)
    report, alarm = verify(path, other.document({**RECORD, "latency_ms": 9}), other)
    assert (report.exit_code, memory(report).ok) == (14, False)
    assert alarm
    assert size(path) == told["proof"]["log"]["size"]


@pytest.mark.parametrize(
    "spoil", [{"from": 1}, {"to": True}, {"origin": "prysm/x"}, {"proof": "x"}, {"proof": []}, {"proof": ["*"]}]
)
def test_a_consistency_proof_that_is_another_or_none_fails(path: Path, spoil: Any) -> None:
    log, early, late = grown()
    verify(path, early)
    sizes = early["proof"]["log"]["size"], late["proof"]["log"]["size"]
    report, _ = verify(path, late, consistency=log.consistency(*sizes) | spoil)
    assert report.exit_code == 14


@pytest.mark.parametrize("shorter", [False, True])
def test_a_gateway_that_was_asked_and_proved_nothing_fails_loudly(path: Path, shorter: bool) -> None:
    _, *documents = grown()
    first, second = documents[::-1] if shorter else documents
    verify(path, first)
    report, alarm = verify(path, second, consistency=Refused("it answered 404"))
    assert (report.exit_code, memory(report).ok) == (14, False)
    assert "was asked to prove that" in memory(report).detail
    assert memory(report).detail.endswith("and did not: it answered 404")
    assert ("the log is shorter than what was seen" in (alarm or "")) is shorter
    assert "SECURITY ERROR" in (alarm or "")
    assert size(path) == first["proof"]["log"]["size"]


def test_a_file_that_brought_its_own_keys_teaches_nothing_and_leaves_no_evidence(path: Path) -> None:
    _, told, _, retold = forked()
    report = verify_document(told, trust=read_trust(path))
    assert remember(path, read_trust(path), report, learn=False) is None
    assert not path.exists()
    verify(path, told)
    kept = path.read_text()
    report = verify_document(retold, trust=read_trust(path))
    assert "SECURITY ERROR" in (remember(path, read_trust(path), report, learn=False) or "")
    assert path.read_text() == kept


def test_another_log_key_is_loud_unless_it_was_pinned(path: Path) -> None:
    _, early, _ = grown()
    verify(path, early)
    taken = Log(log_keys=[OTHER])
    taken.grow(3)
    document = taken.document()
    report, alarm = verify(path, document)
    assert (report.exit_code, bool(alarm)) == (14, True)
    assert "signed by another key than before" in memory(report).detail
    report, alarm = verify(path, document, keys=read_keys(taken.keys()))
    assert (report.ok, alarm, memory(report).ok) == (True, None, None)


def test_a_change_of_keys_with_an_overlap_is_followed(path: Path) -> None:
    log, early, _ = grown()
    verify(path, early)
    log.log_keys.append(OTHER)
    assert memory(verify(path, log.document({**RECORD, "latency_ms": 1}), log)[0]).ok
    del log.log_keys[0]
    assert memory(verify(path, log.document({**RECORD, "latency_ms": 2}), log)[0]).ok


def test_a_bad_receipt_teaches_nothing(path: Path) -> None:
    _, early, _ = grown()
    bad = copy.deepcopy(early)
    bad["entry"]["model"] = "gpt-5"
    verify(path, bad)
    assert not path.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1}', '{"a|b": {"size": true, "root": "", "note": ""}}', '{"a": {}, "a": {}}']
)
def test_a_memory_that_cannot_be_read_is_never_taken_for_an_empty_one(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trust.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match="move it away"):
        read_trust(file)
    assert file.read_text() == text


def test_a_memory_that_cannot_be_written_takes_nothing_from_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _, early, _ = grown()
    report = verify_document(early, trust=Trust())
    assert report.ok
    assert "was not remembered" in (remember(tmp_path / "file" / "trust.json", Trust(), report) or "")


def test_verifications_at_one_moment_lose_no_log_and_shrink_none(path: Path) -> None:
    documents = []
    for i in range(8):
        log = Log(origin=f"prysm/{i:032x}")
        documents.append(log.document())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda document: verify(path, document), documents))
    assert len(read_trust(path).entries) == 8


def test_an_entry_that_changed_meanwhile_is_left_alone(path: Path) -> None:
    log, early, late = grown()
    before = read_trust(path)
    verify(path, late)
    remember(path, before, verify_document(early, trust=before))
    assert size(path) == late["proof"]["log"]["size"]
    assert len(log.leaves) == size(path)


def test_the_file_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRYSM_TRUST_FILE", str(tmp_path / "t.json"))
    assert default_path() == tmp_path / "t.json"
    monkeypatch.setenv("PRYSM_TRUST_FILE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".prysm" / "trust.json"
