"""Numbers as people and models write them, made exact."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_CHARS = 60
MAX_EXPONENT = 99

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_TENS = """twenty thirty forty fifty sixty seventy eighty ninety"""
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_WORDS = {word: i for i, word in enumerate(_SMALL.split())} | {
    word: tens for tens, word in zip(range(20, 100, 10), _TENS.split(), strict=True)
}
NUMBER_WORDS = frozenset((*_WORDS, *_SCALES))
_ANY, _SCALE = "|".join((*_WORDS, *_SCALES)), "|".join(_SCALES)
_LARGEST = 10**15
_SPELLED = re.compile(
    rf"(?:\b(?:{_ANY})|(?<![\w.,])\d[\d,]*(?:\.\d+)?(?=[ -](?:{_SCALE})))"
    rf"(?:(?:[ -]|,? and |(?<=and), |(?<=ion), )(?:{_ANY}))+\b"
)
"""Two number words or more; a comma stands after a thousand or a million only."""
_MINUS = str.maketrans({"−": "-", "–": "-", "⁻": "-", "﹣": "-", "－": "-", "⁄": "/", "∕": "/", "×": "*"})
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8"}
_NOISE = re.compile(r"\\[,;!: ]|[$€£¥₹]|\\\$|\^\{?\\?(?:circ|°)\}?|\\(?:left|right|displaystyle)\b|°")
_DOTTED = re.compile(r"(?<=\d)(\s?[a-z])\.([a-z])\b", re.IGNORECASE)
"""An abbreviated unit: `3 p.m.`"""
_NO_UNITS = {
    *[
        "not",
        "no",
        "never",
        "isn't",
        "pi",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "log",
        "ln",
        "mod",
        "i",
        "e",
        "x",
        "y",
        "z",
        "n",
        "and",
        "or",
        "is",
        "to",
    ]
}
"""Words that follow a number and make it something else: `2 pi`, `5 is not right`."""
_TEXT = re.compile(r"\\(?:text|mathrm|mbox|textbf|operatorname)\s*\{([^{}]{0,40})\}")
_FRAC = re.compile(r"\\[dt]?frac\s*(?:\{\s*(-?[\d.,]+)\s*\}|(\d))\s*(?:\{\s*(-?[\d.,]+)\s*\}|(\d))")
_ASSIGNED = re.compile(r"^[A-Za-z]\w{0,3}(?:\([a-z\d]\))?\s*(?:=|≈|\\approx)\s*")
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?P<mixed>\d+)[ \u00a0]+(?=\d+\s*/))?"
    rf"(?P<a>{_DIGITS}(?:\.\d*)?|\.\d+)(?:e(?P<e>[-+]?\d+)|\s*\*\s*10\s*\^\s*\{{?(?P<p>[-+]?\d+)\}}?)?"
    rf"(?:\s*/\s*(?P<b>{_DIGITS}(?:\.\d+)?))?(?P<base>_\{{?\d{{1,2}}\}}?)?"
    rf"\s*(?P<scale>hundred|thousand|million|billion|trillion|dozen)?\s*(?P<percent>\\?%|percent\b|per cent\b)?"
    rf"(?P<unit>\s?(?:[ckm]?m|k?g|s|h|l)(?:²|³|\^?[23])?|[ /-]?[a-z]{{2,}}(?:[ /][a-z]+){{0,3}})?",
    re.IGNORECASE,
)


def exact(written: str, *, percent: bool = True) -> str | None:
    """Return the number that `written` is as a canonical fraction (`7/2`, `-3`, `72%`), else `None`.

    A unit after it is dropped. A percentage stays apart from its ratio unless `percent` is false: where the
    question asks for a percentage, `72` and `72%` are the same answer.
    """
    if len(written) > MAX_CHARS:
        return None
    if _DECIMAL.fullmatch(written):
        return str(Fraction(written))
    plain = _plain(written)
    worded = _from_words(plain)
    if worded is not None:
        return str(worded)
    match = _NUMBER.fullmatch(plain)
    if match is None:
        return None
    value = _value(match)
    if value is None or not _NO_UNITS.isdisjoint((match["unit"] or "").lower().split()):
        return None
    return f"{value}%" if percent and match["percent"] else str(value)


def in_digits(lower: str) -> str:
    """Return folded text with each number of several words in digits: `one thousand, nine hundred` is `1900`."""
    return _SPELLED.sub(lambda found: exact(found[0]) or found[0], lower)


def _plain(written: str) -> str:
    text = written.strip().translate(_MINUS)
    for sign, fraction in _VULGAR.items():
        if sign in text:
            text = text.replace(sign, f" {fraction}").strip()
    if "\\" in text:
        text = text.replace("\\times", "*").replace("\\cdot", "*")
        text = _FRAC.sub(lambda m: f" {m[1] or m[2]}/{m[3] or m[4]}", _TEXT.sub(r" \1", text))
    text = _DOTTED.sub(r"\1\2", _NOISE.sub("", text.replace("\\%", "%")))
    return _signed_fraction(_ASSIGNED.sub("", text.strip(" \t*_`\"'")).strip().rstrip("."))


def _signed_fraction(text: str) -> str:
    r"""Close the gap that a replaced `\\frac` leaves after its sign: `- 1/2`."""
    return f"-{text[1:].lstrip()}" if text.startswith("-") else text


def _value(match: re.Match[str]) -> Fraction | None:
    exponent = int((match["e"] or match["p"] or "0")[:5])
    if abs(exponent) > MAX_EXPONENT:
        return None
    value = Fraction(match["a"].replace(",", "").rstrip(".")) * Fraction(10) ** exponent
    if match["b"] is not None:
        divisor = Fraction(match["b"].replace(",", ""))
        if not divisor:
            return None
        value /= divisor
    if match["mixed"] is not None:
        value += int(match["mixed"])
    if match["scale"] is not None:
        value *= _SCALES[match["scale"].lower()]
    return -value if match["sign"] == "-" else value


def _from_words(plain: str) -> int | None:
    """Read `twenty-one`, `two hundred and five`, `nineteen forty`; `None` when the words make no one number."""
    if not plain[:1].isalpha():
        return None
    total, current, least = 0, 0, _LARGEST
    words = plain.lower().replace("-", " ").split()
    for word, after in zip(words, [*words[1:], ""], strict=True):
        scale = _SCALES.get(word.removesuffix(","), 0)
        if word in _WORDS and (joined := _joined(current, _WORDS[word])) is not None:
            current = joined
        elif scale == 100:  # noqa: PLR2004 - a hundred stays below the thousands that may follow
            current = (current or 1) * scale
        elif 0 < scale < least:
            total, current, least = total + (current or 1) * scale, 0, scale
        elif word != "and" or not after or current % 100:
            return None
    return total + current if words else None


def _joined(current: int, small: int) -> int | None:
    """Add a word below a hundred: `[two hundred] five`, `[twenty] one`, as a year `[nineteen] ten`; else `None`."""
    if current % 100 == 0 or (current % 100 >= 20 and current % 10 == 0 and 0 < small < 10):  # noqa: PLR2004 - tens
        return current + small
    return current * 100 + small if 10 < current < 100 and small >= 10 else None  # noqa: PLR2004 - a century
