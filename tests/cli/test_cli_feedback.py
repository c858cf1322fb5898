from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from prysm.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scripted_gateway import ScriptedGateway
    from typer.testing import Result

RUN = "0b8e7f0c-6b1f-4ef7-9d0a-3f1f5f3d2a11"
KEPT = {"object": "feedback", "request_id": RUN, "score": 0.5, "replaced": True, "comment_stored": False}


@pytest.fixture
def prysm(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command against the scripted gateway."""
    monkeypatch.setenv("PRYSM_BASE_URL", gateway.url)
    monkeypatch.setenv("PRYSM_API_KEY", "prysm_sk_of_a_test")
    return lambda *args: CliRunner().invoke(app, args)


@pytest.mark.parametrize(
    ("said", "sent"),
    [(("--correct",), {"correct": True}), (("--wrong",), {"correct": False}), (("--score", "0"), {"score": 0.0})],
)
def test_feedback_is_one_word(
    gateway: ScriptedGateway, prysm: Callable[..., Result], said: tuple[str, ...], sent: dict[str, Any]
) -> None:
    gateway.says("/v1/feedback", KEPT)
    done = prysm("feedback", RUN, *said)
    assert (done.exit_code, done.stdout) == (0, f"kept: {RUN} scores 0.5, in place of what was said before\n")
    assert gateway.asked[0].body == {"request_id": RUN, **sent}
    assert json.loads(prysm("feedback", RUN, *said, "--json").stdout) == KEPT


@pytest.mark.parametrize(
    "said", [(), ("--correct", "--score", "1"), ("--score", "1.5"), ("--score", "nan"), ("--score", "good")]
)
def test_feedback_that_says_nothing_or_too_much_is_not_sent(
    gateway: ScriptedGateway, prysm: Callable[..., Result], said: tuple[str, ...]
) -> None:
    assert prysm("feedback", RUN, *said).exit_code == 2
    assert gateway.asked == []


def outcome(i: int, score: float, confidence: float | None, model: str | None = "a") -> dict[str, Any]:
    row = {"id": i, "request_id": RUN, "score": score, "confidence": confidence, "model": model}
    return row | {"strategy": "single", "task": "math"}


def two_pages(gateway: ScriptedGateway) -> list[dict[str, Any]]:
    rows = [outcome(9, 1.0, 0.9), outcome(8, 0.5, None), outcome(7, 0.0, None, model=None)]
    gateway.says("/v1/feedback?limit=1000", {"data": rows[:2], "has_more": True})
    gateway.says("/v1/feedback?limit=1000&after=8", {"data": rows[2:], "has_more": False})
    return rows


def test_outcomes_stand_beside_the_confidence_that_was_given(
    gateway: ScriptedGateway, prysm: Callable[..., Result]
) -> None:
    two_pages(gateway)
    lines = [" ".join(line.split()) for line in prysm("outcomes").stdout.splitlines()]
    assert lines == [
        "strategy model task answers score confidence",
        "single a math 2 0.75 0.90",
        "single – math 1 0.00 –",
    ]


def test_outcomes_are_exported_one_a_line(gateway: ScriptedGateway, prysm: Callable[..., Result]) -> None:
    rows = two_pages(gateway)
    assert [json.loads(line) for line in prysm("outcomes", "--json").stdout.splitlines()] == rows
