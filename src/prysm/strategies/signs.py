"""What an answer's text shows about its own worth, as numbers. No model is asked; one look costs some 100 µs.

Weak signs, each: together they order the answers of one model with an AUROC of .6–.8. Which way each points, and
how far, is fitted (`gate.json`).
"""

from __future__ import annotations

import re
from math import log, log1p, log10
from typing import TYPE_CHECKING

from prysm.scoring.notation import folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.run import Candidate
    from prysm.scoring import Extracted

READ_CHARS = 6_000
END_CHARS = 160
MOST_HEDGES, MOST_SUMS = 3, 10
MOST_DIGITS = 9
SUM_TOLERANCE = 0.011
"""Sums are written rounded to cents."""
CHARS_PER_TOKEN = 4

_NUMBER = re.compile(r"-?\d{1,15}(?:,\d{3})*(?:\.\d{1,9})?")
_SUM = re.compile(
    r"(?<![\d.,/*+×÷-])\$?(\d[\d,]{0,14}(?:\.\d{1,9})?)\s?([-+*×÷])\s?\$?(\d[\d,]{0,14}(?:\.\d{1,9})?)"
    r"\s?=\s?\$?(-?\d[\d,]{0,14}(?:\.\d{1,9})?)(?![\d/]|\s?[-+*×÷])"
)
_HEDGE = re.compile(
    r"\b(?:however|wait|actually|assum\w*|approximately|seems|likely|might|perhaps|probably|not sure|unclear|"
    r"closest|mistake|error|incorrect|re-?check|reconsider|none of|correct this|let me|let's re\w*)",
    re.IGNORECASE,
)
_NOTATION = re.compile(r"\\[a-zA-Z]{2}|\$[^$\s](?:[^$\n]{0,80}[^$\s])?\$(?!\d)")
_WHOLE = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")


def of_prompt(prompt: str) -> dict[str, float]:
    """The size of a prompt: its words, numbers and notation, as logarithms; and whether it has none of the last."""
    text = prompt[:READ_CHARS]
    notation = len(_NOTATION.findall(text))
    return {
        "plain_words": float(not notation),
        "prompt_words": log1p(len(text.split())),
        "prompt_numbers": log1p(len(_NUMBER.findall(text))),
        "prompt_notation": log1p(notation),
    }


def of_answer(candidate: Candidate, extracted: Extracted | None) -> dict[str, float]:
    """The signs of one answer, `extracted` being what it comes to."""
    text = candidate.text[-READ_CHARS:]
    value = extracted.value if extracted else ""
    at = text.rfind(value) if value else -1
    body = text[:at] if at > 0 else text
    sums, wrong = _sums(body)
    return {
        "length": log(max(1, tokens(candidate))),
        "lines": log1p(text.count("\n") + text.count("\\n")),
        "no_answer": float(extracted is None),
        "ends_in_it": float(extracted is not None and _ends_in(body, extracted)),
        "sums": min(sums, MOST_SUMS) / MOST_SUMS,
        "wrong_sum": float(wrong),
        "hedges": min(len(_HEDGE.findall(body)), MOST_HEDGES) / MOST_HEDGES,
        "answer_length": log1p(len(value)),
        **_quantity(extracted),
    }


def tokens(candidate: Candidate) -> int:
    """The length of an answer in tokens, as counted by its provider, else estimated."""
    counted = candidate.completion.usage.completion_tokens
    return len(candidate.text) // CHARS_PER_TOKEN if counted is None else counted


def _quantity(extracted: Extracted | None) -> Mapping[str, float]:
    """A whole number is more often right than a broken one, a small one more often than a large one."""
    value = extracted.canonical if extracted and extracted.kind == "number" else ""
    size = log10(1 + min(10.0**MOST_DIGITS, abs(float(value)))) if _DECIMAL.fullmatch(value[:300]) else 0.0
    return {"whole_number": float(_WHOLE.fullmatch(value) is not None), "size": size}


def _ends_in(body: str, extracted: Extracted) -> bool:
    """Whether the reasoning before the answer ends in that answer."""
    if extracted.kind == "number":
        found = _NUMBER.findall(body)
        return bool(found) and found[-1].replace(",", "") == extracted.canonical
    return folded(extracted.value).strip("'\" .")[-END_CHARS:] in folded(body[-END_CHARS:])


def _sums(body: str) -> tuple[int, bool]:
    """How many sums `a + b = c` the reasoning holds, and whether one of them is wrong."""
    found = _SUM.findall(body)
    return len(found), any(_is_wrong(*parts) for parts in found)


def _is_wrong(left: str, sign: str, right: str, stated: str) -> bool:
    a, b, c = (float(number.replace(",", "")) for number in (left, right, stated))
    if sign == "÷" and not b:
        return True
    result = {"+": a + b, "-": a - b, "*": a * b, "×": a * b}.get(sign, a / (b or 1))
    return abs(result - c) > SUM_TOLERANCE * max(1.0, abs(result))
