"""A receipt holds on levels 1 to 3, or it is said which check failed and why."""

from __future__ import annotations

import base64
import copy
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.signed_receipts import ORIGIN, RECORD, RUN, STAGES, Log, b64, hash_of, unlogged

from prysm.proof.canonical import canonical
from prysm.proof.checkpoint import Checkpoint, signed
from prysm.proof.document import NoReceipt
from prysm.proof.hashing import stage_digest
from prysm.proof.keys import read_keys
from prysm.proof.signing import SigningKey, kid_of
from prysm.proof.verify import verify_bytes, verify_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.proof.report import Report

STRANGER = SigningKey.from_private(bytes([9]) * 32)


def log_of(n: int) -> Log:
    log = Log()
    log.grow(n)
    return log


WHOLE = log_of(5).document()


def failed(report: Report) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks if check.ok is False}


def states(report: Report) -> dict[str, bool | None]:
    return {check.name: check.ok for check in report.checks}


@pytest.mark.parametrize("before", [0, 1, 2, 6, 255, 256, 300])
def test_a_receipt_that_holds_is_ok_wherever_it_is_in_the_log(before: int) -> None:
    report = verify_document(log_of(before).document(), RUN)
    assert failed(report) == {}
    assert (report.ok, report.exit_code, report.failed_level) == (True, 0, None)
    levels = [check.level for check in report.checks]
    assert levels == sorted(levels)
    assert set(levels) == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("spelling", [RUN, f"prysm-{RUN}", RUN.upper(), RUN.replace("-", "")])
def test_every_spelling_of_the_id_that_a_gateway_takes_is_the_same_run(spelling: str) -> None:
    assert verify_document(WHOLE, spelling).ok


@pytest.mark.parametrize(
    "spelling", [f" {RUN}", f"{RUN}\n", f"\ufeff{RUN}", f"\x1f{RUN}", "{" + RUN + "}", RUN.replace("-", "_")]
)
def test_nothing_else_is_forgiven_in_an_id(spelling: str) -> None:
    assert failed(verify_document(WHOLE, spelling)).keys() == {"request_id"}


def test_pinned_keys_are_the_only_ones_that_count() -> None:
    keys = read_keys(log_of(5).keys())
    report = verify_document({**WHOLE, "keys": Log(receipt_key=STRANGER).keys()}, keys=keys)
    assert report.ok
    assert "the key was pinned" in report.checks[0].detail
    assert "came with the receipt: pin it" in verify_document(WHOLE).checks[0].detail
    assert verify_document(WHOLE, keys=read_keys(Log(receipt_key=STRANGER).keys())).failed_level == 1


def change(path: str, value: Any) -> Callable[[Any], None]:
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))

    def apply(document: Any) -> None:
        for step in way:
            document = document[step]
        document[last] = value(document[last]) if callable(value) else value

    return apply


def checkpointed(make: Callable[[Any], str]) -> Callable[[Any], None]:
    return change("proof.log.checkpoint", make)


def by(*keys: SigningKey, **fields: Any) -> Callable[[str], str]:
    """Another checkpoint in the place of a note."""

    def make(note: str) -> str:
        origin, size, root = note.split("\n")[:3]
        old = Checkpoint(origin, int(size), base64.b64decode(root))
        new = Checkpoint(**{name: fields.get(name, getattr(old, name)) for name in ("origin", "size", "root")})
        return signed(new, keys or Log().log_keys)

    return make


