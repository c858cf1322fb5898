"""What form of answer a prompt asks for."""

from __future__ import annotations

import re
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.values import dataclass
from prysm.scoring.notation import folded, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_CHARS, LAST_CHARS = 1_000, 3_000

_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})

_LINE_OPTION = re.compile(r"\n[ \t]*[-*]?[ \t]*\(?([A-Ja-j])[).:][ \t]*(\S[^\n]{0,200})")
_INLINE_OPTION = re.compile(r"\(([A-J])\)[ \t]*([^()\n]{1,120})")
_ARITHMETIC = re.compile(r"\d ?[+*/^×÷] ?\d|\d - \d")
_OUTPUT = re.compile(  # what a program puts out; it holds `output`, `assert` or `print`
    r"\bassert\b[^\n]{0,400}==|\bwhat (?:does|will|is)\b[^.?\n]{0,60}\b(?:print|return|output)|\boutput of\b"
)
_POLAR_START = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|must|may|am)\s+\S"
)
_TRUE_OR_FALSE = re.compile(r"\b(?:true or false|yes or no|yes/no|true/false)\b")
_FORMULA = re.compile(r"\\(?:\[|\(|[a-z]{3,}\b)|\$[^$\n]*[\\^_=][^$\n]*\$|\$[a-zA-Z]\$")
_VARIABLE = re.compile(r"[^a-z][b-hj-z]\b(?<![\w'’.].)(?!['’.][a-z])")
"""With what stands before it, and that first without its exceptions: plain ranges are found twice as fast."""
_DIGITS, _ASCII_DIGITS = re.compile(r"\d+"), re.compile(r"[0-9][0-9]*")  # found in half the time
_SENTENCE = re.compile(r"[.!?](?:\s|$)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AMOUNTS = _words("many much old far long tall fast likely")
_CALCULATIONS = _words("calculate compute percent percentage probability")
_ASKS_FOR = _words("what what's find determine evaluate")
_QUANTITIES = _words(
    """
    value sum product number total remainder average area volume length distance cost price speed ratio age
    perimeter integer degrees
    """
)
_MAKES = _words("write implement create complete fix refactor generate give def")
_PROGRAMS = _words("function code program script class method query regex sql def")


@dataclass(frozen=True, slots=True)
class Question:
    """The form a prompt asks for: `options` (letter → folded text) for a multiple choice, and what else shows.

    `literal` is a value as a program prints it: case, quotes inside and spaces count; `json` asks for data.
    `formula`: it holds LaTeX; `variables`: a letter on its own; `amount`: it asks how much or how many. `numbers`,
    `sentences` and `length`, in words, count what is at its ends. `words` are the prompt's own words: an answer
    that repeats them says nothing by it.
    """

    options: Mapping[str, str] = field(default_factory=lambda: _NO_OPTIONS)
    polar: bool = False
    numeric: bool = False
    percent: bool = False
    code: bool = False
    json: bool = False
    literal: bool = False
    formula: bool = False
    variables: bool = False
    amount: bool = False
    numbers: int = 0
    sentences: int = 0
    length: int = 0
    words: frozenset[str] = frozenset()

    @property
    def closed(self) -> bool:
        """Whether one short answer is right: a letter, a number, yes or no, the value a program prints."""
        return bool(self.options) or self.polar or self.numeric or self.literal


OPEN = Question()


def read(prompt: str | None) -> Question:
    """Look at the ends of `prompt`; with none, nothing is known about the form."""
    if not prompt:
        return OPEN
    text = _ends(prompt)
    lower = folded(text)
    words = frozenset(tokens(lower))
    options = _options(text)
    literal = ("output" in lower or "assert" in lower or "print" in lower) and _OUTPUT.search(lower) is not None
    ascii_ = text.isascii()
    numbers = len((_ASCII_DIGITS if ascii_ else _DIGITS).findall(text))
    percent = "%" in lower or "percent" in lower
    code = not (options or literal or words.isdisjoint(_MAKES) or words.isdisjoint(_PROGRAMS))
    formula = ("\\" in text or "$" in text) and _FORMULA.search(text) is not None
    variables = _VARIABLE.search(f" {text}") is not None
    amount = "how" in words and ("many" in words or "much" in words)
    return Question(  # by position: names take longer than all the rest
        options,
        _polar(lower),
        _numeric(lower, words, digits=numbers > 0 or not ascii_),
        percent,
        code,
        "json" in words,
        literal,
        formula,
        variables,
        amount,
        numbers,
        len(_SENTENCE.findall(text)),
        len(text.split()),
        words,
    )


def asks_for_choice(prompt: str | None) -> bool:
    """Tell whether `read` would find options, for less."""
    return bool(prompt and _options(_ends(prompt)))


def _ends(prompt: str) -> str:
    return prompt if len(prompt) <= FIRST_CHARS + LAST_CHARS else f"{prompt[:FIRST_CHARS]}\n{prompt[-LAST_CHARS:]}"


def _options(text: str) -> Mapping[str, str]:
    """Return the options when at least A and B stand there, at line starts or in parentheses."""
    for pattern, there in ((_LINE_OPTION, "\n"), (_INLINE_OPTION, "(B)")):
        if there not in text:
            continue
        found = {letter.upper(): folded(option).strip(" .,;\t") for letter, option in pattern.findall(f"\n{text}")}
        if "A" in found and "B" in found:
            return MappingProxyType(found)
    return _NO_OPTIONS


def _numeric(lower: str, words: frozenset[str], *, digits: bool) -> bool:
    """Tell whether a number is wanted; `digits`: the prompt may hold some."""
    if "how" in words and not words.isdisjoint(_AMOUNTS):
        return True
    if not words.isdisjoint(_CALCULATIONS):
        return True
    if not words.isdisjoint(_ASKS_FOR) and not words.isdisjoint(_QUANTITIES):
        return True
    return digits and _ARITHMETIC.search(lower) is not None


def _polar(lower: str) -> bool:
    """Tell a yes-or-no question; `Is it A or B?` is none."""
    if ("yes" in lower or "true" in lower) and _TRUE_OR_FALSE.search(lower):
        return True
    end = lower.rstrip(" ?!\n\t\"'")
    asked = end[max(map(end.rfind, ".!?\n:")) + 1 :].strip()
    return _POLAR_START.match(asked) is not None and " or " not in asked
