r"""Formulas that are equal however they are written: `11(1+\sqrt{5})` and `11\sqrt5 + 11`.

A formula is read by a small grammar and worked out, exactly where it stays rational, else at a few fixed points of
its variables: equal values there make equal formulas (identity testing; Schwartz 1980, Zippel 1979). Nothing is
executed, and a text longer than `MAX_CHARS`, deeper than `MAX_DEPTH` or with larger powers than `MAX_BITS` is not
read. Functions with branches are compared where their arguments are positive.
"""

from __future__ import annotations

import cmath
import re
from fractions import Fraction
from math import comb, factorial, isqrt
from typing import TYPE_CHECKING, TypeAlias
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = Fraction | complex

MAX_CHARS = 200
MAX_DEPTH = 24
MAX_BITS = 4_096
MAX_FACTORIAL = 30
DIGITS = 9
TINY = 1e-9
LONG_NAME = 4
"""Letters in a row from which they are a word, not a product of variables."""

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\[{}|]|\d+(?:\.\d+)?|\.\d+|[A-Za-z]+|\S")
_WHOLE = re.compile(r"-?\d{1,8}")
_CONSTANTS: dict[str, Value] = {"\\pi": cmath.pi, "pi": cmath.pi, "π": cmath.pi, "e": cmath.e, "i": 1j}
_OPENING = {"(": ")", "{": "}", "[": "]", "\\{": "\\}", "|": "|"}
_BAR, _FRACTIONS = "|", frozenset(("frac", "dfrac", "tfrac"))
_TIMES, _OVER = frozenset(("*", "\\cdot", "\\times", "×")), frozenset(("/", "\\div", "÷"))
_NOT_A_FACTOR = frozenset("+-*/^_!)]},;:=<>|'\"&%") | {"\\}", "\\cdot", "\\times", "\\div", "×", "÷", "\\pm"}
_GREEK = re.compile(
    r"\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|phi|psi|rho|sigma|tau|omega|zeta|eta|kappa|nu|xi|chi)"
)


_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda value: 1 / cmath.tan(value),
    "sec": lambda value: 1 / cmath.cos(value),
    "csc": lambda value: 1 / cmath.sin(value),
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "ln": cmath.log,
    "log": cmath.log10,
    "exp": cmath.exp,
}


class _Unreadable(Exception):
    """The text is no formula of this grammar."""


def value(formula: str) -> str | None:
    """Return a spelling that equal formulas share, a rational as `7/2`; `None` for what is not understood."""
    if len(formula) > MAX_CHARS:
        return None
    tokens = _TOKEN.findall(formula)
    try:
        first = _Reader(tokens, 0)
        worked = first.whole()
        if isinstance(worked, Fraction):
            return str(worked)
        rest = [_Reader(tokens, point).whole() for point in (range(1, 3 - first.branched) if first.names else ())]
    except (_Unreadable, ArithmeticError, ValueError, RecursionError):
        return None
    found = list(map(_rounded, [worked, *rest]))
    whole = _WHOLE.fullmatch(found[0]) is not None and len(set(found)) == 1
    return found[0] if whole else " ".join(["≈", *found])


def _rounded(number: Value) -> str:
    number = complex(number)
    real, imaginary = (0.0 if abs(part) < TINY else part for part in (number.real, number.imag))
    return f"{real:.{DIGITS}g}" + (f"{imaginary:+.{DIGITS}g}i" if imaginary else "")


def _point(name: str, point: int) -> float:
    """Return the value of a variable at a point: two of them are positive, the third is not."""
    spread = crc32(f"{name} {point}".encode()) / 2**32
    return -(1.5 + spread) if point == 2 else 0.6 + 1.7 * spread  # noqa: PLR2004 - the third point


