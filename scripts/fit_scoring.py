#!/usr/bin/env python3
"""Fit what scoring ships: the weights of `equivalence.json` and the parameters of `calibration.json`.

    fit_scoring.py equivalence PAIRS.jsonl[.gz] [--write]
    fit_scoring.py confidence OUTCOMES.jsonl[.gz]... [--name calibrated-2] [--write]

A pair is `{"question", "a", "b", "same", "kind"}`; outcomes come from `recorded_outcomes.py`. Every figure printed
is out of sample: folds never split a question, and a set that is left out has not been seen at all.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import prysm.scoring
from prysm.scoring import answers, similarity
from prysm.scoring.equivalence import LINK
from prysm.scoring.fitting import cross_fitted, fit_parameters, read_outcomes
from prysm.scoring.likeness import FEATURES, features
from prysm.scoring.logistic import fit
from prysm.scoring.reliability import auroc, reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.scoring.fitting import Outcome

HERE = Path(prysm.scoring.__file__).parent
FOLDS = 5
MANY = 5_000


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines, gzipped or not."""
    stored = path.read_bytes()
    text = (gzip.decompress(stored) if path.suffix == ".gz" else stored).decode()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def fold_of(key: str) -> int:
    """Return the fold of a question."""
    return sha256(key.encode()).digest()[0] % FOLDS


def fit_equivalence(path: Path, *, write: bool) -> None:
    """Fit the likeness of two answers, over all kinds of pairs, and say how well it tells what is the same."""
    pairs = rows_of(path)
    prepared = [answers([pair["a"], pair["b"]], pair["question"]) for pair in pairs]
    values = [features(a.wording, b.wording) for a, b in prepared]
    same = [bool(pair["same"]) for pair in pairs]
    folds = [fold_of(pair["question"].casefold()) for pair in pairs]
    kinds = [str(pair["kind"]) for pair in pairs]
    unseen = _predicted(values, same, folds)
    other = _predicted(values, same, kinds)
    steps = [step / 100 for step in range(35, 61)]
    cut = max(steps, key=lambda step: sum(_accuracy(kind, kinds, unseen, same, step) for kind in set(kinds)))
    if write:
        stored = {"version": 1, "threshold": cut, "model": fit(FEATURES, values, same).to_json()}
        (HERE / "equivalence.json").write_text(json.dumps(stored, indent=1) + "\n")
    tiers = [similarity(a, b, likely=lambda *_, p=p: p) for (a, b), p in zip(prepared, unseen, strict=True)]
    for kind in sorted(set(kinds)):
        for name, scores, at in (
            ("model alone", unseen, cut),
            ("all tiers", tiers, LINK),
            ("other kind", other, cut),
        ):
            ranked = auroc([(p, right) for p, right, own in zip(scores, same, kinds, strict=True) if own == kind])
            say(f"{kind:16} {name:12} AUROC {ranked:.4f}  accuracy {_accuracy(kind, kinds, scores, same, at):.4f}")
    say(f"threshold {cut}; {len(pairs)} pairs, {FOLDS} folds by question; `other kind`: fitted on that alone")


def _predicted(values: Sequence[Sequence[float]], same: Sequence[bool], parts: Sequence[object]) -> list[float]:
    """Return P(same) of each pair by a model that has not seen its part."""
    models = {}
    for part in set(parts):
        seen = [i for i, other in enumerate(parts) if other != part]
        models[part] = fit(FEATURES, [values[i] for i in seen], [same[i] for i in seen])
    return [
        models[part].probability(dict(zip(FEATURES, row, strict=True)))
        for row, part in zip(values, parts, strict=True)
    ]


def _accuracy(kind: str, kinds: Sequence[str], scores: Sequence[float], same: Sequence[bool], cut: float) -> float:
    hits = [(p >= cut) is right for p, right, own in zip(scores, same, kinds, strict=True) if own == kind]
    return sum(hits) / len(hits)


