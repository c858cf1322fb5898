"""Receipts as files, each named for what is wrong with it, and what the Python verifier says of them."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.proof import made
from tests.proof.fixtures import FOLDER, contents
from tests.proof.good_receipts import GOOD as GOOD_CASES
from tests.proof.judged import judged
from tests.test_receipt import ensemble, record

from prysm.api.conversation import Turns, conversation
from prysm.core.openai_form import message_form
from prysm.proof.canonical import parse
from prysm.proof.prompt import normal_form

OPENED = (
    *("prompt-with-nulls-and-fields-of-a-client", "prompt-with-tool-calls", "prompt-in-a-whole-request"),
    *("prompt-with-empty-content-beside-tool-calls", "prompt-with-a-custom-and-a-sealed-call", "prompt-in-parts"),
    *("prompt-with-thoughts", "prompt-with-open-thoughts", "prompt-with-a-refusal"),
)
"""Prompts that are messages, as a gateway takes them."""

BAD = sorted((FOLDER / "bad").glob("*.json"))
GOOD = sorted((FOLDER / "good").glob("*.json"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_receipt_is_refused_for_its_defect(path: Path) -> None:
    expected, report = json.loads(path.read_text())["expect"], judged(path.read_text())
    (check,) = [check for check in report.checks if check.name == expected["check"]]
    assert (check.level, check.ok) == (expected["level"], False)
    assert expected["reason"] in check.detail
    assert report.failed_level == expected["level"]
    assert report.exit_code == 10 + expected["level"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_receipt_is_not_refused(path: Path) -> None:
    expected, report = json.loads(path.read_text())["expect"]["checks"], judged(path.read_text())
    assert {check.name: check.ok for check in report.checks if check.name in expected} == expected
    assert report.failed_level is None


def test_there_are_enough_defects_and_each_is_of_a_level_from_1_to_6() -> None:
    levels = {json.loads(path.read_text())["expect"]["level"] for path in BAD}
    assert len(BAD) >= 100
    assert levels == set(range(1, 7))


def test_the_files_are_the_ones_that_are_made_now() -> None:
    """Else: `python -m tests.proof.fixtures`."""
    due = contents()
    assert {path.relative_to(FOLDER) for path in (*BAD, *GOOD)} == {path.relative_to(FOLDER) for path in due}
    assert [path.stem for path, text in due.items() if path.read_text() != text] == []


def test_the_made_records_have_the_fields_that_the_gateway_writes() -> None:
    case = json.loads((FOLDER / "good" / "several-stages.json").read_text())
    record_made = parse(base64.b64decode(case["document"]["proof"]["envelope"]["payload"]))
    receipt = ensemble()[1]
    assert shape(record_made) == shape(record(receipt))
    body = base64.b64decode(case["document"]["stages"][0]["body"])
    assert shape(parse(body)) == shape(parse(receipt.sealed.stages[0]))


def test_the_gateway_commits_to_the_normal_form_that_the_prompts_of_receipts_are_held_to() -> None:
    read = TypeAdapter(Turns).validate_python
    prompts = [json.loads(GOOD_CASES[name]()["texts"]["prompt"]) for name in OPENED]
    sent = [prompt.get("messages") if isinstance(prompt, dict) else prompt for prompt in prompts]
    forms = [[message_form(turn) for turn in conversation(read(turns))] for turns in sent]
    assert forms == [normal_form(prompt) for prompt in prompts]


def test_the_documentation_works_with_the_values_of_a_receipt() -> None:
    document = json.loads((FOLDER / "good" / "one-call.json").read_text())["document"]
    payload = base64.b64decode(document["proof"]["envelope"]["payload"])
    entry = made.entry(made.RECEIPT, made.PAYLOAD_TYPE, payload)
    shown = (
        document["proof"]["proof_hash"],
        document["stages"][0]["digest"],
        made.pae(made.PAYLOAD_TYPE, payload)[:56].decode(),
        entry[9:].hex(),
        hashlib.sha256(b"\x00" + entry).hexdigest(),
        document["proof"]["log"]["checkpoint"].split("\n")[2],
        document["proof"]["envelope"]["signatures"][0]["keyid"],
        parse(payload)["commit"]["answer"]["c"],
    )
    text = (Path(__file__).parents[2] / "docs" / "proof.md").read_text()
    assert [value for value in shown if value.removeprefix("sha256:") not in text] == []


def shape(value: Any) -> Any:
    """The names in an object and in the objects inside it, but for the features of an estimate."""
    if not isinstance(value, dict):
        return None
    return {name: None if name == "features" else shape(each) for name, each in value.items()}
