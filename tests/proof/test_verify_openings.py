"""A text is opened with its salt; witnesses have cosigned or have not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.signed_receipts import ANSWER, OPENINGS, PROMPT, RECORD, SALT, Log, b64

from prysm.proof.canonical import canonical
from prysm.proof.cosignature import ED25519_V1, message
from prysm.proof.hashing import commitment
from prysm.proof.note import Signature, add_signature, key_id, signatures
from prysm.proof.signing import SigningKey
from prysm.proof.verify import Report, verify_document, verify_opening

WHOLE = Log().document()
PAYLOAD = base64.b64decode(WHOLE["proof"]["envelope"]["payload"])
CHAT = {"choices": [{"message": {"role": "assistant", "content": ANSWER}}], "prysm": {"openings": OPENINGS}}
SPELLED = json.dumps(PROMPT, indent=2).encode()
WITNESS = SigningKey.from_private(bytes([7]) * 32)


def opened(openings: Any, **texts: bytes) -> dict[str, bool | None]:
    report = verify_document(WHOLE, openings=openings, texts=texts)
    return {check.name.removeprefix("opening:"): check.ok for check in report.checks if check.level == 6}


def test_an_answer_in_openais_form_opens_itself() -> None:
    assert opened(CHAT) == {"prompt": None, "answer": True}
    assert opened(CHAT, prompt=SPELLED) == {"prompt": True, "answer": True}


def test_openings_from_another_surface_take_the_text_from_a_file() -> None:
    assert opened({"content": [], "prysm": {"openings": OPENINGS}}, answer=ANSWER.encode())["answer"] is True
    assert opened(OPENINGS, answer=ANSWER.encode())["answer"] is True
    assert opened(OPENINGS) == {"prompt": None, "answer": None}


def test_another_text_is_not_the_one() -> None:
    report = verify_document(WHOLE, openings=CHAT, texts={"answer": b"Kyoto", "prompt": b"[]"})
    assert (report.ok, report.exit_code) == (False, 16)
    assert opened(OPENINGS, answer=ANSWER.encode() + b"\n")["answer"] is False


@pytest.mark.parametrize(
    "spoil",
    [
        {"enc": "jcs"},
        {"enc": "raw"},
        {"enc": None},
        {"salt": "*"},
        {"salt": None},
        {"salt": b64(bytes(32))},
        {"salt": b64(SALT[:-1])},
        {"salt": b64(SALT + b"\x00")},
    ],
)
def test_a_spoiled_opening_opens_nothing(spoil: Any) -> None:
    assert opened({"answer": OPENINGS["answer"] | spoil}, answer=ANSWER.encode()) == {"answer": False}


@pytest.mark.parametrize("openings", [{}, {"prysm": {}}, {"prysm": {"openings": []}}])
def test_no_opening_is_not_checked_and_a_text_without_one_fails(openings: Any) -> None:
    assert opened(openings) == {"opening": None}
    assert opened(openings, answer=b"x") == {"answer": False}


@pytest.mark.parametrize("opening", [None, [], "x", {}, {"enc": "utf8"}])
def test_a_malformed_opening_is_a_failed_check(opening: Any) -> None:
    assert opened({"answer": opening}, answer=b"x") == {"answer": False}


def test_a_prompt_that_is_no_json_is_a_failed_check() -> None:
    assert opened(OPENINGS, prompt=b"{")["prompt"] is False
    assert opened(OPENINGS, prompt=b'[{"role":"a","role":"b"}]')["prompt"] is False


def test_a_record_that_commits_to_nothing_or_by_unknown_means_opens_nothing() -> None:
    commit: dict[str, Any] = json.loads(PAYLOAD)["commit"]
    for spoiled in (None, commit["answer"] | {"alg": "none"}, commit["answer"] | {"enc": "raw"}, 7):
        payload = canonical({**RECORD, "commit": {**commit, "answer": spoiled}})
        assert verify_opening(payload, "answer", OPENINGS["answer"], ANSWER.encode()).ok is False


def test_tool_calls_and_several_choices_open_as_the_messages_they_are() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    forms: list[Any] = [
        {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]},
        {"role": "assistant", "content": "é", "refusal": None},
    ]
    sealed = {"enc": "jcs", "alg": "HMAC-SHA256", "c": commitment(SALT, "answer", "jcs", canonical(forms))}
    log = Log()
    commit: Any = {"prompt": None, "answer": sealed}
    document = log.document({**RECORD, "commit": commit})
    choices = [{"index": i, "message": form | {"reasoning_content": "hm"}} for i, form in enumerate(forms)]
    answer = {"choices": choices, "prysm": {"openings": {"answer": OPENINGS["answer"] | {"enc": "jcs"}}}}
    assert verify_document(document, openings=answer).checks[-1].ok


def cosigned(document: Any, *, time: int = 1_795_000_000, by: SigningKey = WITNESS) -> Any:
    note = document["proof"]["log"]["checkpoint"]
    stamp = time.to_bytes(8, "big")
    signed = by.sign(message(time, signatures(note)[0]))
    line = Signature("witness.example", key_id("witness.example", WITNESS.public, ED25519_V1), stamp + signed)
    log = document["proof"]["log"] | {"checkpoint": add_signature(note, line)}
    return {**document, "proof": {**document["proof"], "log": log}}


def witnessed(document: Any, **publics: bytes) -> tuple[bool | None, Report]:
    report = verify_document(document, witnesses={name.replace("_", "."): key for name, key in publics.items()})
    return next(check.ok for check in report.checks if check.name == "witnesses"), report


def test_a_witness_that_was_named_has_cosigned_or_the_fifth_level_fails() -> None:
    assert witnessed(WHOLE)[0] is None
    found, report = witnessed(cosigned(WHOLE), witness_example=WITNESS.public)
    assert (found, report.ok) == (True, True)
    for document in (WHOLE, cosigned(WHOLE, by=SigningKey.generate())):
        found, report = witnessed(document, witness_example=WITNESS.public)
        assert (found, report.exit_code) == (False, 15)
