"""docs/verify.html in a real browser: the verdicts of the Python verifier, and what a person sees."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright
from tests.absent import absent
from tests.proof.altered import altered, resealed
from tests.proof.fixtures import FOLDER
from tests.proof.judged import judged, judgement
from tests.proof.made import commitment, sealed
from tests.proof.runs import OPENINGS, SALTS, single

from prysm.proof.document import NoReceipt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page
    from tests.proof.judged import Judgement

PAGE = Path(__file__).parents[2] / "docs" / "verify.html"
FIXTURES = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*/*.json"))}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium")
    if found is None:
        absent("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """The page as opened from disk, in a window of its own; it must ask for nothing and complain of nothing."""
    with browser.new_context(color_scheme="light") as context:
        asked: list[str] = []
        said: list[str] = []
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(error.message))
        page.goto(PAGE.as_uri())
        yield page
        assert set(asked) == {PAGE.as_uri()}
        assert said == []


def judge(page: Page, texts: list[str]) -> list[dict[str, Any]]:
    """The page's report of each fixture, whose document it gets as the text of a file, as the Python verifier does."""
    cases = [as_file(text) for text in texts]
    reports: list[dict[str, Any]] = page.evaluate("texts => Promise.all(texts.map(window.prysmVerify))", cases)
    return reports


def as_file(text: str) -> str:
    case = json.loads(text)
    return json.dumps({"file": json.dumps(case.pop("document", None))} | case)


def disagreements(page: Page, texts: dict[str, str]) -> dict[str, Any]:
    """What the page says of each fixture beside what the Python verifier says, where that differs in any check."""
    found = {}
    for (name, text), report in zip(texts.items(), judge(page, list(texts.values())), strict=True):
        checks = {check["name"]: (check["level"], check["ok"]) for check in report["checks"]}
        shown, due = (checks, report["ok"], report["failed_level"]), verdict_of_python(text)
        if shown != due:
            found[name] = (shown, due)
    return found


def verdict_of_python(text: str) -> tuple[Judgement, bool, int | None]:
    try:
        report = judged(text)
    except NoReceipt:
        return {"document": (1, False)}, False, 1
    return judgement(report), report.ok, report.failed_level


def test_the_page_judges_every_check_of_every_fixture_as_the_python_verifier_does(page: Page) -> None:
    assert disagreements(page, FIXTURES) == {}


def test_the_page_refuses_each_bad_receipt_for_its_defect(page: Page) -> None:
    bad = {name: text for name, text in FIXTURES.items() if "reason" in json.loads(text)["expect"]}
    wrong = {}
    for (name, text), report in zip(bad.items(), judge(page, list(bad.values())), strict=True):
        expected = json.loads(text)["expect"]
        (said,) = [check["detail"] for check in report["checks"] if check["name"] == expected["check"]]
        if expected["reason"] not in said:
            wrong[name] = (expected["reason"], said)
    assert wrong == {}


def test_the_page_agrees_with_the_python_verifier_on_receipts_altered_at_random(page: Page) -> None:
    assert disagreements(page, {text: text for text in altered(seed=17, count=400)}) == {}


def test_the_page_agrees_with_the_python_verifier_on_records_altered_by_their_signer(page: Page) -> None:
    assert disagreements(page, {text: text for text in resealed(seed=17, count=300)}) == {}


def test_the_page_agrees_with_the_python_verifier_on_what_is_too_large(page: Page) -> None:
    case = json.loads(FIXTURES["several-stages"])
    many = {name: json.loads(FIXTURES["keys-that-came-with-it"]) for name in ("keys", "stages", "nested")}
    many["keys"]["document"]["keys"]["keys"] *= 3_334
    many["stages"]["document"]["stages"] *= 2_001
    many["nested"]["document"]["more"] = json.loads("[" * 100 + "]" * 100)
    del case["document"]["proof"]["log"]["inclusion"][0]
    texts = {name: json.dumps(each) for name, each in (many | {"path": case}).items()}
    assert disagreements(page, texts) == {}
    refused = {
        name: report["failed_level"] for name, report in zip(texts, judge(page, [*texts.values()]), strict=True)
    }
    assert refused == {"keys": 1, "stages": 2, "nested": None, "path": 3}


def choose(page: Page, tmp_path: Path, name: str) -> None:
    """Hand the receipt of a fixture to the page as a person would: as a file."""
    case = json.loads(FIXTURES[name])
    (tmp_path / "keys.json").write_text(json.dumps(case["keys"]))
    (tmp_path / "receipt.json").write_text(json.dumps(case["document"]))
    if case["keys"] is not None:
        page.set_input_files("#keys", tmp_path / "keys.json")
    page.set_input_files("#receipt", tmp_path / "receipt.json")


def verdict(page: Page) -> str:
    page.wait_for_selector("#verdict h2")
    return page.inner_text("#verdict")


def test_a_person_chooses_a_file_and_reads_the_verdict(page: Page, tmp_path: Path) -> None:
    choose(page, tmp_path, "several-stages")
    assert "This receipt holds" in verdict(page)
    assert "5 of 5 match their digests" in page.inner_text("#levels")
    assert "ensemble_moa" in page.inner_text("#record")


def test_a_person_sees_why_a_receipt_is_refused(page: Page, tmp_path: Path) -> None:
    choose(page, tmp_path, "altered-decimal")
    assert "does not hold" in verdict(page)
    assert "the signature is not one of the key" in verdict(page)


def test_keys_that_came_with_the_receipt_are_not_called_trusted(page: Page, tmp_path: Path) -> None:
    choose(page, tmp_path, "keys-that-came-with-it")
    assert "Consistent with itself" in verdict(page)