def fit_confidence(paths: Sequence[Path], name: str, *, write: bool) -> None:
    """Fit the parameters of a calibrated confidence and say how well they hold."""
    outcomes = [outcome for path in paths for outcome in read_outcomes(path)]
    parameters = fit_parameters(outcomes, name)
    if write:
        (HERE / "calibration.json").write_text(json.dumps(parameters.to_json(), indent=1) + "\n")
    classes = (f"{found} ({', '.join(models)})" for found, models in parameters.classes.items())
    say(f"{len(outcomes)} outcomes; {'; '.join(classes)}")
    say("\nFolds by prompt")
    report(cross_fitted(outcomes))
    say("\nSets left out: a class that others have is fitted on them, another is assessed as an average one")
    report(cross_fitted(outcomes, held_out=lambda outcome: outcome.set.split("/")[0]))
    sampled = [outcome for outcome in outcomes if "/5 samples/" in outcome.set and "/pool/" in outcome.set]
    say("\nVotes of one model: their raw share; fitted on other models; and on other models and other prompts")
    report([(row, row.evidence.features["share"], "share") for row in sampled if _is_vote(row)])
    by_set = defaultdict(list)
    for outcome in sampled:
        by_set[outcome.set.split("/")[0]].append(outcome)
    for rows in by_set.values():
        if len({row.set for row in rows}) > 1:
            report(cross_fitted(rows, held_out=lambda outcome: outcome.set))
            report(_apart(rows))


def _apart(outcomes: Sequence[Outcome]) -> list[tuple[Outcome, float, str]]:
    """Assess each outcome by parameters that saw neither its model nor its prompts."""
    assessed = []
    for model in sorted({outcome.set for outcome in outcomes}):
        for fold in range(FOLDS):
            held = [o for o in outcomes if o.set == model and fold_of(o.group) == fold]
            parameters = fit_parameters(
                (o for o in outcomes if o.set != model and fold_of(o.group) != fold), "apart"
            )
            assessed += [(o, *known) for o in held if (known := parameters.assess(o.evidence))]
    return assessed


def report(assessed: Sequence[tuple[Outcome, float, str]]) -> None:
    """Print discrimination and calibration by set, pool and situation, with bootstrap intervals over prompts."""
    sets: defaultdict[str, list[tuple[float, bool, str]]] = defaultdict(list)
    for outcome, p, method in assessed:
        place, kind, label, *_ = outcome.set.split("/")
        row = (p, outcome.correct, outcome.group)
        sets[f"{place} {kind} {label}"].append(row)
        if label == "escalated" or (label == "pair" and _is_agreed(outcome)):
            sets[f"{place} {kind} cascade"].append(row)
        if "uncalibrated" in method:
            sets[f"{place} {kind} {label} (uncalibrated)"].append(row)
    for label, rows in sorted(sets.items()):
        if "random" not in label:
            _say_reliability(label, rows)


def _is_vote(outcome: Outcome) -> bool:
    return outcome.evidence.situation == "samples"


def _is_agreed(outcome: Outcome) -> bool:
    return outcome.evidence.situation == "panel" and not outcome.evidence.features.get("dissenting")


def _say_reliability(label: str, rows: Sequence[tuple[float, bool, str]]) -> None:
    found = reliability(rows, draws=100 if len(rows) < MANY else 20)
    rank, (low, high) = found.auroc or 0.0, found.auroc_ci95 or (0.0, 0.0)
    say(
        f"{label:40} n {found.n:6}  right {found.accuracy:.3f}  said {found.confidence:.3f}  AUROC {rank:.3f} "
        f"[{low:.3f}, {high:.3f}]  ECE {found.ece:.3f} [{found.ece_ci95[0]:.3f}, {found.ece_ci95[1]:.3f}]"
    )


def main() -> None:
    """Fit one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("equivalence").add_argument("data", type=Path)
    confidence = commands.add_parser("confidence")
    confidence.add_argument("data", type=Path, nargs="+")
    confidence.add_argument("--name", default="calibrated-2")
    for command in commands.choices.values():
        command.add_argument("--write", action="store_true", help="replace the file that scoring ships")
    given = parser.parse_args()
    if given.command == "equivalence":
        fit_equivalence(given.data, write=given.write)
    else:
        fit_confidence(given.data, given.name, write=given.write)


if __name__ == "__main__":
    main()
