"""Fit the cascade's gate (`strategies/gate.json`) to recorded outcomes.

`python -m prysm.replay.fit_gate --set FILE=M1,…,MN … --out gate.json` – each set with its pool, cheap to strong.

A pool of two cheap models differs on too few rows to fit much, so models that are about as good stand in for its
own in `POOLS` further pools; its own rows count `OWN` times. What is fitted is keyed by the class of the task,
never by the data set.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prysm.classify import classify
from prysm.core.chat import Completion
from prysm.core.model import Model
from prysm.core.run import Candidate
from prysm.replay.pool import family
from prysm.replay.recording import PROVIDER, read
from prysm.scoring import answers, same
from prysm.scoring.logistic import Model as Logistic
from prysm.scoring.logistic import fit as fit_logistic
from prysm.scoring.logistic import logit
from prysm.strategies.gate import OTHER, kind
from prysm.strategies.record import DOUBT
from prysm.strategies.signs import of_answer, of_prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prysm.replay.recording import Row
    from prysm.scoring import Answer

VERSION = "gate-v1"
POOLS, OWN = 30, 3
NEAR, NEAR_STRONG = 0.10, 0.06
WEAKER, WEAKEST = 0.01, 0.35
"""How much weaker than the strong model the authors are whose answers teach what a right one looks like."""
RIDGE = 0.03
"""Penalty, in shares of the observations."""
MOST_ROWS = 8_000
LEAST_ROWS = 150
"""Rows a class needs to be fitted on its own."""
SURE, ALONE = 0.93, 0.2
SIGNS = [
    "length",
    "lines",
    "no_answer",
    "ends_in_it",
    "sums",
    "wrong_sum",
    "hedges",
    "answer_length",
    "whole_number",
    "size",
    "prompt_words",
    "prompt_numbers",
    "prompt_notation",
    "plain_words",
]
DIFFERENCE = ("trust", "lead", "length")
_STANDING, _PLAIN = "standing", "plain_words"


@dataclass(slots=True)
class Seen:
    """A row, read once: its class, and for each model the answer, its signs and whether it is right."""

    kind: str
    answers: dict[str, Answer]
    signs: dict[str, Mapping[str, float]]
    correct: dict[str, bool]
    alike: dict[tuple[str, str], bool] = field(default_factory=dict)

    def same(self, one: str, other: str) -> bool:
        """Whether two models say the same."""
        key = (min(one, other), max(one, other))
        if key not in self.alike:
            self.alike[key] = same(self.answers[one], self.answers[other])
        return self.alike[key]


@dataclass(slots=True)
class Set:
    """A recorded set with its pool, two cheap models and a strong one."""

    pool: tuple[str, str, str]
    rows: list[Seen]

    def accuracy(self) -> dict[str, float]:
        """The share of right answers of each model, kept off 0 and 1."""
        right: defaultdict[str, list[bool]] = defaultdict(list)
        for row in self.rows:
            for model, correct in row.correct.items():
                right[model].append(correct)
        return {model: (sum(own) + 1) / (len(own) + 2) for model, own in right.items()}


def look(rows: Iterable[Row], pool: Sequence[str]) -> Set:
    """Read every answer once."""
    return Set((pool[0], pool[1], pool[-1]), [_seen(row) for row in rows])


def _seen(row: Row) -> Seen:
    candidates = {name: _candidate(row, name) for name in row.answers}
    read_answers = answers([candidate.text for candidate in candidates.values()], row.prompt)
    found = dict(zip(candidates, read_answers, strict=True))
    about = of_prompt(row.prompt)
    return Seen(
        kind=kind(classify(row.messages), row.prompt),
        answers=found,
        signs={name: about | of_answer(candidates[name], answer.extracted) for name, answer in found.items()},
        correct={name: samples[0].correct for name, samples in row.answers.items()},
    )


def _candidate(row: Row, name: str) -> Candidate:
    recorded = row.answers[name][0]
    model = Model(name, PROVIDER, name, name, family(name), "small")
    return Candidate(0, model, Completion(recorded.text, "stop", recorded.usage))


def fit(sets: Sequence[Set], seed: int = 0) -> dict[str, Any]:
    """Fit the trust of every class with rows enough, and of `other` on all rows; then one gain for all classes."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable draw, no secret
    kinds = sorted({row.kind for one in sets for row in one.rows} - {OTHER})
    parts = {name: _part(sets, name) for name in kinds}
    parts = {name: part for name, part in parts.items() if sum(len(one.rows) for one in part) >= LEAST_ROWS}
    trusts = {name: _trust(part, rng) for name, part in parts.items()} | {OTHER: _trust(sets, rng)}
    gain = _gain(sets, trusts, rng)
    classes = {name: trusts[name].to_json() | _usual(part, trusts[name]) for name, part in parts.items()}
    classes[OTHER] = trusts[OTHER].to_json() | _usual(sets, trusts[OTHER])
    return {"version": VERSION, "gain": gain, "classes": classes}


def _part(sets: Sequence[Set], kind_: str) -> list[Set]:
    """The rows of one class."""
    parts = [Set(one.pool, [row for row in one.rows if row.kind == kind_]) for one in sets]
    return [part for part in parts if part.rows]


def _gain(sets: Sequence[Set], trusts: Mapping[str, Logistic], rng: random.Random) -> dict[str, Any]:
    """P(correct) of the better of two cheap answers that differ, and of the strong model's."""
    values: list[tuple[float, ...]] = []
    cheap: list[bool] = []
    strong: list[bool] = []
    for one in sets:
        for pool, times in _pools(one, rng):
            for difference, better, last in _differences(one, pool, trusts):
                values += [difference] * times
                cheap += [better] * times
                strong += [last] * times
    return {
        "cheap": _fitted(DIFFERENCE, values, cheap).to_json(),
        "strong": _fitted(DIFFERENCE, values, strong).to_json(),
    }