def test_the_text_is_opened_with_the_answer(page: Page, tmp_path: Path) -> None:
    case = json.loads(FIXTURES["opened-text"])
    (tmp_path / "answer.json").write_text(json.dumps({"prysm": {"openings": case["openings"]}}))
    page.click("#more summary")
    page.set_input_files("#answer", tmp_path / "answer.json")
    page.fill("#text", case["texts"]["answer"])
    choose(page, tmp_path, "opened-text")
    assert "This receipt holds" in verdict(page)
    assert "this is the text that was committed to" in page.inner_text("#levels")


def test_a_log_with_two_histories_is_shouted_about_on_the_second_visit(page: Page, tmp_path: Path) -> None:
    choose(page, tmp_path, "several-stages")
    assert "This receipt holds" in verdict(page)
    page.reload()
    assert "the last checkpoint of one log" in page.inner_text("#memory")
    kept = page.evaluate("Object.entries(localStorage)")
    (where, text), *_ = kept
    other = json.loads(FIXTURES["another-root-than-remembered"])["remembered"]
    assert json.loads(text).keys() == other.keys()
    page.evaluate("([where, text]) => localStorage.setItem(where, text)", [where, json.dumps(other)])
    choose(page, tmp_path, "several-stages")
    assert "SECURITY ERROR" in verdict(page)
    page.click("#forget")
    assert page.evaluate("localStorage.length") == 0


def test_a_log_of_another_size_is_said_not_to_have_been_compared(page: Page, tmp_path: Path) -> None:
    case = json.loads(FIXTURES["remembered-without-a-proof-of-growth"])
    remember(page, json.dumps(case["remembered"]))
    choose(page, tmp_path, "several-stages")
    assert "in a log that was not compared" in verdict(page)
    assert json.loads(page.evaluate("Object.values(localStorage)[0]")) == case["remembered"]


def test_a_memory_that_cannot_be_read_is_no_second_history(page: Page, tmp_path: Path) -> None:
    remember(page, '{"prysm/x|y": {"size": 14}}')
    choose(page, tmp_path, "several-stages")
    assert "in a log that was not compared" in verdict(page)
    assert "cannot be read" in page.inner_text("#memory")
    page.click("#forget")
    assert "Nothing is remembered yet" in page.inner_text("#memory")


def test_a_file_that_brings_its_own_keys_is_not_remembered(page: Page, tmp_path: Path) -> None:
    choose(page, tmp_path, "keys-that-came-with-it")
    assert "Consistent with itself" in verdict(page)
    assert page.evaluate("localStorage.length") == 0


def remember(page: Page, text: str) -> None:
    """Put this text where the page keeps what it remembers."""
    page.evaluate("text => localStorage.setItem(MEMORY, text)", text)


@pytest.mark.parametrize("name", ["without-a-signature", "stripped-with-pinned-keys"])
def test_nothing_is_said_to_vouch_for_a_record_without_a_signature(page: Page, tmp_path: Path, name: str) -> None:
    choose(page, tmp_path, name)
    said = verdict(page)
    assert "anybody can have written it" in said
    assert page.get_attribute("#verdict", "class") == "bad"
    assert "Nothing failed" not in said


def test_text_that_was_pasted_with_the_line_ends_of_windows_is_opened(page: Page, tmp_path: Path) -> None:
    text = "One.\r\nTwo."
    record, bodies = single()
    record["commit"]["answer"]["c"] = commitment(SALTS["answer"], "answer", "utf8", text.encode())
    (tmp_path / "receipt.json").write_text(json.dumps(sealed(record, bodies)["document"]))
    (tmp_path / "answer.json").write_text(json.dumps(OPENINGS))
    page.click("#more summary")
    page.set_input_files("#answer", tmp_path / "answer.json")
    page.fill("#text", text)
    page.set_input_files("#receipt", tmp_path / "receipt.json")
    verdict(page)
    assert "once its lines end as on Windows" in page.inner_text("#levels")


def test_a_file_that_is_no_receipt_is_said_to_be_none(page: Page, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    page.set_input_files("#receipt", tmp_path / "holiday.jpg")
    assert "This is no receipt" in verdict(page)


def test_a_browser_without_ed25519_says_that_it_cannot_check(page: Page) -> None:
    page.evaluate("""() => {
        const importKey = crypto.subtle.importKey.bind(crypto.subtle);
        crypto.subtle.importKey = (form, key, name, ...rest) => name === "Ed25519"
            ? Promise.reject(new DOMException("no", "NotSupportedError")) : importKey(form, key, name, ...rest);
    }""")
    (report,) = judge(page, [FIXTURES["several-stages"]])
    assert {check["name"]: check["ok"] for check in report["checks"]}["signature"] is None
    assert report["ok"] is False


def test_what_a_forger_wrote_is_shown_as_text(page: Page, tmp_path: Path) -> None:
    case = json.loads(FIXTURES["several-stages"])
    case["document"]["request_id"] = "<img src=x onerror=alert(1)>"
    (tmp_path / "receipt.json").write_text(json.dumps(case["document"]))
    page.set_input_files("#receipt", tmp_path / "receipt.json")
    assert "<img src=x" in verdict(page)
    assert page.locator("img").count() == 0


def test_the_policy_of_the_page_lets_nothing_run_but_its_own_style_and_script() -> None:
    text = PAGE.read_text()
    for part in ("style", "script"):
        (content,) = re.findall(rf"<{part}>(.*?)</{part}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{part}-src 'sha256-{digest}';" in text


def test_the_page_needs_nothing_beside_itself() -> None:
    text = PAGE.read_text()
    assert "default-src 'none'" in text
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://", text) == []
