"""How likely two texts give the same answer to one question: a logistic regression over what they share.

The words of the question count for nothing, since both answers repeat them; dropping them is what makes the rest
tell. The weights are fitted on pairs that people labelled and versioned in `equivalence.json`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

from prysm.scoring.logistic import Model
from prysm.scoring.notation import tokens
from prysm.scoring.numbers import NUMBER_WORDS, exact

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from prysm.scoring.question import Question

FEATURES = (
    "spelling",  # mean, over the new words of the shorter, of the best bigram Dice with a word of the longer
    "longest",  # the same for the longest of them alone
    "trigrams",  # Jaccard of the character trigrams of the new words
    "trigrams_within",  # part of the smaller set of them that stands in the other
    "beginnings",  # part of the shorter's new words whose first four letters begin a new word of the longer
    "phrases",  # part of the shorter's pairs of new words that stand side by side in the longer; 1/2 without any
    "opening",  # part of the shorter's new words that stand in the longer's first sentence
    "words_within",  # part of the fewer new words that stand in the other
    "names",  # Jaccard of the names
    "other_names",  # both name something, nothing in common
    "other_years",  # both give a year, none in common
    "numbers_within",  # the shorter's numbers all stand in the longer
    "other_numbers",  # both hold numbers, none in common
    "more_numbers",  # the longer holds numbers, the shorter none
    "negated",  # one negation more or less
    "evasive",  # one declines to answer
    "other_script",  # one is written in another script than Latin, so that no letter can be shared
)
MAX_WORDS = 80
"""Words of a long text that are compared, from both ends; the fitted pairs have at most 300."""
ALIKE_FROM = 4
SPELLED_WORDS = 12
KEPT_WORDS = 8_192
NOTHING_TO_PAIR = 0.5

FUNCTION_WORDS = frozenset(
    """
    the a an of is and in to was are that it for with on by as at from or be this which were has have had his her he
    she they its their also been but who what when where how i'm i you your my we our am do does did can could would
    will there than into about after before over most more other some these those such if so out up first not no
    """.split()  # noqa: SIM905 - words read as text
)
_YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"\b[A-Z][\w'’-]+")
_BEYOND_LATIN = re.compile(r"[^\W\d_a-zÀ-ɏ]")
_SENTENCE_END = re.compile(r"[.!?\n](?:\s|$)")
_EVADES = re.compile(
    r"i'm sorry|i am sorry|i (?:don't|do not) (?:know|have)|as an ai|could(?: not|n't) find|"
    r"cannot (?:find|answer|provide|determine)|not (?:sure|enough|clear|able)|unable to|"
    r"no (?:information|official|specific)|unclear|more information|please provide|not possible|"
    r"there (?:is|was) no "
)


@dataclass(frozen=True, slots=True)
class Wording:
    """What of a text is compared: `new` are the words that the question did not bring, once each, `plain` all."""

    new: tuple[str, ...]
    words: frozenset[str]
    plain: Sequence[str]
    every: frozenset[str]
    initials: Mapping[str, tuple[str, ...]]
    opening: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    trigrams: frozenset[str]
    beginnings: frozenset[str]
    numbers: frozenset[str]
    years: frozenset[str]
    names: frozenset[str]
    negations: int
    evades: bool
    foreign: bool


def wording(text: str, lower: str, plain: Sequence[str], question: Question, *, negations: int) -> Wording:
    """Read a text once for all its comparisons; `lower` is it folded, `plain` are the words of that."""
    ends = plain if len(plain) <= MAX_WORDS else (*plain[: MAX_WORDS // 2], *plain[-MAX_WORDS // 2 :])
    words = [word.removesuffix("'s") for word in ends]
    content = [word for word in words if word not in FUNCTION_WORDS]
    news = [word for word in content if word not in question.words]
    new = tuple(dict.fromkeys(news or content or words or ["?"]))
    every = frozenset(words)
    written = frozenset(_NUMBER.findall(lower))
    numbers = {exact(number) or number for number in written} | {
        number for word in words if word in NUMBER_WORDS and (number := exact(word))
    }
    return Wording(
        new=new,
        words=frozenset(new),
        plain=plain,
        every=every,
        initials=_initials(every),
        opening=frozenset(tokens(_SENTENCE_END.split(lower, maxsplit=1)[0])),
        pairs=frozenset(pairwise(words)),
        trigrams=grams(" ".join(new), 3),
        beginnings=frozenset(word[:ALIKE_FROM] for word in new),
        numbers=frozenset(numbers) - question.words,
        years=frozenset(year for year in written if _YEAR.fullmatch(year)) - question.words,
        names=frozenset(map(str.lower, _NAME.findall(text))) - question.words - FUNCTION_WORDS,
        negations=negations,
        evades=_EVADES.search(lower) is not None,
        foreign=not lower.isascii() and 2 * len(_BEYOND_LATIN.findall(lower)) > len(lower),
    )


def features(a: Wording, b: Wording) -> tuple[float, ...]:
    """Return the values of `FEATURES` for two texts; the same whichever comes first."""
    short, long = (b, a) if _size(a) > _size(b) else (a, b)
    paired = list(pairwise(short.new))
    return (
        *_spelling(short, long),
        *_overlap(short.trigrams, long.trigrams),
        _part([word[:ALIKE_FROM] for word in short.new], long.beginnings),
        _part(paired, long.pairs) if paired else NOTHING_TO_PAIR,
        _part(short.new, long.opening),
        _overlap(short.words, long.words)[1],
        jaccard(short.names, long.names),
        _apart(short.names, long.names),
        _apart(short.years, long.years),
        float(bool(short.numbers) and short.numbers <= long.numbers),
        _apart(short.numbers, long.numbers),
        float(bool(long.numbers) and not short.numbers),
        float(short.negations % 2 != long.negations % 2),
        float(short.evades != long.evades),
        float(short.foreign != long.foreign),
    )


def likelihood(a: Wording, b: Wording) -> float:
    """Return P(same answer), 0–1, symmetric."""
    return _fitted()[0].probability(dict(zip(FEATURES, features(a, b), strict=True)))


def threshold() -> float:
    """Return the likelihood from which two answers count as the same."""
    return _fitted()[1]


@cache
def _fitted() -> tuple[Model, float]:
    """Load the fitted weights."""
    stored = json.loads(files("prysm.scoring").joinpath("equivalence.json").read_text())
    return Model.from_json(stored["model"]), float(stored["threshold"])


def grams(text: str, n: int) -> frozenset[str]:
    """Return the character n-grams of a text, its borders included."""
    padded = f" {text} "
    return frozenset(padded[i : i + n] for i in range(len(padded) - n + 1))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the part of all members that both sets have; 0 for two empty ones."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0


def _overlap(a: frozenset[str], b: frozenset[str]) -> tuple[float, float]:
    """Return the Jaccard index of two sets, and the part of the smaller one that stands in the other."""
    shared = len(a & b)
    return (shared / (len(a) + len(b) - shared), shared / min(len(a), len(b))) if shared else (0.0, 0.0)


def _initials(words: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for word in words:
        found[word[0]].append(word)
    return {letter: tuple(alike) for letter, alike in found.items()}


def _size(wording: Wording) -> tuple[int, int, tuple[str, ...], Sequence[str]]:
    return len(wording.new), len(wording.plain), wording.new, wording.plain


def _spelling(of: Wording, among: Wording) -> tuple[float, float]:
    """Return how well the words of one text are found in another: their mean, and the longest of them."""
    words = of.new[:SPELLED_WORDS]
    found = [_closest(word, among) for word in words]
    return sum(found) / len(found), max(zip(map(len, words), found, strict=True))[1]


def _closest(word: str, long: Wording) -> float:
    """Return the best bigram Dice of a word with those of a text that begin with the same letter."""
    if word in long.every:
        return 1.0
    own, best = _bigrams(word), 0.0
    for other in long.initials.get(word[0], ()):
        gram = _bigrams(other)
        best = max(best, 2 * len(own & gram) / (len(own) + len(gram)))
    return best


@lru_cache(maxsize=KEPT_WORDS)
def _bigrams(word: str) -> frozenset[str]:
    return grams(word, 2)


def _part(members: Collection[object], of: Collection[object]) -> float:
    return sum(1 for member in members if member in of) / len(members)


def _apart(a: frozenset[str], b: frozenset[str]) -> float:
    return float(bool(a) and bool(b) and a.isdisjoint(b))
