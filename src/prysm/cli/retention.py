"""`prysm retention`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from prysm.cli import attach, show
from prysm.cli.connection import Json  # noqa: TC001 - typer reads it at run time
from prysm.config import load_config
from prysm.store.held import held
from prysm.store.retention import IDLE, prune

if TYPE_CHECKING:
    from datetime import timedelta

    from prysm.config import Config
    from prysm.store.held import Held

FOREVER = "for ever"
MEGABYTE = 1_000_000

retention = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="How long things are kept (docs/retention.md). PRYSM_DATABASE_URL or PRYSM_DATA_DIR name the database.",
)


@retention.command("show")
def shown(*, json: Json = False) -> None:
    """Show what is kept, for how long, and about how much of it there is."""
    found = attach.settings()
    periods = _periods(load_config(found, os.environ))
    there = attach.with_database(found, lambda connection: held(connection, list(periods)))
    for name, period in periods.items():
        if json:
            since = there[name].since
            about = {"rows": there[name].rows, "bytes": there[name].bytes, "since": since and since.isoformat()}
            show.as_json({"table": name, "kept": period} | about)
        else:
            typer.echo(_line(name, period, there[name]))


@retention.command()
def run(*, json: Json = False) -> None:
    """Prune now what is old, as gateways do every hour; they may run meanwhile.

    Exit code: 0 when all was done, 1 when something was in use and was put off.
    """
    found = attach.settings()
    runs, steps = load_config(found, os.environ).retention.runs, attach.Steps()
    done = attach.with_database(found, lambda connection: prune(connection, runs, steps))
    if json:
        show.as_json(asdict(done))
    else:
        lines = [f"{name}: {number} rows deleted" for name, number in done.deleted.items()]
        lines += [f"{name}: made" for name in done.made]
        lines += [f"{name}: dropped" for name in done.dropped]
        lines += [f"{name}: in use, put off; try again" for name in done.put_off]
        typer.echo("\n".join(lines) or "nothing was old")
    raise typer.Exit(1 if done.put_off else 0)


def _periods(config: Config) -> dict[str, str]:
    """Table → how long."""
    kept = config.retention
    runs = _period(kept.runs)
    return {
        "response": _period(kept.content),
        "idempotency": _period(kept.idempotency),
        "cached_answer": "none" if config.cache.ttl is None else "as asked",
        "usage": runs,
        "stage": runs,
        "budget_window": runs,
        "meter": _period(IDLE),
        **dict.fromkeys(("receipt", "feedback", "log_leaf", "ledger_entry", "audit_event"), FOREVER),
    }


def _period(period: timedelta | None) -> str:
    if period is None:
        return "none"
    seconds = int(period.total_seconds())
    unit, size = next((u, s) for u, s in (("d", 86_400), ("h", 3600), ("m", 60)) if seconds % s == 0)
    return f"{seconds // size}{unit}"


def _line(name: str, period: str, there: Held) -> str:
    since = f"  since {there.since:%Y-%m}" if there.since else ""
    return f"{name:<14} {period:>9} {there.rows:>12,} rows {there.bytes / MEGABYTE:>10,.1f} MB{since}"