DEFECTS: dict[str, tuple[Callable[[Any], None], str, str]] = {
    "future document": (change("proof.version", 3), "document", "unknown proof version 3"),
    "true for a version": (change("proof.version", lambda _: True), "document", "unknown proof version True"),
    "payload not base64": (change("proof.envelope.payload", "é"), "document", "the payload is not base64"),
    "payload no string": (change("proof.envelope.payload", 7), "document", "the payload is not base64"),
    "two signatures": (change("proof.envelope.signatures", lambda old: old * 2), "document", "has one signature"),
    "no list of signatures": (change("proof.envelope.signatures", None), "document", "missing or malformed"),
    "signature without key": (change("proof.envelope.signatures", [{"sig": ""}]), "document", "malformed"),
    "another payload type": (change("proof.envelope.payloadType", "x"), "signature", "unknown payload type 'x'"),
    "signature taken away": (change("proof.envelope.signatures", []), "signature", "is gone"),
    "signature cut": (change("proof.envelope.signatures.0.sig", "AAAA"), "signature", "is not one of the key"),
    "unknown key": (change("proof.envelope.signatures.0.keyid", "0" * 32), "signature", "not among the known keys"),
    "another hash": (change("proof.proof_hash", "sha256:" + "0" * 64), "proof_hash", "the payload hashes to"),
    "hash no string": (change("proof.proof_hash", None), "document", "the proof_hash is not a string"),
    "another run": (change("request_id", "x"), "request_id", "not of 'x'"),
    "no run": (change("request_id", None), "request_id", "names no run"),
    "forged summary": (change("entry.model", "gpt-5"), "entry", "forged"),
    "one for true in the summary": (change("entry.simulated", 1), "entry", "forged"),
    "summary no object": (change("entry", []), "entry", "cannot be read"),
    "swapped stages": (change("stages", lambda old: old[::-1]), "stages", "stage 0 hashes to"),
    "a stage less": (change("stages", lambda old: old[:1]), "stages", "lists 3 stages, 1 were given"),
    "stage no object": (change("stages.1", 7), "stages", "the body of stage 1 is not base64"),
    "stages no list": (change("stages", {}), "stages", "not a list"),
    "log no object": (change("proof.log", []), "inclusion", "no object"),
    "unknown state": (change("proof.log.state", "soon"), "inclusion", "unknown state 'soon'"),
    "index true": (change("proof.log.index", lambda _: True), "inclusion", "not an integer"),
    "index a float": (change("proof.log.index", 6.0), "inclusion", "not an integer"),
    "negative index": (change("proof.log.index", -1), "inclusion", "the index -1 is negative"),
    "index beyond the log": (change("proof.log.index", 7), "inclusion", "not below the size of the log, 7"),
    "another index": (change("proof.log.index", 3), "inclusion", "the inclusion proof does not"),
    "another size": (change("proof.log.size", 8), "inclusion", "not that of the checkpoint, 7"),
    "another root": (
        change("proof.log", lambda old: old | {"root": b64(bytes(32))}),
        "inclusion",
        "the root beside",
    ),
    "another origin": (
        change("proof.log.origin", "prysm/x"),
        "inclusion",
        f"of the log {ORIGIN!r}, not of 'prysm/x'",
    ),
    "proof cut": (change("proof.log.inclusion", lambda old: old[:-1]), "inclusion", "length that the tree demands"),
    "proof longer": (change("proof.log.inclusion", lambda old: [*old, b64(bytes(32))]), "inclusion", "length"),
    "proof of short hashes": (change("proof.log.inclusion.0", b64(bytes(31))), "inclusion", "has 32 bytes"),
    "proof not base64": (change("proof.log.inclusion.0", "*"), "inclusion", "is not base64"),
    "proof no list": (change("proof.log.inclusion", "x"), "inclusion", "not a list"),
    "checkpoint no string": (change("proof.log.checkpoint", None), "inclusion", "the checkpoint is not a string"),
    "checkpoint no note": (change("proof.log.checkpoint", "x"), "inclusion", "a note is text"),
    "checkpoint by a stranger": (checkpointed(by(STRANGER)), "inclusion", "not signed by a known key"),
    "checkpoint by the receipt key": (
        checkpointed(by(Log().receipt_key)),
        "inclusion",
        "not signed by a known key",
    ),
    "wrong root": (checkpointed(by(root=bytes(32))), "inclusion", "does not lead to the root"),
    "checkpoint of another log": (checkpointed(by(origin="prysm/x")), "inclusion", "not of"),
    "checkpoint of another size": (checkpointed(by(size=9)), "inclusion", "not that of the checkpoint, 9"),
    "receipt key as log key": (
        change("keys.keys.0.use", "log"),
        "signature",
        "is a log key, which signs no receipts",
    ),
    "log key as receipt key": (change("keys.keys.1.use", "receipt"), "inclusion", "no log key of it"),
    "log key revoked": (change("keys.keys.1.status", "revoked"), "inclusion", "every log key of it is revoked"),
    "receipt key revoked": (change("keys.keys.0.status", "revoked"), "inclusion", "is revoked"),
    "receipt key not announced": (change("keys.keys.0.status", "pending"), "inclusion", "had not announced"),
    "before its key": (change("keys.keys.0.from_index", 6), "inclusion", "leaf 6 is not after 6"),
    "after its key": (change("keys.keys.0.to_index", 6), "inclusion", "leaf 6 is not before 6"),
    "key of another log": (change("keys.keys.0.origin", "prysm/x"), "inclusion", "is not one of the log"),
    "keys malformed": (change("keys", {"keys": {}}), "signature", "no list of keys"),
}


