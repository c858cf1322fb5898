"""From a run to its receipt: what it says, what it hides, and that any change shows."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.recomputed import verify_payload
from tests.scripted_models import FAILS, SUM, USD, World, ask, model, profile, says

from prysm.core.chat import Completion, Message, Usage
from prysm.core.model import Price
from prysm.core.plan import STRATEGIES
from prysm.core.run import Candidate, Finished, Score, Stage, Verdict
from prysm.errors import PrysmError
from prysm.proof.canonical import canonical, parse
from prysm.proof.hashing import stage_digest
from prysm.proof.sealed import Sealed
from prysm.proof.signing import SigningKey, signature_holds
from prysm.proof.verify import verify_opening
from prysm.proof.written import envelope
from prysm.receipt import Receipt, beginning, new_request_id
from prysm.receipt import make_receipt as signed_receipt
from prysm.receipt.spelling import rfc3339

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest
    from prysm.strategies import Run

CANARY = "Xylographer-7741"
NOW = datetime(2026, 11, 20, 6, 30, 5, 1_999, tzinfo=UTC)


KEY = SigningKey.from_private(bytes(32))


def make_receipt(run: Finished) -> Receipt:
    known = beginning(run.request, run.plan, run.request_id, run.created, run.price_version)
    return signed_receipt(run, known, KEY)


def finished(run: Run, verdict: Verdict | None, **more: Any) -> Finished:
    plain = Finished(
        request_id=UUID(int=7),
        request=run.request,
        plan=run.plan,
        stages=run.stages,
        degraded=tuple(run.degraded),
        outcome="ok" if verdict else "failed",
        created=NOW,
        latency_ms=12,
        price_version="builtin-1",
        verdict=verdict,
        error=None if verdict else "all_models_failed",
    )
    return replace(plain, **more)


def performed(request: ChatRequest, **scripts: Any) -> Finished:
    world = World(scripts or {"a": says(f"{CANARY}\nFinal answer: 391"), "b": says("Final answer: 401")})
    run = world.prepare(request)
    try:
        verdict = asyncio.run(world.carry_out(run))
    except PrysmError:
        verdict = None
    return finished(run, verdict)


@cache
def ensemble() -> tuple[Finished, Receipt]:
    done = performed(ask(f"{CANARY}: {SUM}", strategy="ensemble_moa", models=("a", "b"), seed=1))
    return done, make_receipt(done)


def checks(receipt: Receipt, payload: bytes | None = None, stages: Any = ()) -> dict[str, bool | None]:
    bodies = receipt.sealed.stages if stages == () else stages
    report = verify_payload(payload or receipt.sealed.payload, receipt.proof_hash, bodies)
    return {check.name: check.ok for check in report.checks} | {"report": report.failed_level is None}


def record(receipt: Receipt) -> Any:
    return parse(receipt.sealed.payload)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("scripts", [{}, {"a": FAILS, "b": says("Final answer: 1")}, {"a": FAILS, "b": FAILS}])
def test_the_receipt_of_every_run_holds_failed_ones_too(strategy: str, scripts: Any) -> None:
    receipt = make_receipt(performed(ask(strategy=strategy, models=("a", "b")), **scripts))
    assert checks(receipt) == {
        "proof_hash": True,
        "record": True,
        "stages": True,
        "report": True,
    }


def test_the_record_tells_the_run() -> None:
    done, receipt = ensemble()
    told = record(receipt)
    assert done.verdict is not None
    assert told["v"] == "prysmproof/2"
    assert told["request_id"] == str(UUID(int=7))
    assert told["created"] == "2026-11-20T06:30:05.001Z"
    assert (told["outcome"], told["error"], told["simulated"]) == ("ok", None, True)
    assert told["strategy"] == {"name": "ensemble_moa", "forced": True}
    assert told["policy"] == {"id": "balanced", "bar": "0.720"}
    assert told["answer"]["stage"] == done.verdict.candidate.stage
    assert told["usage"] == {
        "input_tokens": receipt.account.prompt_tokens,
        "output_tokens": receipt.account.completion_tokens,
        "estimated": False,
    }
    assert told["cost"] == {"nano_usd": str(receipt.account.total_nano), "price_version": "builtin-1"}
    assert re.fullmatch(r"0\.\d{3}", told["confidence"])
    assert [entry["kind"] for entry in told["stages"]] == [stage.kind for stage in done.stages]


def test_a_failed_run_commits_to_its_prompt_and_to_no_answer() -> None:
    receipt = make_receipt(performed(ask(pinned="a"), a=FAILS))
    told = record(receipt)
    assert (told["outcome"], told["answer"], told["confidence"], told["commit"]["answer"]) == (
        "failed",
        None,
        None,
        None,
    )
    assert set(receipt.openings) == {"prompt"}


def test_an_unknown_cost_is_null_not_nothing() -> None:
    done, _ = ensemble()
    stages = [replace(stage, cost_nano=None) for stage in done.stages]
    assert record(make_receipt(replace(done, stages=stages)))["cost"]["nano_usd"] is None


def test_nothing_that_was_said_and_no_salt_is_in_the_record_or_its_stages() -> None:
    done, receipt = ensemble()
    public = receipt.sealed.payload + b"".join(receipt.sealed.stages)
    assert done.verdict is not None
    said = [CANARY, SUM, *(stage.completion.text for stage in done.stages if stage.completion), done.plan.reason]
    salts = [opening.salt for opening in receipt.openings.values()]
    assert all(text.encode() not in public for text in (*said, *salts))
    assert all(
        base64.b64decode(salt) not in public and base64.b64decode(salt).hex().encode() not in public
        for salt in salts
    )


def test_openings_open_their_own_text_and_no_other() -> None:
    done, receipt = ensemble()
    assert done.verdict is not None
    prompt = canonical([{"role": "user", "content": done.request.messages[0].text}])
    texts = {"prompt": prompt, "answer": done.verdict.candidate.text.encode()}
    for label, text in texts.items():
        opening = {"enc": receipt.openings[label].enc, "salt": receipt.openings[label].salt}
        other = "answer" if label == "prompt" else "prompt"
        payload = receipt.sealed.payload
        assert verify_opening(payload, label, opening, text).ok
        assert verify_opening(payload, label, opening, text + b" ").ok is False
        assert verify_opening(payload, other, opening, text).ok is False
        assert (
            verify_opening(payload, label, {**opening, "salt": base64.b64encode(bytes(32)).decode()}, text).ok
            is False
        )


@pytest.mark.parametrize(
    "opening",
    [
        {},
        {"enc": "utf8"},
        {"enc": "utf8", "salt": "%"},
        {"enc": "jcs", "salt": ""},
        {"enc": 1, "salt": None},
        None,
        [],
    ],
)
def test_a_malformed_opening_fails_and_never_raises(opening: Any) -> None:
    _, receipt = ensemble()
    assert verify_opening(receipt.sealed.payload, "answer", opening, b"x").ok is False
    assert verify_opening(b"{}", "answer", opening, b"x").ok is False
    assert verify_opening(receipt.sealed.payload, "nothing", opening, b"x").ok is False


def test_two_receipts_of_one_run_share_no_salt_and_no_hash() -> None:
    done, first = ensemble()
    second = make_receipt(done)
    assert first.proof_hash != second.proof_hash
    assert first.openings["prompt"].salt != second.openings["prompt"].salt
    assert first.openings["prompt"].salt != first.openings["answer"].salt
    assert len(base64.b64decode(first.openings["prompt"].salt)) == 32


@given(st.integers(0, 10**9))
def test_any_flipped_bit_of_the_record_shows(at: int) -> None:
    _, receipt = ensemble()
    payload = bytearray(receipt.sealed.payload)
    payload[at // 8 % len(payload)] ^= 1 << at % 8
    found = checks(receipt, bytes(payload))
    assert found["proof_hash"] is False
    assert found["report"] is False


@given(st.integers(0, 10**9), st.integers(0, 4))
def test_any_flipped_bit_of_a_stage_shows(at: int, which: int) -> None:
    _, receipt = ensemble()
    bodies = list(receipt.sealed.stages)
    body = bytearray(bodies[which % len(bodies)])
    body[at // 8 % len(body)] ^= 1 << at % 8
    bodies[which % len(bodies)] = bytes(body)
    found = checks(receipt, stages=bodies)
    assert (found["proof_hash"], found.get("stages", found["record"]), found["report"]) == (True, False, False)


@pytest.mark.parametrize("tampered", ["swapped", "missing", "extra", "doubled", "none"])
def test_stages_are_these_ones_in_this_order(tampered: str) -> None:
    _, receipt = ensemble()
    first, second, *rest = receipt.sealed.stages
    bodies = {
        "swapped": [second, first, *rest],
        "missing": [first, second, *rest][:-1],
        "extra": [first, second, *rest, rest[-1]],
        "doubled": [first, first, *rest],
        "none": [],
    }[tampered]
    assert checks(receipt, stages=bodies)["stages"] is False


def test_stages_that_are_not_at_hand_are_not_a_failure() -> None:
    _, receipt = ensemble()
    found = checks(receipt, stages=None)
    assert (found["stages"], found["report"]) == (None, True)


def forged(change: Any) -> dict[str, bool | None]:
    """A record changed by someone who can also compute its hash."""
    _, receipt = ensemble()
    told = record(receipt)
    change(told)
    payload = canonical(told)
    claimed = make_hash(payload)
    report = verify_payload(payload, claimed, receipt.sealed.stages)
    return {check.name: check.ok for check in report.checks} | {"report": report.failed_level is None}


def make_hash(payload: bytes) -> str:
    return "sha256:" + hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(head=told["stages"][0]["digest"]),
        lambda told: told.update(head=None),
        lambda told: told["stages"].reverse(),
        lambda told: told["stages"].pop(),
        lambda told: told["stages"][0].update(kind="judge"),
        lambda told: told["stages"][1].update(i=0),
        lambda told: told.update(stages=None),
        lambda told: told.update(stages=["x", "y"]),
        lambda told: told.pop("stages"),
        lambda told: told["stages"][0].update(digest=7),
    ],
)
def test_a_record_that_does_not_describe_its_stages_fails(change: Any) -> None:
    found = forged(change)
    assert (found["proof_hash"], found.get("stages", found["record"]), found["report"]) == (True, False, False)


@pytest.mark.parametrize("version", [None, "prysmproof/1", 2, ["prysmproof/2"]])
def test_a_record_of_another_version_is_not_judged(version: Any) -> None:
    found = forged(lambda told: told.update(v=version))
    assert (found["record"], found["report"]) == (False, False)
    assert "stages" not in found


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'"x"', b"{}", b"\xff", b'{"v":1.5}', b"[" * 50_000])
def test_no_payload_raises(payload: bytes) -> None:
    assert not verify_payload(payload, make_hash(payload), None).ok
    assert not verify_payload(payload, "sha256:\ud800", ()).ok


def test_a_stage_may_read_only_what_came_before_it() -> None:
    _, receipt = ensemble()
    told, body = record(receipt), json.loads(receipt.sealed.stages[0])
    body["parents"] = [told["stages"][1]["digest"]]
    bodies = [canonical(body), *receipt.sealed.stages[1:]]
    told["stages"][0]["digest"] = stage_digest(bodies[0])  # whoever forges a stage can hash it too
    payload = canonical(told)
    report = verify_payload(payload, make_hash(payload), bodies)
    assert [check.detail for check in report.checks if check.ok is False] == [
        "stage 0 names a parent that does not come before it"
    ]


def test_a_name_a_provider_gave_itself_is_cut_and_made_safe() -> None:
    done, _ = ensemble()
    wild = Completion("x", "stop", Usage(1, 1), served_model="\ud800" + "m" * 9_000, system_fingerprint="f\x00p")
    stage = replace(done.stages[0], completion=wild)
    body = parse(make_receipt(replace(done, stages=[stage], verdict=None)).sealed.stages[0])
    assert len(body["served"]) == 200
    assert body["served"].startswith("?m")
    assert body["system_fingerprint"] == "f\x00p"


def test_times_are_utc_to_the_millisecond() -> None:
    assert rfc3339(NOW) == "2026-11-20T06:30:05.001Z"


def test_request_ids_are_128_random_bits() -> None:
    assert len({new_request_id() for _ in range(1_000)}) == 1_000


def test_the_envelope_carries_a_signature_over_type_and_payload() -> None:
    _, receipt = ensemble()
    found: Any = envelope(receipt.sealed.signed())
    payload, [signature] = base64.b64decode(found["payload"]), found["signatures"]
    signed = b"DSSEv1 %d %b %d %b" % (35, found["payloadType"].encode(), len(payload), payload)
    assert signature["keyid"] == KEY.kid
    assert signature_holds(KEY.public, base64.b64decode(signature["sig"]), signed)
    assert receipt.sealed.digest == hashlib.sha256(signed).digest()


def test_the_envelope_of_a_receipt_from_before_signing_says_that_nothing_signed_it() -> None:
    assert envelope(Sealed(UUID(int=7), b"{}", b"", ())) == {
        "payloadType": "application/vnd.prysm.proof.v2+json",
        "payload": "e30=",
        "signatures": [],
    }


counts = st.one_of(st.none(), st.integers(0, 10**6))
names = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)


@st.composite
def stages(draw: st.DrawFn) -> list[Stage]:
    made: list[Stage] = []
    for i in range(draw(st.integers(0, 6))):
        called = draw(st.booleans())
        usage = Usage(draw(counts), draw(counts), estimated=draw(st.booleans())) if called else None
        made.append(
            Stage(
                i=i,
                kind=draw(st.sampled_from(("answer", "propose", "vote", "aggregate"))),
                status=draw(st.sampled_from(("ok", "failed", "cancelled"))),
                started_ms=draw(st.integers(0, 10**6)),
                ended_ms=draw(st.integers(0, 10**6)),
                parents=tuple(draw(st.sets(st.integers(0, i - 1)))) if i else (),
                model=model("m", price=Price(USD, USD)) if called else None,
                completion=Completion(draw(names), "stop", usage, draw(names), draw(names)) if usage else None,
                usage=usage,
                cost_nano=draw(counts),
                error=draw(st.one_of(st.none(), names)),
                note=draw(st.one_of(st.none(), names)),
            )
        )
    return made


@settings(deadline=None)
@given(stages(), names, names, st.one_of(st.none(), st.floats(0, 1)), st.lists(names, max_size=3))
def test_whatever_a_run_was_its_receipt_holds(
    made: list[Stage], prompt: str, text: str, confidence: float | None, degraded: list[str]
) -> None:
    world = World({"m": says("x")})
    run = world.prepare(replace(ask(), messages=(Message("user", prompt),)), profile())
    chosen = Candidate(0, model("m"), Completion(text, "length", Usage(None, None)))
    verdict = Verdict(chosen, Score(confidence, confidence, "none"))
    receipt = make_receipt(finished(run, verdict, stages=made, degraded=tuple(degraded)))
    assert checks(receipt)["report"] is True
    opening = {"enc": "utf8", "salt": receipt.openings["answer"].salt}
    assert verify_opening(receipt.sealed.payload, "answer", opening, text.encode()).ok


@pytest.mark.parametrize(
    ("zero", "kept_s", "told"), [(True, None, "zero"), (False, None, "none"), (False, 60, "60s")]
)
def test_the_record_says_what_was_to_be_kept(zero: bool, kept_s: int | None, told: str) -> None:
    done, _ = ensemble()
    request = replace(done.request, retention_zero=zero, kept_s=kept_s)
    assert record(make_receipt(replace(done, request=request)))["retention"] == told
