"""Answers that a text announces: in JSON, in a box, after `####`, in braces, or in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ANSWER_CHARS = 400
SAID_CHARS = 1_200
"""Length up to which `the answer is …` sums up an open answer; in an essay it is a turn of phrase."""

_FIELD = re.compile(r"\"(?:final_?answer|answer)\"\s*:\s*", re.IGNORECASE)
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
_ESCAPE = re.compile(r"\\([\"\\/])")
_BRACED = re.compile(r"\{\s*final answer\s*:\s*([^{}\n]{1,200})\}", re.IGNORECASE)
_HASHES = re.compile(r"####[ \t]*([^\n]{1,200})")
_SAID = re.compile(
    r"\b(?:answer|option|choice|respuesta|réponse|antwort|resposta|risposta|ответ)[*_]*"
    r"(?:\s*[:=：][*_]*|\s+(?:is|was|would be|should be|es|est|ist|é|è)\b[*_]*:?)[ \t]*|答案[是为：:]\s*",
    re.IGNORECASE,
)
_SAYS = ("answer", "option", "choice", "respuesta", "réponse", "antwort", "resposta", "risposta", "ответ", "答案")
_SENTENCE_END = re.compile(r"\.(?:\s|$)|\n|;\s|。")


def stated(text: str, *, closed: bool) -> Iterator[str]:
    """Yield what a text announces as its answer, the surest announcement first; of each kind the last."""
    for sign, read in _READERS:
        if sign in text and (answer := read(text)) is not None:
            yield answer
    if (closed or len(text) <= SAID_CHARS) and (answer := _said(text)) is not None:
        yield answer


def _json_field(tail: str) -> str | None:
    """Return the `answer` of a JSON object, even of one that a model got slightly wrong."""
    starts = [match.end() for match in _FIELD.finditer(tail)]
    if not starts:
        return None
    if string := _STRING.match(tail, starts[-1]):
        return _ESCAPE.sub(r"\1", string[1])
    rest = tail[starts[-1] :].removesuffix("```").rstrip()
    return rest.removesuffix("}").strip().rstrip(",")


def _boxed(tail: str) -> str | None:
    r"""Return what the last `\boxed{…}` holds, braces matched."""
    start = max(tail.rfind("\\boxed{"), tail.rfind("\\fbox{"))
    if start < 0:
        return None
    start = tail.index("{", start) + 1
    depth = 1
    for at in range(start, min(len(tail), start + MAX_ANSWER_CHARS)):
        depth += {"{": 1, "}": -1}.get(tail[at], 0)
        if depth == 0:
            return tail[start:at]
    return None


def _hashes(tail: str) -> str | None:
    return _last(_HASHES, tail)


def _braced(tail: str) -> str | None:
    return _last(_BRACED, tail)


def _last(pattern: re.Pattern[str], tail: str) -> str | None:
    found = pattern.findall(tail)
    return str(found[-1]) if found else None


def _said(tail: str) -> str | None:
    """Return what follows the last `answer is` or `Answer:`, up to the end of its sentence."""
    lower = tail.lower()
    for word in _SAYS:
        if word in lower:
            break
    else:
        return None
    ends = [match.end() for match in _SAID.finditer(tail)]
    if not ends:
        return None
    rest = tail[ends[-1] : ends[-1] + MAX_ANSWER_CHARS].lstrip()
    stop = _SENTENCE_END.search(rest)
    return rest[: stop.start()] if stop else rest


_READERS = (('nswer"', _json_field), ("box", _boxed), ("####", _hashes), ("{", _braced))
"""By what must be in a text that one of them can read."""
