#!/usr/bin/env python3
"""Turn recorded answers into outcomes, with the code that scores answers in production.

    recorded_outcomes.py pool RECORDED.jsonl[.gz] --set NAME --models M1,M2,M3,STRONG --out OUTCOMES.jsonl.gz
    recorded_outcomes.py samples RECORDED.jsonl[.gz] --set NAME --tier strong --out OUTCOMES.jsonl.gz

A recorded row is as `prysm replay` reads it. Of a pool come each answer alone, the vote of the first two, of the
first three, and the last one's answer where the first two disagreed or both contradict it; of samples, votes in
disjoint groups.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prysm.classify import classify
from prysm.core.chat import Completion, Message, Usage
from prysm.core.model import TIERS, Model
from prysm.core.run import Candidate
from prysm.scoring import evidence_single, score_escalated, score_votes
from prysm.scoring.calibration import Parameters
from prysm.scoring.fitting import Outcome, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prysm.core.model import Tier
    from prysm.scoring.calibration import Evidence

    Voter = tuple[Candidate, bool]

FOLDS = 5
POOL_TIERS: tuple[Tier, ...] = ("small", "small", "mid", "strong")
POOL, KNOWN, RANDOM = 1.0, 0.1, 0.1
"""What rows count: of the named pool with the priors of its tiers; of it with measured ones; of a random pool."""
SIZES = (5, 3, 10)
FITTED_GROUPS = 2
"""Groups of samples of one prompt that are fitted on; of the first size the others are there to be reported."""
NOT_FITTED = Parameters("none", {}, {})


class Recording:
    """A recorded row whose answers can vote."""

    def __init__(self, row: dict[str, Any], name: str) -> None:
        self.prompt, self.group, self.name = str(row["prompt"]), str(row["id"]), name
        self.profile = classify([Message("user", self.prompt)])
        self.samples: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for answer in row["answers"]:
            self.samples[answer["model"]].append(answer)

    def voter(self, answer: dict[str, Any], tier: Tier, prior: float | None) -> Voter:
        """Make a candidate of a recorded answer; `prior` is what the catalog knows, if it does."""
        name, text = answer["model"], answer["text"]
        known = {} if prior is None else {"default": prior}
        model = Model(name, "recorded", name, name, name.split("-")[0].lower(), tier, quality=known)
        said = str(text if text is not None else answer["extracted"] or "")
        usage = Usage(completion_tokens=answer["completion_tokens"])
        return Candidate(0, model, Completion(said, "stop", usage)), bool(answer["correct"])

    def cascade(self, voters: Sequence[Voter], weight: float, label: str) -> Iterator[Outcome]:
        """Yield what a cascade over these models may return, and each of them alone."""
        for candidate, correct in voters:
            evidence = evidence_single(candidate, self.profile, self.prompt)
            yield self._outcome(evidence, weight, f"{label}/single", correct=correct)
        pair, apart = self._voted(voters[:2], weight, f"{label}/pair")
        yield pair
        yield self._voted(voters[:3], weight, f"{label}/three")[0]
        last = [*voters[:2], voters[-1]]
        if apart:
            yield self._escalated(last, weight, f"{label}/escalated")
        elif self._is_overruled(last):
            yield self._escalated(last, weight, f"{label}/overruled")

    def vote(self, voters: Sequence[Voter], weight: float, label: str) -> Outcome:
        """Return the outcome of a vote."""
        return self._voted(voters, weight, label)[0]

    def _voted(self, voters: Sequence[Voter], weight: float, label: str) -> tuple[Outcome, bool]:
        candidates = [candidate for candidate, _ in voters]
        ballot = score_votes(candidates, self.profile, self.prompt, calibration=NOT_FITTED)
        correct = next(correct for candidate, correct in voters if candidate is ballot.winner)
        outcome = self._outcome(ballot.evidence, weight, label, correct=correct)
        return outcome, len(ballot.score.clusters) != 1

    def _is_overruled(self, voters: Sequence[Voter]) -> bool:
        """Tell whether the last contradicts the others, who agree."""
        ballot = score_votes(
            [candidate for candidate, _ in voters], self.profile, self.prompt, calibration=NOT_FITTED
        )
        sizes = [len(found.members) for found in ballot.score.clusters if len(voters) - 1 not in found.members]
        return sizes == [len(voters) - 1]

    def _escalated(self, voters: Sequence[Voter], weight: float, label: str) -> Outcome:
        candidates, last = [candidate for candidate, _ in voters], len(voters) - 1
        ballot = score_votes(candidates, self.profile, self.prompt, calibration=NOT_FITTED)
        scored = score_escalated(last, candidates, ballot, self.profile, self.prompt, calibration=NOT_FITTED)
        return self._outcome(scored.evidence, weight, label, correct=voters[last][1])

    def _outcome(self, evidence: Evidence, weight: float, label: str, *, correct: bool) -> Outcome:
        return Outcome(evidence, correct, self.group, f"{self.name}/{label}", weight)


class Measured:
    """How often each model is right, on the rows outside a fold: a prior that a catalog may have learnt."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._right: defaultdict[tuple[str, int], list[bool]] = defaultdict(list)
        for row in rows:
            for answer in row["answers"]:
                self._right[answer["model"], _fold(str(row["id"]))].append(bool(answer["correct"]))

    def prior(self, model: str, group: str | None = None) -> float:
        """Return P(right), by Laplace's rule, without the fold of `group`."""
        left_out = None if group is None else _fold(group)
        found = [one for fold in range(FOLDS) if fold != left_out for one in self._right[model, fold]]
        return (sum(found) + 1) / (len(found) + 2)


