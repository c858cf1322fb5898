"""What a prompt shows, as a set of strings: its words and pairs of words, its shape, the marks of several requests.

Every sign is either there or not, so that one table of weights reads them all. Signs are `word`, `two_words`,
`^first` and `^first_two` of the prompt, `#shape` and `@structure`; a number is the word `0`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from prysm.classify.names import COMPARING, SHORT, combined, compared
from prysm.classify.requests import requests
from prysm.classify.words import CODE_NAMES, LANGUAGES, QUANTIFIERS, STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from prysm.classify.features import Features

FIRST_WORDS, LAST_WORDS = 100, 50
FOREIGN_CHARS = 300
LISTED = 8
"""Words from which commas alone make a list."""
LONGEST_SYLLOGISM = 120
MOST_LENGTH, MOST_NUMBERS, MOST_MARKS, MOST_QUESTIONS = 7, 5, 3, 3

_TELLING = QUANTIFIERS | CODE_NAMES | LANGUAGES
_FOREIGN = re.compile(r"[^\x00-\x7f]{2,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
_LATEX = re.compile(r"\\[a-z]{2,}|\$[^$\n]{1,80}\$")
_CODE_LINE = re.compile(
    r"\n[ \t]*(?:def |class \w+[:({]|import \w|from \w+ import|#include|public |private |function \w|const \w+ =|"
    r"let \w+ =|var \w+ =|select .* from|assert |elif |for \w+ in .*:|@\w+\(|</?[a-z]+>|#!/)"
)
_MARKED = re.compile(r"[=+*^/\\{}()<>_|$`:;[]")
"""What a text without marks lacks, but for `.py`: most prompts are plain, and one search tells."""
_MARKS = tuple((mark, f"#{mark}") for mark in "=+*^/\\{}()<>_|$`")
_CODE_MARKS = ("()", ";\n", "{\n", "=>", "!=", "==", "+=", "->", "</", "::", "[i]", "__", ".py", '":')
_ARITHMETIC = re.compile(
    r"[-+*/^×÷=](?:(?<=\d.)|(?<=\d .)|(?<=\d[a-z].)|(?<=\d[a-z] .)|(?<=\b[a-z] =)|(?<=\b[a-z]=)) ?\(?-?\d"
)
"""The operator first: a pattern that starts with a few characters is found fast."""
_PREMISE = re.compile(
    r"\b(?:all|every|no|some|most) ([a-z]{3,})(?: [a-z]+)? (?:are|is) (?:not |an? |also )?([a-z]{3,})"
)
_LANGUAGE = f"(?:{'|'.join(sorted(LANGUAGES))})"
_WORD_WANTED = re.compile(
    rf"\b(?:say|spell|call|called|mean)(?: [^?\n]{{1,120}})? in {_LANGUAGE}(?=[?.!,\"']|$)"
    rf"|\b{_LANGUAGE} (?:word|term|name|phrase|expression|equivalent|translation)s? (?:for|of)\b"
)
"""`How do you say … in German?`, `the French word for …`."""
_LENGTHS = tuple(f"#words{min(MOST_LENGTH, bits)}" for bits in range(64))
_ASKED = tuple(f"#questions{count}" for count in range(MOST_QUESTIONS + 1))
"""Made once: a string that is made anew is also hashed anew."""
_OPTION = re.compile(r"\n[ \t]*\(?[A-Ea-e][.)] ")


def signs(features: Features) -> set[str]:
    """Return every sign of the prompt, in bounded time: some 20 µs for a sentence."""
    text, lower, found, count = features.text, features.lower, features.found, features.words
    words = found if len(found) <= FIRST_WORDS + LAST_WORDS else found[:FIRST_WORDS] + found[-LAST_WORDS:]
    seen = set(words)
    out = requests(features.asking, seen, count)
    if text[1:] != lower[1:]:
        out |= combined(text, lower, seen, count)
    if count <= SHORT and not COMPARING.isdisjoint(seen):
        out |= compared(text, lower, seen)
    if not out:
        out.add("@none")
    out |= seen
    out.update(map("_".join, pairwise(words)))
    if words:
        out.add(f"^{words[0]}")
        out.add("^" + "_".join(words[:2]))
    _shape(out, text, lower, count)
    if "0" in seen:
        _numbers(out, lower, found)
    if telling := _TELLING & seen:
        _told(out, features, telling)
    return out


def _told(out: set[str], features: Features, telling: AbstractSet[str]) -> None:
    """What a few words may stand for: a syllogism, code, a word wanted in a language."""
    asking = features.asking
    if features.words <= LONGEST_SYLLOGISM and not QUANTIFIERS.isdisjoint(telling) and _is_syllogism(asking):
        out.add("#syllogism")
    if not CODE_NAMES.isdisjoint(telling):
        out.add("#code_name")
    if not LANGUAGES.isdisjoint(telling) and _WORD_WANTED.search(asking):
        out.add("#word_wanted")


def _is_syllogism(lower: str) -> bool:
    """Tell whether one class is said to lie in another, whatever they are, and both come up again: `all A are B`."""
    return any(
        all(term not in STOP_WORDS and lower.count(term.removesuffix("s")) > 1 for term in premise)
        for premise in _PREMISE.findall(lower)
    )


def _shape(out: set[str], text: str, lower: str, count: int) -> None:
    """Length, lines and punctuation."""
    out.add(_LENGTHS[count.bit_length()])
    if '"' in text or "“" in text:
        out.add("#quote")
    if not text.isascii():
        out.add("#foreign")
        _foreign(out, lower[:FOREIGN_CHARS])
    if _MARKED.search(lower) or ".py" in lower:
        _marks(out, text, lower)
    lined = "\n" in lower
    if lower.startswith(("def ", "import ", "from ", "class ")) or (lined and _CODE_LINE.search(lower)):
        out.add("#code")
    if lined and "\n" in lower.strip():
        out.add("#lines")
        if len(_OPTION.findall(text)) > 1:
            out.add("#options")
    elif count >= LISTED and "?" not in text and "." not in text and text.count(",") >= count - 2:
        out.add("#bare_list")
    if questions := text.count("?"):
        out.add(_ASKED[min(MOST_QUESTIONS, questions)])
        if lower.rstrip().endswith("?"):
            out.add("#ends?")


def _foreign(out: set[str], opening: str) -> None:
    """The beginnings of words in other scripts, and pairs of letters where no space parts the words."""
    out.update([word for run in _FOREIGN.findall(opening) for word in (run[:2], run[:4])])
    out.update([first + second for run in _UNSPACED.findall(opening) for first, second in pairwise(run)])


def _marks(out: set[str], text: str, lower: str) -> None:
    out.update([sign for mark, sign in _MARKS if mark in text])
    if "```" in lower:
        out.add("#code")
    if ("\\" in text or "$" in text) and _LATEX.search(text):
        out.add("#latex")
    marks = len([mark for mark in _CODE_MARKS if mark in lower])
    if marks:
        out.add(f"#marks{min(MOST_MARKS, marks)}")


def _numbers(out: set[str], lower: str, found: list[str]) -> None:
    out.add(f"#numbers{min(MOST_NUMBERS, found.count('0').bit_length())}")
    if _ARITHMETIC.search(lower):
        out.add("#arithmetic")
