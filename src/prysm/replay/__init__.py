"""Recorded traffic through production code: what each strategy would have answered, and at what price.

The planner, the strategies and the scoring are those that serve; only the provider is replaced, by the recording.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prysm.errors import InvalidRequest
from prysm.planner import Planner
from prysm.replay.play import AUTO, Settings, play_all
from prysm.replay.pool import Prices, catalog, read_prices
from prysm.replay.recording import read
from prysm.replay.report import Figures, baseline_figures, reference, strategy_figures
from prysm.replay.statistics import Bootstrap
from prysm.strategies import STRATEGIES
from prysm.strategies.cascade import Cascade

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.core.plan import Policy, StrategyName
    from prysm.replay.recording import Row
    from prysm.strategies import Strategy
    from prysm.strategies.gate import Gate

__all__ = ["Settings", "Trial", "read", "read_prices", "replay"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be replayed: `pool` from cheap to strong, `strategies` by name, all when empty.

    `gate` is the cascade's, None for the one that ships with the package.
    """

    data: str
    rows: Sequence[Row]
    pool: Sequence[str]
    prices: Prices
    policies: Mapping[str, Policy]
    strategies: Sequence[str] = ()
    settings: Settings = field(default_factory=Settings)
    gate: Gate | None = None


def replay(trial: Trial, done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Play every row and report; `done` is called after each. The same trial gives the same report.

    Rows that lack an answer of a model of the pool are left out. Raises `InvalidRequest` when none is left.
    """
    models = catalog(trial.pool, trial.prices)
    rows = [row for row in trial.rows if all(name in row.answers for name in trial.pool)]
    if not rows:
        raise InvalidRequest("No row has an answer of every model of the pool; check the names.", param="pool")
    names = tuple(trial.strategies) or (AUTO, *STRATEGIES)
    planner = Planner(models, trial.policies, {})
    fresh: Mapping[StrategyName, Strategy] = {**STRATEGIES, "cascade": Cascade(trial.gate)}  # it keeps a record
    played = asyncio.run(play_all(rows, planner, names, trial.settings, done=done, strategies=fresh))
    named = [models.get(name) for name in trial.settings.models]
    figures = Figures(reference(rows, models.models, named), Bootstrap(trial.settings.seed))
    return {
        "data": trial.data,
        "rows": len(rows),
        "pool": list(trial.pool),
        "models": list(trial.settings.models),
        "policy": trial.settings.policy,
        "seed": trial.settings.seed,
        "strategies": strategy_figures(played, figures),
        "baselines": baseline_figures(rows, models.models, figures),
    }