def of_pool(rows: Sequence[dict[str, Any]], name: str, pool: Sequence[str]) -> Iterator[Outcome]:
    """Yield the outcomes of a named pool, and of one random pool a row."""
    measured = Measured(rows)
    models = sorted({answer["model"] for row in rows for answer in row["answers"]}, key=measured.prior)
    tiers = {model: TIERS[len(TIERS) * at // len(models)] for at, model in enumerate(models)}
    rng = random.Random(0)  # noqa: S311 - a draw of pools, no secret
    for row in rows:
        heard = Recording(row, name)
        first = {model: samples[0] for model, samples in heard.samples.items()}
        priors = {model: measured.prior(model, heard.group) for model in first}
        if all(model in first for model in pool):
            named = list(zip(pool, POOL_TIERS, strict=True))
            yield from heard.cascade([heard.voter(first[m], tier, None) for m, tier in named], POOL, "pool")
            yield from heard.cascade([heard.voter(first[m], tier, priors[m]) for m, tier in named], KNOWN, "known")
        drawn = sorted(rng.sample(sorted(first), len(POOL_TIERS)), key=models.index)
        yield from heard.cascade([heard.voter(first[m], tiers[m], priors[m]) for m in drawn], RANDOM, "random")


def of_samples(rows: Sequence[dict[str, Any]], name: str, tier: Tier) -> Iterator[Outcome]:
    """Yield votes of each model's samples in disjoint groups; rows whose gold answer is in doubt are left out."""
    measured = Measured(rows)
    for row in rows:
        if row.get("gold_suspect"):
            continue
        heard = Recording(row, name)
        for model, samples in heard.samples.items():
            prior = measured.prior(model, heard.group)
            for size in SIZES:
                groups = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
                for at, group in enumerate(groups if size == SIZES[0] else groups[:FITTED_GROUPS]):
                    fitted = at < FITTED_GROUPS
                    voters = [heard.voter(one, tier, None) for one in group]
                    yield heard.vote(voters, POOL * fitted, f"pool/{size} samples/{model}")
                    if fitted and size == SIZES[0]:
                        voters = [heard.voter(one, tier, prior) for one in group]
                        yield heard.vote(voters, KNOWN, f"known/{size} samples/{model}")


def _fold(group: str) -> int:
    return sha256(group.encode()).digest()[0] % FOLDS


def main() -> None:
    """Read a recording, write its outcomes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("pool").add_argument("--models", required=True)
    commands.add_parser("samples").add_argument("--tier", default="strong", choices=TIERS)
    for command in commands.choices.values():
        command.add_argument("data", type=Path)
        command.add_argument("--set", required=True)
        command.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    stored = given.data.read_bytes()
    text = (gzip.decompress(stored) if given.data.suffix == ".gz" else stored).decode()
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    if given.command == "pool":
        outcomes = of_pool(rows, given.set, given.models.split(","))
    else:
        outcomes = of_samples(rows, given.set, given.tier)
    lines = [json.dumps(written(outcome)) for outcome in outcomes]
    given.out.write_bytes(gzip.compress("\n".join(lines).encode()))
    sys.stdout.write(f"{len(lines)} outcomes in {given.out.name}\n")


if __name__ == "__main__":
    main()
