"""The final answer in a model's text: the part that can be compared.

Comparing whole chains of thought finds little (AUROC .60–.72 on GSM8K); comparing extracted answers finds nearly all.
Only the end of the text is searched, so hostile text costs no more than a long one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.scoring import question as asked
from prysm.scoring.notation import folded, formula, literal, program, tokens
from prysm.scoring.numbers import exact

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.scoring.question import Question

Kind: TypeAlias = Literal["choice", "polar", "number", "literal", "formula", "code", "text"]

TAIL_CHARS = 4_000
MAX_ANSWER_CHARS = 400
BARE_CHARS, BARE_WORDS = 80, 6
NEGATION_CHARS = 16

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
_SENTENCE_END = re.compile(r"\.(?:\s|$)|\n|;\s|。")
_LETTER = re.compile(r"[\s*_(\[{\"'$]*(?:\\text\{|option |choice )?\(?([A-J])(?![\w'’+])(?! [a-z])", re.IGNORECASE)
_PARENTHESISED = re.compile(r"\(([A-J])\)")
_LINE_LETTER = re.compile(r"(?:^|\n)\**\(?([A-J])(?:[.):]|\**\s*$)")
_POLAR = re.compile(r"[\s*_\"'(]*(not\s+)?(yes|no|true|false)\b", re.IGNORECASE)
_NEGATED = re.compile(
    r"(?:\bnot|n't|n’t|\bnever|\bno|\bwithout)[\s(*_$]*(?:be|is|equal(?:s| to)?|option)?[\s(*_$]*$", re.IGNORECASE
)
_NUMBER = re.compile(
    r"(?:(?<![\w.)}])[-−])?[$€£]?(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d{1,3})?(?:/\d+)?(?:\s?\\?%)?"
)
_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_MATHLIKE = re.compile(r"\\[a-zA-Z]+|[\^=+*/<>]|\d[a-z]|^[-\w]$|^[(\[].*,.*[)\]]$")
_LONG_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{4,}")
_YES = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class Extracted:
    """A final answer: what kind it is, as it was written, and the spelling that equal answers share."""

    kind: Kind
    value: str
    canonical: str


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
    if question.code and (code := _code(tail)):
        return code
    for stated in (_json_field(tail), _boxed(tail), _last(_HASHES, tail), _last(_BRACED, tail), _said(tail)):
        if stated is not None and (found := _typed(stated, question)):
            return found
    for search in _searches(question):
        if found := search(tail, question):
            return found
    return _bare(tail, question) or _code(tail)


def _searches(question: Question) -> tuple[Callable[[str, Question], Extracted | None], ...]:
    if question.options:
        return (_choice_anywhere,)
    if question.polar:
        return (_polar_anywhere,)
    return (_bare, _last_number) if question.numeric else ()


def _json_field(tail: str) -> str | None:
    """Return the `answer` of a JSON object, even of one that a model got slightly wrong."""
    if 'nswer"' not in tail:
        return None
    at = None
    for at in _FIELD.finditer(tail):
        pass
    if at is None:
        return None
    if string := _STRING.match(tail, at.end()):
        return _ESCAPE.sub(r"\1", string[1])
    rest = tail[at.end() :].removesuffix("```").rstrip()
    return rest.removesuffix("}").strip().rstrip(",")


def _boxed(tail: str) -> str | None:
    r"""Return what the last `\\boxed{…}` holds, braces matched."""
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


def _last(pattern: re.Pattern[str], tail: str) -> str | None:
    found = pattern.findall(tail)
    return str(found[-1]) if found else None


def _said(tail: str) -> str | None:
    """Return what follows the last `answer is` or `Answer:`, up to the end of its sentence."""
    end = None
    for match in _SAID.finditer(tail):
        end = match.end()
    if end is None:
        return None
    rest = tail[end : end + MAX_ANSWER_CHARS].lstrip()
    stop = _SENTENCE_END.search(rest)
    return rest[: stop.start()] if stop else rest


def _typed(stated: str, question: Question) -> Extracted | None:
    """Give a stated answer its kind and canonical form."""
    if question.literal:
        return Extracted("literal", stated, literal(stated))
    value = stated[:MAX_ANSWER_CHARS].strip().strip("*_`").strip().removesuffix(".")
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
    news = [m for m in _NUMBER.finditer(value) if m[0].strip("$€£") not in question.words]
    if len(news) != 1 or _negated(value, news[0].start()):
        return None
    number = exact(news[0][0], percent=not question.percent)
    return None if number is None else Extracted("number", news[0][0], number)


def _quantity(value: str, question: Question) -> Extracted | None:
    """Read a number, a literal or a formula."""
    number = exact(value, percent=not question.percent)
    if number is not None:
        return Extracted("number", value, number)
    if value[0] in "[{'\"" or (value[0] == "(" and "," in value and "\\" not in value):
        canonical = literal(value)
        number = exact(canonical)
        return Extracted("literal", value, canonical) if number is None else Extracted("number", value, number)
    if _MATHLIKE.search(value) and not _LONG_WORD.search(value):
        canonical = formula(value)
        number = exact(canonical, percent=not question.percent)
        return Extracted("formula", value, canonical) if number is None else Extracted("number", value, number)
    return None


def _phrase(value: str) -> Extracted | None:
    words = tokens(folded(value))
    return Extracted("text", value, " ".join(words)) if words else None


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
    match = _POLAR.match(value)
    if match is None:
        return None
    yes = _YES[match[2].lower()] is (match[1] is None)
    return Extracted("polar", value, "yes" if yes else "no")


def _polar_anywhere(tail: str, _: Question) -> Extracted | None:
    """Read the verdict that opens the text or its last paragraph."""
    return _polar(tail[:BARE_CHARS]) or _polar(tail.rpartition("\n")[2][:BARE_CHARS])


def _last_number(tail: str, question: Question) -> Extracted | None:
    """Return the last number that the question did not bring, else the last; `None` where it is said not to be it."""
    matches = list(_NUMBER.finditer(tail))
    news = [match for match in matches if match[0].strip("$€£") not in question.words]
    for match in reversed(news or matches):
        number = exact(match[0], percent=not question.percent)
        if number is not None:
            return None if _negated(tail, match.start()) else Extracted("number", match[0], number)
    return None


def _negated(text: str, at: int) -> bool:
    return _NEGATED.search(text[max(0, at - NEGATION_CHARS) : at]) is not None


def _code(tail: str) -> Extracted | None:
    """Return the last fenced block."""
    if "```" not in tail:
        return None
    block = _last(_FENCE, tail)
    return Extracted("code", block, program(block)) if block and block.strip() else None


def _bare(tail: str, question: Question) -> Extracted | None:
    """Take a text of a few words, or one that is all formula, as its own answer."""
    if len(tail) > BARE_CHARS * 2 or "\n" in tail:
        return None
    if question.literal:
        return Extracted("literal", tail, literal(tail))
    value = tail.strip("*_` ").removesuffix(".")
    if not value:
        return None
    if quantity := _quantity(value, question):
        return quantity
    return _phrase(value) if len(value) <= BARE_CHARS and len(value.split()) <= BARE_WORDS else None
