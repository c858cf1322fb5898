"""What a simulated model says. Pure: the same prompt, profile and salt give the same words.

Closed questions (arithmetic, capitals, options, yes or no) have one right answer and a few plausible wrong ones, so
that independent models can agree on either. All else gets a paragraph that says it is simulated.
"""

from __future__ import annotations

import ast
import hashlib
import operator
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.core.chat import Message

CAPITALS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "australia": ("Canberra", "Sydney", "Melbourne"),
        "brazil": ("Brasília", "Rio de Janeiro", "São Paulo"),
        "canada": ("Ottawa", "Toronto", "Montreal"),
        "china": ("Beijing", "Shanghai"),
        "france": ("Paris", "Lyon", "Marseille"),
        "germany": ("Berlin", "Bonn", "Frankfurt"),
        "india": ("New Delhi", "Mumbai"),
        "italy": ("Rome", "Milan"),
        "japan": ("Tokyo", "Kyoto", "Osaka"),
        "kenya": ("Nairobi", "Mombasa"),
        "spain": ("Madrid", "Barcelona"),
        "switzerland": ("Bern", "Zurich", "Geneva"),
        "turkey": ("Ankara", "Istanbul"),
    }
)
"""Country to its capital, then what it is mistaken for."""
VIEWS = (
    "Its plainest reading holds, and the rest follows from the stated facts.",
    "It depends on an assumption that the prompt does not state.",
    "The usual account is incomplete, so caution is in order.",
)
"""What an open answer claims; the first counts as right."""
OFFSETS = (10, -10, 1)
"""How far off a wrong sum is; few, so that wrong answers can agree."""
GIST_CHARS = 160
READ_CHARS = 50_000
"""How much of a prompt is read: searching a longer one would hold up everyone else."""

_WORDS = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "×": "*", "·": "*"}
_SIGNS = {**_WORDS, "÷": "/", "−": "-", "–": "-"}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)), re.IGNORECASE)
_TERM = r"([-(]*\d[\d \t.+\-*/()x]{1,80})"
_ASKING = r"(?:what(?:['’]s| is)|calculate|compute|evaluate|how much is)"
_SUM = re.compile(rf"{_ASKING}[ \t:]*{_TERM}|^[ \t]*{_TERM}[ \t=?]{{0,8}}$", re.IGNORECASE | re.MULTILINE)
_CAPITAL = re.compile(rf"\bcapital(?: city)? of (?:the )?({'|'.join(CAPITALS)})\b", re.IGNORECASE)
_OPTION = re.compile(r"^[ \t]*\(?([A-J])[).:][ \t]+\S.*$", re.MULTILINE)
_AUXILIARY = r"(?:is|are|was|were|does|did|has|have)"
_POLAR = re.compile(rf"(?:^|[.!?]\s+)({_AUXILIARY} [^?\n]{{2,300}}\?)", re.IGNORECASE | re.MULTILINE)
_CODE = re.compile(r"```|\b(?:code|function|python|javascript|sql|bug|compile|regex|algorithm)\b", re.IGNORECASE)
_FINAL = re.compile(r"final answer:[ \t]*([^\s<\[`…][^\n]{0,200})", re.IGNORECASE)

