"""What a simulated model takes from a prompt to fill in a form: its numbers, its names, its quotations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from prysm.providers.sandbox_answers import OFFSETS, gist, pick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.providers.sandbox_answers import Settled

ANSWERS = frozenset({"answer", "final_answer", "result", "solution", "value"})
"""Fields that ask for what a closed question asks for."""
FORMATS: Mapping[str, tuple[str, str]] = {
    "date": (r"\b\d{4}-\d\d-\d\d\b", "2026-01-01"),
    "date-time": (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-01T00:00:00Z"),
    "time": (r"\b\d\d:\d\d:\d\dZ", "12:00:00Z"),
    "duration": (r"\bP\d{1,4}D\b", "P1D"),
    "email": (r"\b[\w.+-]{1,64}@[a-z0-9-]{1,60}\.[a-z]{2,20}\b", "ada@example.com"),
    "hostname": (r"\b[a-z0-9-]{1,60}\.(?:com|org|net)\b", "example.com"),
    "ipv4": (r"\b192\.0\.2\.\d{1,2}\b", "192.0.2.1"),
    "ipv6": (r"\b2001:db8::\d\b", "2001:db8::1"),
    "uri": (r"\bhttps?://[a-z0-9./-]{1,200}", "https://example.com/"),
    "uuid": (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "00000000-0000-4000-8000-000000000000"),
}
"""JSON Schema's string formats: how one looks in a prompt, and what to say where there is none."""

_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,6})?(?![\w])")
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{1,200})[\"”]")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z]\w{1,40}(?: [A-Z]\w{1,40}){0,3}")


class Values:
    """Values from one prompt, each used once as long as they last. A model that is wrong misreads every one."""

    def __init__(self, settled: Settled, text: str) -> None:
        self._settled = settled
        self._prompt = text
        self._numbers = _NUMBER.findall(text)
        self._texts = _QUOTED.findall(text) + _NAME.findall(text)

    def text(self, field: str, form: str | None) -> str:
        """A string for a field."""
        if field.casefold() in ANSWERS and self._settled.answer is not None:
            return self._settled.answer
        if form is not None and form in FORMATS:
            look, fallback = FORMATS[form]
            found = re.search(look, self._prompt)
            return found[0] if found else fallback
        said = _next(self._texts) or gist(self._prompt) or "nothing"
        return said if self._settled.right else f"another {said}"

    def number(self, field: str) -> float:
        """A number for a field."""
        if field.casefold() in ANSWERS and (answer := _number(self._settled.answer)) is not None:
            return answer
        number = _number(_next(self._numbers)) or 1
        return number if self._settled.right else number + OFFSETS[0]

    def truth(self) -> bool:
        """Yes or no."""
        return self._settled.right

    def choice(self, choices: Sequence[Any]) -> Any:
        """One of `choices`: the one that the prompt names, or any."""
        named = [i for i, choice in enumerate(choices) if isinstance(choice, str) and self._names(choice)]
        at = named[0] if named else int(pick([str(i) for i in range(len(choices))], self._prompt))
        return choices[at if self._settled.right else (at + 1) % len(choices)]

    def _names(self, choice: str) -> bool:
        return re.search(rf"\b{re.escape(choice)}\b", self._prompt, re.IGNORECASE) is not None if choice else False


def _next(values: list[str]) -> str | None:
    """The next value; the last of them may be used again."""
    return values.pop(0) if len(values) > 1 else values[0] if values else None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text) if "." in text else int(text)
    except ValueError:
        return None
