"""The final answer in a model's text: the part that can be compared.

Comparing whole chains of thought finds little (AUROC .60–.72 on GSM8K), comparing extracted answers nearly all.
Only the end of the text is searched, so hostile text costs no more than a long one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.core.values import dataclass
from prysm.scoring import question as asked
from prysm.scoring.dates import whole
from prysm.scoring.formulas import formula
from prysm.scoring.notation import BRACKETS, MAX_CODE_CHARS, folded, literal, operators, program, tokens
from prysm.scoring.numbers import exact
from prysm.scoring.stated import MAX_ANSWER_CHARS, stated

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.scoring.question import Question

Kind: TypeAlias = Literal["choice", "polar", "number", "literal", "formula", "code", "text", "call", "json"]

TAIL_CHARS = 4_000
BARE_CHARS, BARE_WORDS, BARE_FORMULA_CHARS = 80, 6, 200
NEGATION_CHARS = 16

_LETTER = re.compile(r"[\s*_(\[{\"'$]*(?:\\text\{|option |choice )?\(?([A-J])(?![\w'’+])(?! [a-z])", re.IGNORECASE)
_PARENTHESISED = re.compile(r"\(([A-J])\)")
_LINE_LETTER = re.compile(r"(?:^|\n)\**\(?([A-J])(?:[.):]|\**\s*$)")
_LEAD_IN = re.compile(
    r"(?:(?:sure|well|ok|okay|oh|so|actually|honestly|unfortunately|therefore|thus|hence|in short|"
    r"(?:good|great) question|i(?:['’]d| would)? (?:say|think|believe)(?: that)?)[\s,.!:;–—-]+){0,3}",
    re.IGNORECASE,
)
"""What a model says before its yes or no, and what by itself says neither."""
_VERDICT = re.compile(
    r"[\s*_\"'(]*(?:(?:it|that|this|(?:the|this|that) (?:statement|claim))(?:['’]s| is|(?P<isnt> isn['’]t))\s+)?"
    r"(?P<not>not\s+)?(?P<word>yes|no(?! problem| worries| doubt)|true|false|correct|incorrect|"
    r"(?:absolutely|definitely|certainly|of course|surely) not|not (?:at all|really))\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\bnot|n't|n’t|\bnever|\bno|\bwithout)[\s(*_$]*(?:be|is|equal(?:s| to)?|option)?[\s(*_$]*$", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d{1,3})?(?:/\d+)?(?:\s?\\?%)?")
_MATHLIKE = re.compile(r"\\[a-zA-Z]+|[\^=+*/<>×÷±\u2200-\u2233\u2236-\u22ff]|\d[a-z]|^[-\w]$|^[(\[].*,.*[)\]]$")
_LONG_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{4,}")
_TUPLE = re.compile(r"[(\[][^'\":]*,[^'\":]*[)\]]")
_OPENS_CODE = re.compile(
    r"(?:async )?def \w+\(|class \w+[(:]|import \w+\n|from \w+ import |#include|(?:const|let|var) \w+ =|"
    r"(?:public|private|static) \w+ \w+|function \w*\("
)
_LATEX_WORDS = re.compile(
    r"(?<=[\d})])\s*\\(?:text|mathrm|mbox)\s*\{[^{}]{0,40}\}|\\(?:begin|end)\{[a-zA-Z]{1,9}\}"
)
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]{0,80})\}")
_YES = frozenset(("yes", "true", "correct"))


@dataclass(frozen=True, slots=True)
class Extracted:
    """A final answer: what kind it is, as it was written, and the spelling that equal answers share.

    `sure`: the text presents it as its answer; otherwise it is merely the last number there.
    """

    kind: Kind
    value: str
    canonical: str
    sure: bool = True


def final_answer(text: str, question: str | None) -> Extracted | None:
    """Find the answer that `text` ends in, in the order that `question` suggests; `None` when it has none.

    Never raises, whatever the text.
    """
    return extract(text, asked.read(question))


def extract(text: str, question: Question) -> Extracted | None:
    """Find the final answer, given the form that the question asks for.

    What a model asks and answers itself after its answer (`Question: …`) is left out.
    """
    run_on = text.find("\nQuestion:")
    tail = (text if run_on <= 0 else text[:run_on])[-TAIL_CHARS:].strip()
    if not tail:
        return None
    if question.json and (data := _data(tail)):
        return data
    if question.code and (code := _code(text[-MAX_CODE_CHARS:])):
        return code
    closed = question.closed
    for answer in stated(tail, closed=closed):
        if found := _typed(answer, question):
            return found
    if closed:
        for search in _searches(question):
            if found := search(tail, question):
                return found
    return None if question.options else _bare(tail, question) or _code(tail)


def _searches(question: Question) -> tuple[Callable[[str, Question], Extracted | None], ...]:
    if question.options:
        return (_choice_anywhere,)
    if question.polar:
        return (_polar_anywhere,)
    return (_bare_quantity, _last_number) if question.numeric else ()


def _typed(answer: str, question: Question) -> Extracted | None:
    """Give a stated answer its kind and canonical form."""
    if question.literal:
        return Extracted("literal", answer, literal(answer))
    value = answer[:MAX_ANSWER_CHARS].strip().strip("*_`").strip().removesuffix(".")
    if value.startswith(("\\(", "\\[")) and value.endswith(("\\)", "\\]")):
        value = value[2:-2].strip()
    if not value:
        return None
    if question.options:
        return _choice(value, question)
    if question.polar and (polar := _polar(value)):
        return polar
    return _quantity(value, question) or _new_number(value, question) or _phrase(value)


def _new_number(value: str, question: Question) -> Extracted | None:
    """Return the one number in a stated sentence that the question did not bring, where a number is wanted."""
    if not question.numeric or "\\" in value:
        return None
    news = [found for found in _numbers(value) if found[1] not in question.words]
    return _number(value, *news[0], question) if len(news) == 1 else None


def _numbers(text: str) -> list[tuple[int, str]]:
    """Return each number in a text with the place of its first digit; a minus is part of it, a hyphen is not."""
    found = []
    for match in _NUMBER.finditer(text):
        start = match.start()
        before = text[max(0, start - 3) : start].rstrip("$€£")
        if before[-1:].isalnum() or before.endswith((".", "_")):
            continue
        signed = before.endswith(("-", "−")) and not (
            before[-2:-1].isalnum() or before[:-1].endswith((".", ")", "}"))
        )
        found.append((start, f"-{match[0]}" if signed else match[0]))
    return found


def _number(text: str, start: int, written: str, question: Question) -> Extracted | None:
    """Read one number of a text, unless the text says that it is not the answer."""
    number = exact(written, percent=not question.percent)
    return None if number is None or _negated(text, start) else Extracted("number", written, number)


def _quantity(value: str, question: Question) -> Extracted | None:
    """Read a number, a literal or a formula."""
    number = exact(value, percent=not question.percent)
    if number is not None:
        return Extracted("number", value, number)
    if value[0] in "[{'\"" and not _TUPLE.fullmatch(value):
        canonical = literal(value)
        number = exact(canonical)
        return Extracted("literal", value, canonical) if number is None else Extracted("number", value, number)
    if _MATHLIKE.search(value) and not _LONG_WORD.search(_LATEX_WORDS.sub("", value)):
        canonical = formula(value)
        number = exact(canonical, percent=not question.percent)
        return Extracted("formula", value, canonical) if number is None else Extracted("number", value, number)
    return None


def _phrase(value: str) -> Extracted | None:
    lower = folded(_LATEX_TEXT.sub(r"\1", value) if "\\" in value else value)
    words = tokens(lower)
    if not words:
        return None
    date = whole(lower)
    return Extracted("text", value, str(date) if date else " ".join([*words, *operators(lower)]))


def _choice(value: str, question: Question) -> Extracted | None:
    """Read a letter, or the text of one option."""
    if (letter := _LETTER.match(value)) and letter[1].upper() in question.options:
        return Extracted("choice", value, letter[1].upper())
    wanted = folded(value).strip(" .,;")
    for key, option in question.options.items():
        if option == wanted:
            return Extracted("choice", value, key)
    within = [m for m in _PARENTHESISED.finditer(value) if not _negated(value, m.start())]
    return Extracted("choice", value, within[-1][1]) if within else None


def _choice_anywhere(tail: str, question: Question) -> Extracted | None:
    if len(tail) <= BARE_CHARS and (whole := _choice(tail, question)):
        return whole
    for pattern in (_PARENTHESISED, _LINE_LETTER):
        for match in reversed(list(pattern.finditer(tail))):
            if match[1] in question.options and not _negated(tail, match.start(1)):
                return Extracted("choice", match[1], match[1])
    return None


def _polar(value: str) -> Extracted | None:
    lead_in = _LEAD_IN.match(value)
    match = _VERDICT.match(value, lead_in.end() if lead_in else 0)
    if match is None:
        return None
    denied = bool(match["isnt"] or match["not"])
    return Extracted("polar", value, "no" if (match["word"].lower() in _YES) is denied else "yes")


def _polar_anywhere(tail: str, _: Question) -> Extracted | None:
    """Read the verdict that opens the text or its last paragraph."""
    return _polar(tail[:BARE_CHARS]) or _polar(tail.rpartition("\n")[2][:BARE_CHARS])


def _last_number(tail: str, question: Question) -> Extracted | None:
    """Return the last number that the question did not bring, else the last."""
    found = _numbers(tail)
    news = [one for one in found if one[1] not in question.words]
    last = _number(tail, *(news or found)[-1], question) if found else None
    return replace(last, sure=False) if last else None


def _negated(text: str, at: int) -> bool:
    return _NEGATED.search(text[max(0, at - NEGATION_CHARS) : at]) is not None


def _code(tail: str) -> Extracted | None:
    """Return the last fenced block, else a text that is all code; JSON is an answer's wrapping, not a program."""
    if "```" not in tail:
        return Extracted("code", tail, program(tail)) if _OPENS_CODE.match(tail) else None
    parts = tail.split("```")
    language, _, block = parts[-2 if len(parts) % 2 else -1].partition("\n")
    if not block.strip() or language.strip().lower() == "json":
        return None
    return Extracted("code", block, program(block))


def _data(tail: str) -> Extracted | None:
    """Return the last fenced block, else the whole text, when it is JSON with no field that names the answer."""
    parts = tail.split("```")
    block = tail if len(parts) == 1 else parts[-2 if len(parts) % 2 else -1].removeprefix("json")
    value = block.strip()
    if value[:1] not in BRACKETS or 'nswer"' in value:
        return None
    return Extracted("literal", value, literal(value))


def _bare(tail: str, question: Question) -> Extracted | None:
    """Take a text of a few words, or one that is all quantity, as its own answer."""
    if len(tail) <= BARE_FORMULA_CHARS and (quantity := _bare_quantity(tail, question)):
        return quantity
    value = tail.strip("*_` ").removesuffix(".")
    brief = len(value) <= BARE_CHARS and "\n" not in value and len(value.split()) <= BARE_WORDS
    return _phrase(value) if brief else None


def _bare_quantity(tail: str, question: Question) -> Extracted | None:
    if len(tail) > (BARE_FORMULA_CHARS if "\\" in tail or question.literal else BARE_CHARS) or "\n" in tail:
        return None
    if question.literal:
        return Extracted("literal", tail, literal(tail))
    value = tail.strip("*_` ").removesuffix(".")
    return _quantity(value, question) if value else None
