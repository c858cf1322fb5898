"""`prysm replay`."""

from __future__ import annotations

import json as jsonlib
import os
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import Json  # noqa: TC001 -- as above
from prysm.config import Settings as Environment
from prysm.config import load_config
from prysm.errors import InvalidRequest
from prysm.replay import Settings, Trial, read, read_prices
from prysm.replay import replay as run
from prysm.scoring.calibration import install, load
from prysm.strategies import gate

if TYPE_CHECKING:
    from collections.abc import Mapping


def replay(  # noqa: PLR0913  # one argument an option
    data: Annotated[Path, typer.Argument(metavar="DATA.jsonl[.gz]", help="Recorded rows, one JSON object a line.")],
    *,
    pool: Annotated[str, typer.Option("--pool", metavar="M1,…,MN", help="The models, from cheap to strong.")],
    prices: Annotated[
        Path, typer.Option("--prices", metavar="FILE", help='{"model": [input, output]}, USD per million tokens.')
    ],
    policy: Annotated[str, typer.Option("--policy", "-p", help="efficiency, balanced or depth.")] = "balanced",
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy", "-s", show_default="all, and the policy's own choice", help="Replay only this one."
        ),
    ] = None,
    models: Annotated[
        str, typer.Option("--models", metavar="M1,…", help="Name them as a request would: they alone answer.")
    ] = "",
    k: Annotated[int | None, typer.Option("--k", min=1, max=8, help="How many models, 1–8.")] = None,
    samples: Annotated[int | None, typer.Option("--samples", min=2, max=40, help="How many samples, 2–40.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the resampling and of every shuffle.")] = 0,
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", metavar="FILE", help="A calibration of your own, from `prysm calibrate`."),
    ] = None,
    fitted_gate: Annotated[
        Path | None, typer.Option("--gate", metavar="FILE", help="A gate of the cascade fitted on other rows.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the report there.")] = None,
    json: Json = False,
) -> None:
    """See on recorded answers what each strategy would have answered, and at what price. No model is called.

    A row is {"id", "prompt", "answers": [{"model", "text", "extracted", "correct", "prompt_tokens",
    "completion_tokens"}]}. Whether an answer is correct is read by the report alone.
    """
    if calibration:
        install(load(calibration))
    trial = Trial(
        data=data.name,
        rows=read(data),
        pool=_listed(pool),
        prices=read_prices(prices),
        policies=load_config(Environment.from_environment(os.environ), os.environ).policies,
        strategies=(strategy,) if strategy else (),
        settings=Settings(policy, k, samples, seed, _listed(models)),
        gate=gate.from_file(fitted_gate) if fitted_gate else None,
    )
    with Progress(*_COLUMNS, console=show.console(), transient=True) as progress:
        task = progress.add_task("rows", total=len(trial.rows))
        found = run(trial, lambda: progress.advance(task))
    if report:
        _write(report, found)
    if json:
        show.as_json(found)
    else:
        _show(found)


TABLE_WIDTH = 140
_COLUMNS = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


def _write(path: Path, found: Mapping[str, Any]) -> None:
    try:
        path.write_text(jsonlib.dumps(found, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise InvalidRequest(f"The report {path} cannot be written ({error.strerror}).", param="report") from None


def _show(found: Mapping[str, Any]) -> None:
    out = show.console(stderr=False)
    out.width = max(out.width, TABLE_WIDTH)
    out.print(f"{found['data']}: {found['rows']} rows, pool {', '.join(found['pool'])}, policy {found['policy']}")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in (
        "rows",
        "unplayed",
        "accuracy",
        "95 %",
        "cost",
        "calls",
        "escalated",
        "confidence",
        "AUROC",
        "agreement",
        "ECE",
        "agree2",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, figures in found["strategies"].items():
        table.add_row(name, *_cells(figures))
    for name, figures in _baselines(found["baselines"]).items():
        table.add_row(name, *_cells(figures), style="dim")
    out.print(table)
    out.print(
        "unplayed: rows that need a call nobody recorded. cost: of the strongest model alone on the same rows.\n"
        "AUROC: of the confidence, then of the agreement. agree2: accuracy against that rule, 95 %."
    )


def _baselines(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    rules = {name: found[name] for name in ("agree2", "majority3", "vote", "oracle") if found[name]}
    votes = {
        f"{model}, vote of {n}": figures for model, own in found["votes"].items() for n, figures in own.items()
    }
    return {**found["each_model"], **votes, **rules}


def _cells(figures: Mapping[str, Any]) -> list[str]:
    against = (figures.get("vs_agree2") or {}).get("accuracy_diff_ci95")
    calls = figures.get("calls_per_row")
    return [
        str(figures["rows"]),
        str(figures.get("not_replayable", "")),
        _percent(figures["accuracy"]),
        _interval(figures["accuracy_ci95"]),
        _percent(figures["cost_ratio_to_strongest"]),
        "" if calls is None else f"{calls:.2f}",
        _percent(figures.get("escalation_rate")),
        _percent(figures.get("mean_confidence")),
        _percent(figures.get("auroc_confidence")),
        _percent(figures.get("auroc_agreement")),
        _percent(figures.get("ece")),
        _interval(against, "+"),
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _interval(ends: list[float] | None, sign: str = "") -> str:
    return "" if ends is None else " ".join(("[" + f"{100 * ends[0]:{sign}.1f},", f"{100 * ends[1]:{sign}.1f}]"))
