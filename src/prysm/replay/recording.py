"""Recorded answers as a provider. The code under test sees their texts and token counts, nothing else."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prysm.core.chat import Completion, Message, Usage
from prysm.errors import InvalidRequest
from prysm.strategies.prompts import with_answer_hint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping
    from pathlib import Path

    from prysm.core.chat import ModelCall, Piece

PROVIDER = "recording"


class NotRecordedError(Exception):
    """A strategy asked what nobody was asked when the answers were recorded.

    Not a `PrysmError`: strategies carry on after a failed call, and this one must end the replay of its row.
    """


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded answer. `correct` is for the report only."""

    text: str
    correct: bool
    prompt_tokens: int | None
    completion_tokens: int | None

    @property
    def usage(self) -> Usage:
        """What the call used; unknown where the recording does not say."""
        return Usage(self.prompt_tokens, self.completion_tokens)


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt and what each model said to it: its samples, in order."""

    id: str
    prompt: str
    answers: Mapping[str, tuple[Recorded, ...]]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as a caller would send it; an unrecorded one is empty."""
        return (Message("user", self.prompt),)


class Recording:
    """A provider that answers a row's own prompt from the recording, and nothing else."""

    id = PROVIDER

    def __init__(self, row: Row) -> None:
        self._row = row
        self._answerable = frozenset((row.messages, with_answer_hint(row.messages, "math")))

    async def complete(self, call: ModelCall) -> Completion:
        """Serve sample `call.sample` of the model; raises `NotRecordedError` for any other prompt or sample."""
        samples = self._row.answers.get(call.model.id, ())
        if call.messages not in self._answerable or call.sample >= len(samples):
            raise NotRecordedError
        recorded = samples[call.sample]
        return Completion(recorded.text, "stop", recorded.usage)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Serve the same in one piece."""
        yield await self.complete(call)


def read(path: Path) -> list[Row]:
    """Read a file of rows, one JSON object a line, gzipped or not.

    Rows marked `gold_suspect` are left out. Raises `InvalidRequest` that names the line.
    """
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as file:
            return list(_rows(file, path.name))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InvalidRequest(f"{path.name} cannot be read ({type(error).__name__}).", param="data") from None


def _rows(lines: Iterable[str], name: str) -> Iterable[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
            row = _row(raw)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidRequest(
                f"{name}, line {number}: not a row ({type(error).__name__}). A row is an object with id, prompt, "
                "answers, each answer with model, text or extracted, correct, prompt_tokens and completion_tokens.",
                param="data",
            ) from None
        if not raw.get("gold_suspect"):
            yield row


def _row(raw: Mapping[str, Any]) -> Row:
    answers: dict[str, list[Recorded]] = {}
    for answer in raw["answers"]:
        answers.setdefault(answer["model"], []).append(_recorded(answer))
    return Row(str(raw["id"]), raw.get("prompt") or "", {model: tuple(own) for model, own in answers.items()})


def _recorded(raw: Mapping[str, Any]) -> Recorded:
    """An answer whose text was not kept is served as its final answer; one with neither said nothing."""
    text = raw["extracted"] if raw.get("text") is None else raw["text"]
    return Recorded(
        text="" if text is None else str(text),
        correct=bool(raw["correct"]),
        prompt_tokens=raw.get("prompt_tokens"),
        completion_tokens=raw.get("completion_tokens"),
    )
