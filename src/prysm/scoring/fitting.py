"""Fitting the parameters of `calibration` to a file of outcomes, and saying how well they hold.

The file has one JSON object a line: `{"situation", "task_class", "features", "correct"}` as in `Evidence`, and
optionally `group` (rows of one prompt share it, and are never split between fitting and testing), `set` (what the
row is reported under) and `weight` (how much it counts; a row of weight 0 is reported but not fitted).
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from prysm.errors import InvalidRequest
from prysm.scoring.calibration import SITUATIONS, Evidence, Parameters, lineage
from prysm.scoring.evidence import ANSWER_FEATURES, FORM_FEATURES, PRIOR_FEATURES, SIGNS, VOTE_FEATURES
from prysm.scoring.logistic import Model, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from prysm.scoring.calibration import Situation

FOLDS = 5
LEAST_GROUPS, LEAST_OF_EACH = 80, 15
"""Prompts, and right and wrong answers, below which a class has no parameters of its own."""
EDGE = 0.005
"""Part of the outcomes beyond each bound of a feature: what is so rare is not extrapolated from."""
RIDGE = 2.0
"""Strength of the prior for no effect, in outcomes."""
SAMPLED = frozenset(("length", "prompt_length", "share", "agreeing", "dissenting", "rivals"))
"""What counts of the form and the vote where one model is sampled. Such a vote is wrong on few prompts, the same ones
for every model and every group of samples: with more weights it is these prompts that are learnt."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer whose correctness is known."""

    evidence: Evidence
    correct: bool
    group: str
    set: str
    weight: float = 1.0


def read_outcomes(path: Path) -> list[Outcome]:
    """Read outcomes from a JSON Lines file, gzipped or not; raises `InvalidRequest` naming the first bad line.

    Lines whose `features` are null, judgements of answers without evidence, are passed over.
    """
    stored = path.read_bytes()
    text = (gzip.decompress(stored) if path.suffix == ".gz" else stored).decode()
    read = (_outcome(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    return [outcome for outcome in read if outcome is not None]


def _outcome(line: str, number: int) -> Outcome | None:
    try:
        row: dict[str, Any] = json.loads(line)
        if row["features"] is None:
            return None
        situation, correct = row["situation"], row["correct"]
        if situation not in SITUATIONS or not isinstance(correct, bool):
            raise ValueError  # noqa: TRY301 - one place says what a line must hold
        features = {str(name): float(value) for name, value in row["features"].items()}
        evidence = Evidence(situation, str(row["task_class"]), features)
        group = str(row.get("group", number))
        return Outcome(evidence, correct, group, str(row.get("set", "all")), float(row.get("weight", 1.0)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(
            f"line {number} is no outcome: write situation ({', '.join(SITUATIONS)}), task_class, features "
            "(an object of numbers) and correct (true or false)"
        ) from error


def written(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as a line of the file."""
    evidence = outcome.evidence
    return {
        "situation": evidence.situation,
        "task_class": evidence.task_class,
        "features": {name: round(value, 5) for name, value in evidence.features.items() if value},
        "correct": outcome.correct,
        "group": outcome.group,
        "set": outcome.set,
        "weight": outcome.weight,
    }


def fit_parameters(outcomes: Iterable[Outcome], name: str) -> Parameters:
    """Fit each class and situation that has enough outcomes, and for the others each situation over all classes.

    Answers to one prompt are much alike: together they weigh as much as there are prompts. What stands in for other
    classes goes without `FORM_FEATURES`, whose meaning changes from class to class, and counts each class alike.
    """
    rows: dict[Situation, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for outcome in outcomes:
        for found in lineage(outcome.evidence.task_class) if outcome.weight > 0 else ():
            rows[outcome.evidence.situation][found].append(outcome)
    classes: dict[str, dict[Situation, Model]] = defaultdict(dict)
    default: dict[Situation, Model] = {}
    for situation, by_class in rows.items():
        enough = {found: own for found, own in by_class.items() if _enough(own)}
        for found, own in enough.items():
            classes[found][situation] = _fitted(
                own, [row.weight for row in own], _features(situation, FORM_FEATURES)
            )
        roots = [own for found, own in enough.items() if len(lineage(found)) == 1]
        pooled = [row for own in roots for row in own]
        if pooled:
            counts = [row.weight / _weight(own) for own in roots for row in own]
            default[situation] = _fitted(pooled, counts, _features(situation))
    return Parameters(name, dict(classes), default)


def cross_fitted(
    outcomes: Sequence[Outcome], *, held_out: Callable[[Outcome], str] | None = None
) -> list[tuple[Outcome, float, str]]:
    """Assess each outcome of weight > 0 by parameters that have not seen its group: probability and method.

    With `held_out`, the rows that share its value are left out together (a whole set, say) instead of a fold.
    """
    part = held_out or _fold
    assessed = []
    for left_out in sorted({part(outcome) for outcome in outcomes}):
        parameters = fit_parameters((row for row in outcomes if part(row) != left_out), "cross-fitted")
        for outcome in outcomes:
            known = parameters.assess(outcome.evidence) if part(outcome) == left_out else None
            if known is not None:
                assessed.append((outcome, *known))
    return assessed


def _fold(outcome: Outcome) -> str:
    return str(sha256(outcome.group.encode()).digest()[0] % FOLDS)


def _enough(rows: Sequence[Outcome]) -> bool:
    right = sum(1 for row in rows if row.correct)
    return len({row.group for row in rows}) >= LEAST_GROUPS and min(right, len(rows) - right) >= LEAST_OF_EACH


def _weight(rows: Sequence[Outcome]) -> float:
    return sum(row.weight for row in rows)


def _features(situation: Situation, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what counts in a situation; among several models the winner's tier tells of the pool, not of it."""
    votes = () if situation == "single" else VOTE_FEATURES
    priors = [name for name in PRIOR_FEATURES if name != "tier" or situation in {"single", "samples"}]
    around = [name for name in (*more, *votes) if situation != "samples" or name in SAMPLED]
    return (*priors, *ANSWER_FEATURES, *around)


def _fitted(rows: Sequence[Outcome], counts: Sequence[float], names: Sequence[str]) -> Model:
    columns = [[row.evidence.features.get(name, 0.0) for row in rows] for name in names]
    bounds = {name: _bounds(column) for name, column in zip(names, columns, strict=True)}
    edged = [
        [min(high, max(low, value)) if value else 0.0 for value in column]
        for column, (low, high) in zip(columns, bounds.values(), strict=True)
    ]
    prompts = len({(row.set.split("/")[0], row.group) for row in rows}) / sum(counts)
    scaled, right = [count * prompts for count in counts], [row.correct for row in rows]
    model = fit(names, list(zip(*edged, strict=True)), right, weights=scaled, ridge=RIDGE, signs=SIGNS)
    return Model(model.bias, model.weights, bounds)


def _bounds(column: Sequence[float]) -> tuple[float, float]:
    """Return the edges of what was seen beside 0, without the rarest values."""
    ordered = sorted(value for value in column if value)
    cut = int(EDGE * len(ordered))
    return (ordered[cut], ordered[-1 - cut]) if ordered else (0.0, 0.0)