class _Reader:
    """A recursive descent over tokens that works a formula out as it goes."""

    def __init__(self, tokens: list[str], point: int) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.point = point
        self.names = False
        self.branched = False

    def whole(self) -> Value:
        worked = self._sum()
        if self.at < len(self.tokens):
            raise _Unreadable
        return worked

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _Unreadable
        self.at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise _Unreadable

    def _sum(self) -> Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unreadable
        total = self._product()
        while self._peek() in {"+", "-"}:
            plus = self._next() == "+"
            term = self._product()
            total = _added(total, term if plus else -term)
        self.depth -= 1
        return total

    def _product(self) -> Value:
        if self._peek() in {"-", "+"}:
            return -self._product() if self._next() == "-" else self._product()
        worked = self._power()
        while (token := self._peek()) and (token in _TIMES or token in _OVER or token not in _NOT_A_FACTOR):
            if token in _TIMES or token in _OVER:
                self.at += 1
            factor = self._signed() if token in _TIMES or token in _OVER else self._power()
            worked = _divided(worked, factor) if token in _OVER else _multiplied(worked, factor)
        return worked

    def _signed(self) -> Value:
        if self._peek() == "-":
            self.at += 1
            return -self._power()
        return self._power()

    def _power(self) -> Value:
        base = self._atom()
        while self._peek() == "!":
            self.at += 1
            base = _factorial(base)
        if self._peek() != "^":
            return base
        self.at += 1
        if self._peek() == "\\circ":
            self.at += 1
            return base
        return self._raised(base, self._argument(signed=True))

    def _raised(self, base: Value, exponent: Value) -> Value:
        if not (isinstance(exponent, Fraction) and exponent.denominator == 1):
            self.branched = True
        return _raised(base, exponent)

    def _argument(self, *, signed: bool = False) -> Value:
        """Read what a command takes: a group in braces, else one digit or one symbol."""
        if self._peek() == "{":
            return self._group()
        if signed and self._peek() in {"-", "("}:
            return self._signed()
        token = self._next()
        if token[0].isdigit() and len(token) > 1:
            self._push_back(token[1:])
            return Fraction(token[0])
        if token.isalpha() and len(token) > 1 and token not in _CONSTANTS:
            self._push_back(token[1:])
            token = token[0]
        return self._symbol(token)

    def _push_back(self, rest: str) -> None:
        self.tokens = [*self.tokens[: self.at], rest, *self.tokens[self.at :]]

    def _group(self) -> Value:
        closing = _OPENING.get(self._next())
        if closing is None:
            raise _Unreadable
        inside = self._sum()
        self._expect(closing)
        return inside

    def _atom(self) -> Value:
        token = self._peek()
        if token in _OPENING:
            inside = self._group()
            self.branched = self.branched or token == _BAR
            return _absolute(inside) if token == _BAR else inside
        self.at += 1
        if token[:1].isdigit() or token.startswith("."):
            return self._mixed(Fraction(token))
        worked = self._command(token.removeprefix("\\"))
        return self._symbol(token) if worked is None else worked

    def _command(self, name: str) -> Value | None:
        """Read what a command takes; `None` when it is none."""
        if name in _FRACTIONS:
            return _divided(self._argument(), self._argument())
        if name == "sqrt":
            return self._root()
        if name == "binom":
            return _choose(self._argument(), self._argument())
        return self._function(name) if name in _FUNCTIONS else None

    def _mixed(self, whole: Fraction) -> Value:
        r"""Read `2\frac{1}{2}` as two and a half."""
        if self._peek().removeprefix("\\") not in _FRACTIONS or whole.denominator != 1:
            return whole
        self.at += 1
        above, below = self._argument(), self._argument()
        part = _divided(above, below)
        simple = isinstance(above, Fraction) and isinstance(part, Fraction) and 0 < part < 1
        return _added(whole, part) if simple else _multiplied(whole, part)

    def _root(self) -> Value:
        degree: Value = Fraction(2)
        if self._peek() == "[":
            degree = self._group()
        inside = self._group() if self._peek() == "(" else self._argument()
        self.branched = True
        return _raised(inside, _divided(Fraction(1), degree))

    def _function(self, name: str) -> Value:
        base: Value | None = None
        power: Value | None = None
        if self._peek() == "_":
            self.at += 1
            base = self._argument()
        if self._peek() == "^":
            self.at += 1
            power = self._argument(signed=True)
        inside = complex(self._power())
        self.branched = self.branched or name in {"ln", "log", "arcsin", "arccos"}
        worked = _FUNCTIONS[name](inside) if base is None else cmath.log(inside) / cmath.log(complex(base))
        return worked if power is None else _raised(worked, power)

    def _symbol(self, token: str) -> Value:
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token[:1].isdigit():
            return Fraction(token)
        if _GREEK.fullmatch(token):
            return self._variable(token)
        if not token.isalpha() or len(token) >= LONG_NAME:
            raise _Unreadable
        product = self._variable(token[0])
        for letter in token[1:]:
            product = _multiplied(product, self._variable(letter))
        return product

    def _variable(self, name: str) -> Value:
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if self._peek() == "_":
            self.at += 1
            name = f"{name}_{self._next()}"
        self.names = True
        return complex(_point(name, self.point))


def _added(a: Value, b: Value) -> Value:
    return a + b if isinstance(a, Fraction) and isinstance(b, Fraction) else complex(a) + complex(b)


def _multiplied(a: Value, b: Value) -> Value:
    return a * b if isinstance(a, Fraction) and isinstance(b, Fraction) else complex(a) * complex(b)


def _divided(a: Value, b: Value) -> Value:
    return a / b if isinstance(a, Fraction) and isinstance(b, Fraction) else complex(a) / complex(b)


def _raised(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        bits = base.numerator.bit_length() + base.denominator.bit_length()
        if exponent.denominator == 1:
            if abs(exponent) * bits > MAX_BITS:
                raise _Unreadable
            return base**exponent.numerator
        if exponent == Fraction(1, 2) and base >= 0 and (root := _square_root(base)) is not None:
            return root
    return complex(base) ** complex(exponent)


def _square_root(square: Fraction) -> Fraction | None:
    root = Fraction(isqrt(square.numerator), isqrt(square.denominator))
    return root if root * root == square else None


def _absolute(a: Value) -> Value:
    return abs(a) if isinstance(a, Fraction) else complex(abs(a))


def _factorial(a: Value) -> Value:
    if not isinstance(a, Fraction) or a.denominator != 1 or not 0 <= a <= MAX_FACTORIAL:
        raise _Unreadable
    return Fraction(factorial(a.numerator))


def _choose(n: Value, k: Value) -> Value:
    whole = isinstance(n, Fraction) and isinstance(k, Fraction) and n.denominator == k.denominator == 1
    if not whole or not isinstance(n, Fraction) or not isinstance(k, Fraction) or not 0 <= k <= n <= MAX_CHARS:
        raise _Unreadable
    return Fraction(comb(n.numerator, k.numerator))