@pytest.mark.parametrize(("spoil", "name", "why"), DEFECTS.values(), ids=DEFECTS.keys())
def test_a_receipt_that_was_changed_says_what_is_wrong(spoil: Any, name: str, why: str) -> None:
    document = copy.deepcopy(WHOLE)
    spoil(document)
    report = verify_document(document)
    assert not report.ok
    assert report.exit_code > 10
    assert why in failed(report)[name]


def resealed(**fields: Any) -> Report:
    """The verdict on a record that says something else, signed and logged like any other."""
    return resealed_as({**RECORD, **fields})


def resealed_as(record: Any) -> Report:
    return verify_document(log_of(3).document(record))


@pytest.mark.parametrize("version", ["prysmproof/3", 2, None, ["prysmproof/2"]])
def test_a_record_of_another_version_is_not_judged(version: Any) -> None:
    report = resealed(v=version)
    assert "unknown record version" in failed(report)["record"]
    assert "stages" not in states(report)


@pytest.mark.parametrize("log", [None, {"state": "pending", "origin": ORIGIN, "index": None}])
def test_a_receipt_that_is_not_in_the_log_yet_has_not_failed(log: Any) -> None:
    report = verify_document({**WHOLE, "proof": {**WHOLE["proof"], "log": log}})
    assert (report.ok, report.failed_level, report.exit_code) == (False, None, 1)
    assert (states(report)["signature"], states(report)["inclusion"]) == (True, None)


def test_a_receipt_from_before_signing_is_neither_good_nor_bad() -> None:
    report = verify_document(unlogged(canonical(RECORD), STAGES, None))
    assert (report.ok, report.failed_level, report.exit_code) == (False, None, 1)
    said = {check.name: check.detail for check in report.checks if check.ok is None}
    assert said["signature"] == "it carries no signature: anybody can have written it"
    assert said["inclusion"] == "where in a log it is was not given"
    assert "NOT PROVED" in report.verdict()


def test_who_pinned_keys_takes_no_receipt_without_a_signature() -> None:
    report = verify_document(unlogged(canonical(RECORD), STAGES, None), keys=read_keys(Log().keys()))
    assert report.exit_code == 11
    assert "anybody can have written it" in failed(report)["signature"]


def without(path: str) -> Callable[[Any], None]:
    *way, last = path.split(".")

    def apply(record: Any) -> None:
        for step in way:
            record = record[step]
        del record[last]

    return apply


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (change("cost.nano_usd", value), "cost.nano_usd")
        for value in ("1_0", "\u0663", "1e3", "0x10", "", "01", "-1", 1, "9" * 32)
    ]
    + [(change("confidence", value), "confidence") for value in ("", "0x1", "1.001", "0.5", "2.000", 1, "0.5000")]
    + [
        (change("degraded", [1]), "degraded[0]"),
        (change("degraded", {}), "degraded"),
        (change("outcome", "fine"), "outcome"),
        (change("sealed", "2026-11-20 06:00"), "sealed"),
        (change("nonce", "AAAA"), "nonce"),
        (change("simulated", 1), "simulated"),
        (change("latency_ms", -1), "latency_ms"),
        (change("usage.input_tokens", lambda _: True), "usage.input_tokens"),
        (change("answer", "x"), "answer"),
        (change("stages", {}), "stages"),
        (change("stages.1.digest", None), "stages[1].digest"),
        (change("policy", {"id": "x"}), "policy.bar"),
        (change("evidence", []), "evidence"),
        (lambda record: record.update(cached={}), "cached.request_id"),
        (change("commit.answer", "x"), "commit.answer"),
        (change("retention", "long"), "retention"),
        (without("head"), "head"),
        (without("strategy.forced"), "strategy.forced"),
    ],
)
def test_a_record_with_a_field_that_is_missing_or_of_another_type_is_none(spoil: Any, where: str) -> None:
    record: Any = copy.deepcopy(RECORD)
    spoil(record)
    assert failed(resealed_as(record)) == {"record": f"the field {where} of the record is missing or malformed"}


