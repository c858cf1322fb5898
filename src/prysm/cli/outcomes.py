"""`prysm outcomes`."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect
from prysm.cli.paging import every

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def outcomes(*, json: Json = False, url: Url = URL, key: Key = None) -> None:
    """Show what feedback says of the answers, by strategy, model and task, beside the confidence they were given.

    With --json every judgement with what its receipt says, one JSON object a line.
    """
    with connect(url, key) as client:
        if json:
            for row in every(client.outcomes):
                show.as_json(row)
        else:
            show.console(stderr=False).print(_table(every(client.outcomes)))


def _table(rows: Iterable[Any]) -> Table:
    table = Table("strategy", "model", "task", box=None, pad_edge=False)
    for heading in ("answers", "score", "confidence"):
        table.add_column(heading, justify="right")
    groups: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] or "–" for name in ("strategy", "model", "task"))].append(row)
    for names, group in sorted(groups.items()):
        stated = [row["confidence"] for row in group if row["confidence"] is not None]
        figures = (show.share(_mean([row["score"] for row in group])), show.share(_mean(stated)))
        table.add_row(*names, str(len(group)), *figures)
    return table


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