_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Closed:
    """A question with one right answer. `said` is a sentence with `{}` where the answer goes."""

    task: str
    right: str
    wrong: tuple[str, ...]
    said: str
    always_final: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What a model makes of a prompt: the question it sees, and whether it gets it right, decided by `key`."""

    asked: str
    key: tuple[str, ...]
    closed: Closed | None
    right: bool

    @property
    def answer(self) -> str | None:
        """Its answer to a closed question."""
        if self.closed is None:
            return None
        return self.closed.right if self.right else pick(self.closed.wrong, *self.key)


def settle(model: str, messages: Sequence[Message], quality: Mapping[str, float], salt: str) -> Settled:
    """Take the last user turn: right with probability `quality[task]`, decided by a hash of everything given."""
    asked = next((turn.text for turn in reversed(messages) if turn.role == "user"), "")[:READ_CHARS]
    key = (model, salt, *(f"{turn.role}:{turn.text}" for turn in messages))
    closed = read(asked)
    task = closed.task if closed else _open_task(asked)
    return Settled(asked, key, closed, unit("right", *key) < quality.get(task, quality.get("default", 0.0)))


def reply(model: str, messages: Sequence[Message], quality: Mapping[str, float], salt: str) -> str:
    """Answer the last user turn in words; after a tool's result, quote it."""
    if messages and messages[-1].role == "tool":
        return f"[{model}, a simulated model] The tool says: “{gist(results(messages))}”"
    settled = settle(model, messages, quality, salt)
    votes = [vote.rstrip(" \t\r.*`") for vote in _FINAL.findall(settled.asked)]
    if len(votes) > 1:  # candidates to judge: the most frequent, the first of equals
        return f"Most candidates agree.\n\nFinal answer: {Counter(votes).most_common(1)[0][0]}"
    if settled.closed is None:
        view = VIEWS[0] if settled.right else pick(VIEWS[1:], *settled.key)
        return f"[{model}, a simulated model] You asked: “{gist(settled.asked)}” {view}"
    wanted = settled.closed.always_final or any("final answer" in turn.text.casefold() for turn in messages)
    said = settled.closed.said.format(settled.answer)
    return said + (f"\n\nFinal answer: {settled.answer}" if wanted else "")


def results(messages: Sequence[Message]) -> str:
    """What the tools said that ran last."""
    last = list(takewhile(lambda turn: turn.role == "tool", reversed(messages)))
    return "; ".join(turn.text[:READ_CHARS] for turn in reversed(last))


def gist(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= GIST_CHARS else line[:GIST_CHARS].rstrip() + "…"


def read(asked: str) -> Closed | None:
    """The closed question in `asked`, if there is one."""
    return _sum(asked) or _capital(asked) or _options(asked) or _polar(asked)


def unit(*parts: str) -> float:
    """A hash of `parts` as a number, 0 ≤ u < 1."""
    text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:6]) / 2**48


def pick(choices: Sequence[str], *parts: str) -> str:
    """One of `choices`, by hash."""
    return choices[int(unit("pick", *parts) * len(choices))]


def _sum(asked: str) -> Closed | None:
    plain = _SIGN.sub(lambda sign: _SIGNS[sign[0].lower()], re.sub(r"(?<=\d),(?=\d{3})", "", asked))
    for found in _SUM.finditer(plain):
        text = (found[1] or found[2]).strip(" \t.")
        try:
            tree = ast.parse(text.replace("x", "*"), mode="eval").body
            value = _value(tree)
        except (SyntaxError, ValueError, ZeroDivisionError):
            continue
        if isinstance(tree, ast.BinOp):
            wrong = tuple(_number(value + offset) for offset in OFFSETS)
            return Closed("math", _number(value), wrong, f"{text} = {{}}", always_final=True)
    return None


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(left), _value(right))
    raise ValueError


def _number(value: Fraction) -> str:
    """As one would write it: an integer, or up to six decimals."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.6f}".rstrip("0").rstrip(".")


def _capital(asked: str) -> Closed | None:
    if (found := _CAPITAL.search(asked)) is None:
        return None
    right, *wrong = CAPITALS[found[1].lower()]
    return Closed("factual", right, tuple(wrong), f"The capital of {found[1].title()} is {{}}.")


def _options(asked: str) -> Closed | None:
    lines = {found[1]: found[0].strip() for found in _OPTION.finditer(asked)}
    if len(lines) <= 1:
        return None
    return _made_up(asked, "\n".join(lines.values()), tuple(lines), "The answer is ({}).")


def _polar(asked: str) -> Closed | None:
    found = _POLAR.search(asked)
    return _made_up(asked, found[1], ("Yes", "No"), "{}.") if found else None


def _made_up(asked: str, question: str, answers: tuple[str, ...], said: str) -> Closed:
    """A question whose truth nobody here knows: a hash of the question alone makes one up for all models."""
    right = pick(answers, question)
    return Closed(_open_task(asked), right, tuple(answer for answer in answers if answer != right), said)


def _open_task(asked: str) -> str:
    return "code" if _CODE.search(asked) else "default"