def test_fields_of_later_versions_and_records_without_evidence_are_taken() -> None:
    assert resealed(more={"a": 1}).ok
    assert resealed_as({name: value for name, value in RECORD.items() if name != "evidence"}).ok


@pytest.mark.parametrize("parents", ["", {}, None, 7, {"x": 1}, [1], [None]])
def test_parents_are_a_list_of_strings(parents: Any) -> None:
    body = canonical({"i": 0, "kind": "answer", "parents": parents})
    listed: Any = [{"i": 0, "kind": "answer", "digest": stage_digest(body)}]
    document = log_of(3).document({**RECORD, "stages": listed, "head": stage_digest(body)}, (body,))
    assert failed(verify_document(document)) == {"stages": "the parents of stage 0 are not a list of strings"}


def test_ten_thousand_stages_are_checked_in_no_time_and_one_more_is_refused() -> None:
    bodies: list[bytes] = []
    listed: list[Any] = []
    for i in range(10_000):
        parents: Any = [listed[-1]["digest"]] if listed else []
        bodies.append(canonical({"i": i, "kind": "propose", "parents": parents}))
        listed.append({"i": i, "kind": "propose", "digest": stage_digest(bodies[-1])})
    document = log_of(1).document({**RECORD, "stages": listed, "head": listed[-1]["digest"]}, tuple(bodies))
    began = time.perf_counter()
    assert verify_document(document).ok
    assert time.perf_counter() - began < 2
    document["stages"].append(document["stages"][0])
    assert failed(verify_document(document)) == {"stages": "there are more than 10000 stages"}
    assert failed(resealed(stages=[*listed, listed[0]]))["record"] == "the record lists more than 10000 stages"


def test_thousands_of_log_keys_and_more_lines_than_a_note_has_cost_no_time() -> None:
    log = log_of(3)
    document = log.document()
    (template,) = [key for key in document["keys"]["keys"] if key["use"] == "log"]
    publics = [hash_of(b"%d" % i) for i in range(9_000)]
    document["keys"]["keys"] += [template | {"kid": kid_of(each), "public": b64(each)} for each in publics]
    began = time.perf_counter()
    assert verify_document(document).ok
    assert time.perf_counter() - began < 2
    document["keys"]["keys"] *= 2
    assert failed(verify_document(document))["signature"] == "the keys document has more than 10000 keys"
    line = document["proof"]["log"]["checkpoint"].splitlines(keepends=True)[-1]
    for more in (line * 64, line.rstrip() + "A" * 70_000 + "\n"):
        spoiled = {**WHOLE, "proof": {**WHOLE["proof"], "log": {**WHOLE["proof"]["log"]}}}
        spoiled["proof"]["log"]["checkpoint"] += more
        assert "the note " in failed(verify_document(spoiled))["inclusion"]


@pytest.mark.parametrize(
    ("bounds", "good"),
    [
        ({"from_index": 6}, True),
        ({"from_index": 7}, False),
        ({"to_index": 7}, True),
        ({"to_index": 6}, False),
        ({"status": "pending"}, False),
        ({"status": "retired"}, True),
        ({"status": "revoked", "to_index": 9}, False),
    ],
)
def test_a_log_key_signs_checkpoints_that_hold_its_announcement_and_not_its_end(bounds: Any, good: bool) -> None:
    document = copy.deepcopy(WHOLE)  # of a log of 7 leaves
    document["keys"]["keys"][1] |= bounds
    assert verify_document(document).ok is good
    if not good:
        assert "cannot be trusted" in failed(verify_document(document))["inclusion"]


@pytest.mark.parametrize("absent", ["keys", "stages"])
def test_what_was_not_given_is_not_checked(absent: str) -> None:
    report = verify_document({name: value for name, value in WHOLE.items() if name != absent})
    assert (report.ok, report.failed_level, report.exit_code) == (False, None, 1)


