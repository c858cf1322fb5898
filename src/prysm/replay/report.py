"""From played rows to the figures of a report. Only here is it known which answers were right."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from prysm.core.model import NANO_PER_USD
from prysm.replay import baselines
from prysm.replay.statistics import auroc, ece

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.core.model import Model
    from prysm.replay.play import Played
    from prysm.replay.recording import Row
    from prysm.replay.statistics import Bootstrap

DIGITS, COST_DIGITS = 4, 6
FIXED_SAMPLES = (5, 10, 40)
"""Votes of so many samples are what self_consistency is held against."""

Outcomes: TypeAlias = "Sequence[Played | None]"


@dataclass(frozen=True, slots=True)
class Reference:
    """What everything is held against, row by row: the strongest model alone, and the rules the pool is enough for."""

    strongest: Sequence[Played]
    rules: Mapping[str, Sequence[Played]]


class Figures:
    """Makes the figures of outcomes against one reference."""

    def __init__(self, reference: Reference, bootstrap: Bootstrap) -> None:
        self._reference = reference
        self._bootstrap = bootstrap

    def strategy(self, outcomes: Outcomes) -> dict[str, Any]:
        """All that is known of a strategy, over the rows that could be replayed."""
        at = [i for i, played in enumerate(outcomes) if played is not None]
        played = [one for one in outcomes if one is not None]
        return {
            **self.rule(played, at),
            **trust(played),
            "escalation_rate": _mean([one.escalated for one in played]),
            "not_replayable": len(outcomes) - len(played),
            "on_the_rest": self._elsewhere([i for i, one in enumerate(outcomes) if one is None]),
            "vs_agree2": self._against(played, at, self._reference.rules.get("agree2")),
            "vs_strongest": self._against(played, at, self._reference.strongest),
        }

    def rules(self) -> dict[str, dict[str, Any]]:
        """The figures of every rule of the reference, over all rows."""
        played = self._reference.rules.items()
        return {
            name: {**self.rule(one), "escalation_rate": _mean([row.escalated for row in one])}
            for name, one in played
        }

    def rule(self, played: Sequence[Played], at: Sequence[int] | None = None) -> dict[str, Any]:
        """Accuracy and cost; `at` are the rows, all when it is left out."""
        right = [int(one.correct) for one in played]
        strongest = self._reference.strongest
        alone = strongest if at is None else [strongest[i] for i in at]
        return {
            "rows": len(played),
            "accuracy": _mean(right),
            "accuracy_ci95": _interval(self._bootstrap.mean(right)),
            "cost_usd": _usd(played),
            "cost_ratio_to_strongest": _ratio(played, alone),
        }

    def _elsewhere(self, at: Sequence[int]) -> dict[str, Any] | None:
        """How the strongest model and the rules fare on the rows a strategy could not be replayed on."""
        if not at:
            return None
        known = {"strongest": self._reference.strongest, **self._reference.rules}
        return {"rows": len(at)} | {name: _mean([one[i].correct for i in at]) for name, one in known.items()}

    def _against(
        self, played: Sequence[Played], at: Sequence[int], other: Sequence[Played] | None
    ) -> dict[str, Any] | None:
        """The paired difference to `other` on the same rows."""
        if other is None:
            return None
        others = [other[i] for i in at]
        gains = [int(mine.correct) - int(their.correct) for mine, their in zip(played, others, strict=True)]
        costs, bases = _costs(played), _costs(others)
        interval = self._bootstrap.ratio(costs, bases) if costs and bases else None
        return {
            "accuracy_diff": _mean(gains),
            "accuracy_diff_ci95": _interval(self._bootstrap.mean(gains)),
            "cost_ratio": _ratio(played, others),
            "cost_ratio_ci95": _interval(interval),
        }


RULES: Mapping[str, tuple[Callable[[Row, Sequence[Model]], Played], int]] = MappingProxyType(
    {
        "agree2": (baselines.agree2, baselines.AGREE2_POOL),
        "majority3": (baselines.majority3, baselines.MAJORITY3_POOL),
        "oracle": (baselines.oracle, 1),
    }
)
"""The rules over a whole pool, and how many models each needs."""


def reference(rows: Sequence[Row], pool: Sequence[Model], named: Sequence[Model] = ()) -> Reference:
    """Play the references; `vote` is that of the `named` models, of the whole pool when none is named."""
    rules = {name: [play(row, pool) for row in rows] for name, (play, least) in RULES.items() if len(pool) >= least}
    panel = named or pool
    if len(panel) > 1:
        rules["vote"] = [baselines.vote(row, panel) for row in rows]
    return Reference([baselines.alone(row, pool[-1]) for row in rows], rules)


def baseline_figures(rows: Sequence[Row], pool: Sequence[Model], figures: Figures) -> dict[str, Any]:
    """The baselines; a rule the pool is too small for is None.

    `votes` are those of a model's first 5, 10 and 40 samples, as far as every row has them.
    """
    each = {model.id: figures.rule([baselines.alone(row, model) for row in rows]) for model in pool}
    best = max(each, key=lambda name: each[name]["accuracy"] or 0)
    return {
        "best_single": {"model": best, **each[best]},
        "each_model": each,
        **dict.fromkeys((*RULES, "vote")),
        **figures.rules(),
        "votes": {model.id: _votes(rows, model, figures) for model in pool},
    }


def _votes(rows: Sequence[Row], model: Model, figures: Figures) -> dict[str, Any]:
    """What a fixed number of samples decides, with no early stop."""
    recorded = min(len(row.answers[model.id]) for row in rows)
    voted = {n: [baselines.vote(row, [model] * n) for row in rows] for n in FIXED_SAMPLES if n <= recorded}
    return {str(n): {**figures.rule(played), **trust(played)} for n, played in voted.items()}


def trust(played: Sequence[Played]) -> dict[str, Any]:
    """Calls, and how well confidence and agreement told the right answers from the wrong ones."""
    trusted = [(one.confidence, one.correct) for one in played if one.confidence is not None]
    agreeing = [(one.agreement, one.correct) for one in played if one.agreement is not None]
    return {
        "calls_per_row": _mean([one.calls for one in played]),
        "mean_confidence": _mean([confidence for confidence, _ in trusted]),
        "auroc_confidence": _rounded(auroc([c for c, _ in trusted], [ok for _, ok in trusted])),
        "auroc_agreement": _rounded(auroc([a for a, _ in agreeing], [ok for _, ok in agreeing])),
        "ece": _rounded(ece([c for c, _ in trusted], [ok for _, ok in trusted])),
        "uncalibrated": _mean([one.uncalibrated for one in played]),
    }


def strategy_figures(played: Mapping[str, Outcomes], figures: Figures) -> dict[str, Any]:
    """The figures of every strategy that was replayed."""
    return {name: figures.strategy(outcomes) for name, outcomes in played.items()}


def _costs(played: Sequence[Played]) -> list[int] | None:
    costs = [one.cost_nano for one in played if one.cost_nano is not None]
    return costs if len(costs) == len(played) else None


def _usd(played: Sequence[Played]) -> float | None:
    costs = _costs(played)
    return None if costs is None else round(sum(costs) / NANO_PER_USD, COST_DIGITS)


def _ratio(played: Sequence[Played], others: Sequence[Played]) -> float | None:
    costs, bases = _costs(played), _costs(others)
    return None if not costs or not bases or not sum(bases) else round(sum(costs) / sum(bases), DIGITS)


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), DIGITS) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _interval(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(end, DIGITS) for end in interval]
