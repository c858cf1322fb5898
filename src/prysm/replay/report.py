"""From played rows to the figures of a report. Only here is it known which answers were right."""

from __future__ import annotations

from dataclasses import dataclass
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

Outcomes: TypeAlias = "Sequence[Played | None]"


@dataclass(frozen=True, slots=True)
class Reference:
    """What everything is held against, row by row: the strongest model alone, and agree2 where the pool has it."""

    strongest: Sequence[Played]
    agree2: Sequence[Played] | None


class Figures:
    """Makes the figures of outcomes against one reference."""

    def __init__(self, reference: Reference, bootstrap: Bootstrap) -> None:
        self._reference = reference
        self._bootstrap = bootstrap

    def strategy(self, outcomes: Outcomes) -> dict[str, Any]:
        """All that is known of a strategy, over the rows that could be replayed."""
        at = [i for i, played in enumerate(outcomes) if played is not None]
        played = [one for one in outcomes if one is not None]
        trusted = [(one.confidence, one.correct) for one in played if one.confidence is not None]
        agreeing = [(one.agreement, one.correct) for one in played if one.agreement is not None]
        return {
            **self.rule(played, at),
            "calls_per_row": _mean([one.calls for one in played]),
            "escalation_rate": _mean([one.escalated for one in played]),
            "mean_confidence": _mean([confidence for confidence, _ in trusted]),
            "auroc_confidence": _rounded(auroc([c for c, _ in trusted], [ok for _, ok in trusted])),
            "auroc_agreement": _rounded(auroc([a for a, _ in agreeing], [ok for _, ok in agreeing])),
            "ece": _rounded(ece([c for c, _ in trusted], [ok for _, ok in trusted])),
            "not_replayable": len(outcomes) - len(played),
            "vs_agree2": self._against(played, at, self._reference.agree2),
            "vs_strongest": self._against(played, at, self._reference.strongest),
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


def reference(rows: Sequence[Row], pool: Sequence[Model]) -> Reference:
    """Play the two references."""
    paired = len(pool) >= baselines.AGREE2_POOL
    return Reference(
        strongest=[baselines.alone(row, pool[-1]) for row in rows],
        agree2=[baselines.agree2(row, pool) for row in rows] if paired else None,
    )


def baseline_figures(rows: Sequence[Row], pool: Sequence[Model], figures: Figures) -> dict[str, Any]:
    """The baselines; a rule the pool is too small for is None."""

    def rule(play: Callable[[Row, Sequence[Model]], Played], least: int = 1) -> dict[str, Any] | None:
        if len(pool) < least:
            return None
        played = [play(row, pool) for row in rows]
        return {**figures.rule(played), "escalation_rate": _mean([one.escalated for one in played])}

    each = {model.id: figures.rule([baselines.alone(row, model) for row in rows]) for model in pool}
    best = max(each, key=lambda name: each[name]["accuracy"] or 0)
    return {
        "best_single": {"model": best, **each[best]},
        "each_model": each,
        "agree2": rule(baselines.agree2, baselines.AGREE2_POOL),
        "majority3": rule(baselines.majority3, baselines.MAJORITY3_POOL),
        "oracle": rule(baselines.oracle),
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