def test_while_keys_change_both_sign_and_either_is_enough() -> None:
    log = Log(log_keys=[*Log().log_keys, STRANGER])
    document = log.document()
    report = verify_document(document)
    assert report.ok
    assert report.seen is not None
    assert report.seen.signers == {key.kid for key in log.log_keys}
    assert verify_document(document, keys=read_keys(Log().keys())).ok


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (json.dumps(WHOLE)[:-1] + ', "request_id": "x"}', "request_id"),
        (json.dumps(WHOLE).replace('"proof": {', '"proof": {"version": 2, ', 1), "version"),
    ],
)
def test_a_key_that_stands_twice_in_the_document_is_refused(text: str, key: str) -> None:
    report = verify_bytes(text.encode())
    assert failed(report) == {"document": f"the key '{key}' stands twice in one object"}
    assert report.exit_code == 11


def test_a_key_that_stands_twice_in_the_record_is_refused() -> None:
    payload = canonical(RECORD)[:-1] + b',"v":"prysmproof/2"}'
    report = verify_document(unlogged(payload, STAGES, Log().receipt_key) | {"keys": Log().keys()})
    assert failed(report)["record"] == "the key 'v' stands twice in one object"
    assert report.checks[0].ok


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ('"x": ' + "9" * 5_000, "beyond 53 bits"),
        ('"x": 9007199254740993', "beyond 53 bits"),
        ('"x": 1e400', "beyond a double"),
        ('"x": ' + "[" * 300 + "]" * 300, "nested too deep"),
        ('"x": ' + "[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('"x": "\\ud83d"', "half a character"),
        ('"x": "' + " " * 32_000_000 + '"', "larger than 32 MB"),
    ],
    ids=range(7),
)
def test_what_readers_take_for_different_values_is_refused_in_any_field(spoil: str, why: str) -> None:
    report = verify_bytes((json.dumps(WHOLE)[:-1] + ", " + spoil + "}").encode())
    assert why in failed(report)["document"]
    assert report.exit_code == 11


def test_a_backslash_in_a_text_is_no_half_a_character() -> None:
    assert verify_bytes((json.dumps(WHOLE)[:-1] + r', "x": "\\ud83d \ud83d\ude00"}').encode()).ok
    assert resealed(task=r"\ud83d").ok


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"{", b"\xff", b"NaN", b'{"proof": []}'])
def test_what_is_no_receipt_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NoReceipt):
        verify_bytes(data)


def test_what_a_forger_wrote_cannot_steer_the_terminal() -> None:
    report = verify_document({**WHOLE, "request_id": "\x1b[2J\u202e"}, "\x1b[31m")
    assert all(line.isprintable() for line in report.lines())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(found for key, each in inner for found in places(each, (*way, key)))]


CHECKED = [way for way in places(WHOLE) if way and way[0] != "verified"]


@given(JSON)
def test_no_json_makes_the_verifier_raise_or_pass(value: Any) -> None:
    assert not verify_document(value).ok


@given(st.sampled_from(CHECKED), JSON)
def test_no_json_in_any_place_of_a_receipt_makes_the_verifier_raise(way: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(WHOLE)
    inner = document
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    report = verify_document(document, openings=value if isinstance(value, dict) else None)
    assert report.exit_code in range(17)


SEALED = {
    "payload": ("proof", "envelope", "payload"),
    "signature": ("proof", "envelope", "signatures", 0, "sig"),
    "stage": ("stages", 1, "body"),
    "inclusion": ("proof", "log", "inclusion", 1),
    "public key": ("keys", "keys", 0, "public"),
}


def at(document: Any, way: tuple[Any, ...]) -> tuple[Any, Any]:
    for step in way[:-1]:
        document = document[step]
    return document, way[-1]


@given(st.sampled_from(sorted(SEALED)), st.data())
def test_no_flipped_bit_verifies(part: str, data: st.DataObject) -> None:
    document = copy.deepcopy(WHOLE)
    holder, name = at(document, SEALED[part])
    raw = bytearray(base64.b64decode(holder[name]))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    holder[name] = b64(bytes(raw))
    assert verify_document(document).failed_level is not None


@given(st.sampled_from(sorted({*SEALED.values(), ("proof", "log", "checkpoint")}, key=str)), st.data())
def test_no_flipped_bit_of_what_is_written_verifies(way: tuple[Any, ...], data: st.DataObject) -> None:
    """Of the text itself, where several spellings could mean the same bytes."""
    document = copy.deepcopy(WHOLE)
    holder, name = at(document, way)
    raw = bytearray(holder[name].encode())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    holder[name] = raw.decode(errors="surrogateescape")
    assert verify_document(document).failed_level is not None
