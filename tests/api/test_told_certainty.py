"""From a provider's log probabilities to the confidence of an answer: calibrated by outcomes, kept in the receipt."""

from __future__ import annotations

import base64
import json
import random
from contextlib import contextmanager
from math import exp, log
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.conftest import PROVIDER_KEY
from tests.providers.upstream import Upstream, answer, sse
from tests.serving import served
from typer.testing import CliRunner

from prysm.cli import app
from prysm.scoring.calibration import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving import Served

PROMPT = "Tom has 12 apples and eats 5. How many apples are left?"
WORDS = ("The", " answer", " is", " ")
PRIOR = log(0.8 / 0.2)


def told(logprob: float | None) -> dict[str, Any] | None:
    """What the provider tells of "The answer is 7": of the 7 this, of the words that they were a coin's toss."""
    if logprob is None:
        return None
    tokens = [*((word, log(0.5)) for word in WORDS), ("7", logprob)]
    listed = [{"token": t, "logprob": p, "bytes": list(t.encode()), "top_logprobs": []} for t, p in tokens]
    return {"content": listed, "refusal": None}


def whole(logprob: float | None) -> bytes:
    message = {"role": "assistant", "content": "The answer is 7"}
    choice = {"index": 0, "message": message, "logprobs": told(logprob), "finish_reason": "stop"}
    return answer(json.dumps({"id": "c-1", "model": "served", "choices": [choice]}).encode())


def streamed(logprob: float) -> bytes:
    content = (told(logprob) or {})["content"]
    deltas = [({"content": token["token"]}, {"content": [token]}, None) for token in content]
    events = [
        {"choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}]}
        for delta, logprobs, reason in [*deltas, ({}, None, "stop")]
    ]
    return sse(*(f"data: {json.dumps(event)}\n\n".encode() for event in events), b"data: [DONE]\n\n")


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `prysm calibrate` makes of outcomes in which the surer answers were more often right."""
    folder, rng = tmp_path_factory.mktemp("told"), random.Random(2)  # noqa: S311 - made-up outcomes, no secret
    rows = []
    for i in range(600):
        odds = rng.uniform(-3, 7)
        features = {"prior": PRIOR, "length": rng.uniform(1, 2), "logprob": odds, "has_logprob": 1.0}
        right = rng.random() < 1 / (1 + exp(2 - odds))
        evidence = {"situation": "single", "task_class": "mathematics/word_problem", "features": features}
        rows.append(evidence | {"correct": right, "group": str(i)})
    outcomes, out = folder / "outcomes.jsonl", folder / "own.json"
    outcomes.write_text("\n".join(map(json.dumps, rows)))
    done = CliRunner().invoke(app, ["calibrate", str(outcomes), "--out", str(out), "--name", "told-1"])
    assert done.exit_code == 0
    return out


@contextmanager
def gateway(folder: Path, upstream: Upstream, database_url: str, scoring: str = "") -> Iterator[Served]:
    toml = f"""{scoring}
[[providers]]
id = "host"
kind = "openai"
base_url = "{upstream.url}"
api_key_env = "UPSTREAM_KEY"

[[models]]
id = "frank"
provider = "host"
tier = "mid"
capabilities = ["logprobs"]
quality = {{ default = 0.8 }}
"""
    try:
        with served(folder, toml, database_url, {"UPSTREAM_KEY": PROVIDER_KEY}) as gateway:
            yield gateway
    finally:
        install(None)


def confidence(gateway: Served, upstream: Upstream, says: bytes, **more: Any) -> tuple[float, Any]:
    """The confidence of an answer, and the evidence in its receipt."""
    upstream.plays(says)
    response = gateway.chat("frank", PROMPT, **more)
    assert response.status_code == 200
    assert gateway.outcome(response.headers["x-request-id"]) == "ok"
    envelope = gateway.proof(response.headers["x-request-id"])["proof"]["envelope"]
    record = json.loads(base64.b64decode(envelope["payload"]))
    return float(record["confidence"]), record["evidence"]["features"]


def test_the_surer_a_model_was_of_its_answer_the_more_it_is_trusted(
    tmp_path: Path, calibration: Path, left: Upstream, database_url: str
) -> None:
    with gateway(tmp_path, left, database_url, f'[scoring]\ncalibration = "{calibration}"') as served_:
        sure, evidence = confidence(served_, left, whole(log(0.99)))
        unsure, _ = confidence(served_, left, whole(log(0.4)))
        as_written, _ = confidence(served_, left, streamed(log(0.99)), stream=True)
    assert left.seen[-1].json["logprobs"] is True
    assert float(evidence["logprob"]) == pytest.approx(log(0.99 / 0.01), abs=1e-3)
    assert sure == as_written
    assert sure > 0.8
    assert unsure < 0.5


def test_the_figure_comes_back_with_the_judgement_as_a_row_to_calibrate_on(
    tmp_path: Path, left: Upstream, database_url: str
) -> None:
    with gateway(tmp_path, left, database_url) as served_:
        left.plays(whole(log(0.9)))
        request_id = served_.chat("frank", PROMPT).json()["prysm"]["request_id"]
        assert served_.outcome(request_id) == "ok"
        served_.http.post("/v1/feedback", json={"request_id": request_id, "correct": True})
        row = served_.http.get("/v1/feedback").json()["data"][0]
    assert row["features"]["logprob"] == pytest.approx(log(9), abs=1e-3)
    assert row["features"]["has_logprob"] == 1.0


def test_the_shipped_calibration_gives_it_no_weight_for_it_has_seen_none(
    tmp_path: Path, left: Upstream, database_url: str
) -> None:
    with gateway(tmp_path, left, database_url) as served_:
        assert len({confidence(served_, left, whole(p))[0] for p in (log(0.99), log(0.4), None)}) == 1
