"""A small recording: what three models said to a few sums."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

POOL = ("gpt-small", "gemini-small", "claude-large")


def answer(model: str, said: str | None, *, correct: bool, tokens: int = 20) -> dict[str, Any]:
    return {
        "model": model,
        "text": None if said is None else f"The sum is {said}. Final answer: {said}",
        "extracted": said,
        "correct": correct,
        "prompt_tokens": 10,
        "completion_tokens": tokens,
    }


def row(i: int, said: Sequence[str], gold: str = "4", **more: Any) -> dict[str, Any]:
    given = [answer(model, one, correct=one == gold) for model, one in zip(POOL, said, strict=False)]
    return {"id": f"r{i}", "prompt": f"What is {i} + 2?", "gold": gold, "category": "math", "answers": given} | more


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Write rows to a file, one JSON object a line."""

    def write(*rows: dict[str, Any]) -> Path:
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
        return path

    return write


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """Write the prices of the pool."""
    path = tmp_path / "prices.json"
    listed = {"_note": "USD per million tokens", POOL[0]: [0.1, 0.4], POOL[1]: [0.1, 0.4, "list"], POOL[2]: [3, 15]}
    path.write_text(json.dumps(listed), "utf-8")
    return path