def _usual(sets: Sequence[Set], trust: Logistic) -> dict[str, Any]:
    """What is usual in a class: the length of an answer, how often two differ, whether one may stand alone."""
    rows = list(_pairs(sets))
    lengths = [exp((row.signs[a]["length"] + row.signs[b]["length"]) / 2) for row, a, b in rows]
    sure = [trust.probability(row.signs[a]) >= SURE for row, a, _ in rows]
    return {
        "length": round(log(sum(lengths) / len(lengths)), 4),
        "differ": round(1 - sum(row.same(a, b) for row, a, b in rows) / len(rows), 4),
        "alone": sum(sure) >= ALONE * len(rows),
        "rows": len(rows),
    }


def _trust(sets: Sequence[Set], rng: random.Random) -> Logistic:
    """Fit weights on the answers of many models, the standing of each among the authors of its set held apart."""
    rows, right = [], []
    for one in sets:
        accuracy = one.accuracy()
        limit = accuracy[one.pool[-1]]
        authors = {name for name, own in accuracy.items() if limit - WEAKEST <= own <= limit - WEAKER}
        usual = sum(logit(accuracy[name]) for name in authors) / max(1, len(authors))
        for row in one.rows:
            for name in sorted(authors & row.correct.keys()):
                rows.append((*(row.signs[name][sign] for sign in SIGNS), logit(accuracy[name]) - usual))
                right.append(row.correct[name])
    kept = rng.sample(range(len(rows)), min(MOST_ROWS, len(rows)))
    model = _fitted((*SIGNS, _STANDING), [rows[i] for i in kept], [right[i] for i in kept])
    weights = {sign: model.weights[sign] for sign in SIGNS}
    return _levelled(Logistic(0.0, weights), sets)


def _levelled(raw: Logistic, sets: Sequence[Set]) -> Logistic:
    """The same weights, their scale and level set by the outcomes of the pools' own cheap models."""
    rows, right = [], []
    for row, *pair in _pairs(sets):
        for name in pair:
            rows.append((raw.logit(row.signs[name]), row.signs[name][_PLAIN]))
            right.append(row.correct[name])
    level = fit_logistic(("raw", _PLAIN), rows, right)
    weights = {sign: weight * level.weights["raw"] for sign, weight in raw.weights.items()}
    weights[_PLAIN] += level.weights[_PLAIN]
    return Logistic(level.bias, weights)


def _pairs(sets: Sequence[Set]) -> Iterable[tuple[Seen, str, str]]:
    """Every row with the two cheap models of its pool."""
    return ((row, one.pool[0], one.pool[1]) for one in sets for row in one.rows)


def _pools(one: Set, rng: random.Random) -> list[tuple[tuple[str, str, str], int]]:
    """The set's own pool, and others whose models are about as good, with how often their rows count."""
    accuracy = one.accuracy()
    first, second, strong = one.pool
    limit = accuracy[strong] - 0.05

    def like(name: str, within: float, *, cheap: bool) -> list[str]:
        return [
            other
            for other, own in accuracy.items()
            if abs(own - accuracy[name]) <= within and (other == name or cheap == (own < limit))
        ]

    other = [
        (a, b, c)
        for a, b, c in product(
            like(first, NEAR, cheap=True), like(second, NEAR, cheap=True), like(strong, NEAR_STRONG, cheap=False)
        )
        if len({a, b, c}) == len(one.pool)
    ]
    return [(one.pool, OWN), *((pool, 1) for pool in rng.sample(other, min(POOLS, len(other))))]


def _differences(
    one: Set, pool: tuple[str, str, str], trusts: Mapping[str, Logistic]
) -> Iterable[tuple[tuple[float, float, float], bool, bool]]:
    """Rows on which the two cheap models differ, as the gate will see them: its values, and who is right."""
    a, b, strong = pool
    rows = [row for row in one.rows if all(name in row.correct for name in pool) and not row.same(a, b)]
    leads = {}
    for name in {row.kind for row in rows}:
        sided = [sum(row.same(model, strong) for row in rows if row.kind == name) for model in (a, b)]
        leads[name] = log((sided[0] + DOUBT) / (sided[1] + DOUBT))
    for row in rows:
        trust = trusts.get(row.kind, trusts[OTHER])
        first, second = trust.logit(row.signs[a]), trust.logit(row.signs[b])
        lead = leads[row.kind]
        ahead = first - second + lead
        better, own, given = (a, first, lead) if ahead >= 0 else (b, second, -lead)
        length = (row.signs[a]["length"] + row.signs[b]["length"]) / 2
        yield (own + given / 2, abs(ahead), length), row.correct[better], row.correct[strong]


def _fitted(names: Sequence[str], rows: Sequence[Sequence[float]], right: Sequence[bool]) -> Logistic:
    return fit_logistic(names, rows, right, ridge=RIDGE * len(rows))


def main() -> None:
    """Read the sets, fit, write."""
    parser = argparse.ArgumentParser(description="Fit the cascade's gate to recorded outcomes.")
    parser.add_argument("--set", action="append", required=True, metavar="FILE=M1,…,MN", dest="sets")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    sets = [look(read(Path(path)), pool.split(",")) for path, _, pool in (one.partition("=") for one in given.sets)]
    given.out.write_text(json.dumps(fit(sets), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
