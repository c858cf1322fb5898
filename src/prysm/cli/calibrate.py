"""`prysm calibrate`."""

from __future__ import annotations

import json as encoder
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import Json  # noqa: TC001 - typer reads it at run time
from prysm.errors import InvalidRequest
from prysm.scoring.calibration import SITUATIONS, shipped
from prysm.scoring.fitting import cross_fitted, fit_parameters, read_outcomes
from prysm.scoring.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.scoring.calibration import Parameters, Situation
    from prysm.scoring.fitting import Outcome

LEAST_OUTCOMES = 100


def calibrate(
    outcomes: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Outcomes, one JSON object a line: `prysm outcomes --json > FILE`."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Where to write the calibration.")] = Path("calibration.json"),
    name: Annotated[str, typer.Option("--name", help="Its name in `confidence_method`.")] = "own-1",
    *,
    json: Json = False,
) -> None:
    """Fit confidence to your own outcomes, say how well it holds on answers it was not fitted on, and write it.

    Use it with `[scoring] calibration = "FILE"` in prysm.toml.
    """
    rows = _rows(outcomes)
    note = show.console(stderr=True)
    note.print(f"fitting {len(rows)} outcomes, five times for the figures and once for the file")
    figures = _figures(rows)
    own = fit_parameters(rows, name)
    out.write_text(encoder.dumps(own.to_json(), indent=1) + "\n")
    covered = own.covers()
    if json:
        coverage = {"covers": covered, "else": shipped().name, "average": list(own.default)}
        show.as_json({"outcomes": len(rows), "file": str(out), "situations": figures} | coverage)
    else:
        show.console(stderr=False).print(_table(figures))
        show.console(stderr=False).print(_coverage(own, covered), markup=False)
    note.print(f'written to {out}; use it with [scoring] calibration = "{out}" in prysm.toml')


def _table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("situation", box=None, pad_edge=False)
    for heading in ("answers", "right", "said", "AUROC", "ECE"):
        table.add_column(heading, justify="right")
    for situation, found in figures.items():
        shares = (show.share(found[key]) for key in ("accuracy", "confidence", "auroc", "ece"))
        table.add_row(situation, str(found["n"]), *shares)
    return table


def _coverage(own: Parameters, covered: Mapping[Situation, Sequence[str]]) -> str:
    """Say what the file covers, and what does without it."""
    lines = [f"{situation}: {own.name} for {', '.join(names)}" for situation, names in covered.items()]
    few = [situation for situation in SITUATIONS if situation not in covered and situation not in own.default]
    rest = f"{shipped().name} for other classes that it knows" + (
        f", and for all of {', '.join(few)}" if few else ""
    )
    average = (
        f"the average of {own.name}, as uncalibrated, for classes that neither knows: {', '.join(own.default)}"
    )
    return "\n".join(["", *lines, rest, *([average] if own.default else [])])


def _rows(path: Path) -> list[Outcome]:
    try:
        rows = read_outcomes(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read ({type(error).__name__}).") from None
    if len(rows) < LEAST_OUTCOMES:
        raise InvalidRequest(
            f"{path} has {len(rows)} outcomes with their evidence; at least {LEAST_OUTCOMES} are needed. "
            "Give more feedback with `prysm feedback`."
        )
    return rows


def _figures(rows: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Reliability by situation, on answers the fit has not seen."""
    judged: defaultdict[str, list[tuple[float, bool, str]]] = defaultdict(list)
    for row, probability, _ in cross_fitted(rows):
        judged[row.evidence.situation].append((probability, row.correct, row.group))
    return {situation: asdict(reliability(listed)) for situation, listed in sorted(judged.items())}
