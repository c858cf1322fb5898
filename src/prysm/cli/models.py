"""`prysm models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect, data_dir
from prysm.providers.weights import pull as fetch

if TYPE_CHECKING:
    from collections.abc import Mapping

models = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)


@models.callback()
def catalog(ctx: typer.Context, *, json: Json = False, url: Url = URL, key: Key = None) -> None:
    """List the models that the gateway knows, with their prices, and say which are live."""
    if ctx.invoked_subcommand:
        return
    with connect(url, key) as client:
        reply = client.models_catalog()
    if json:
        show.as_json(reply)
    else:
        listed = [item for item in reply["data"] if item.get("kind", "model") == "model"]
        show.console(stderr=False).print(_table(listed))


@models.command()
def pull(
    which: Annotated[Literal["local"], typer.Argument(metavar="local", help="The model to fetch.")],
    *,
    json: Json = False,
) -> None:
    """Fetch the weights of the small local model into the data directory; needs no gateway.

    The directory is PRYSM_DATA_DIR, default ./.prysm.
    """
    path = fetch(data_dir())
    if json:
        show.as_json({"model": which, "path": str(path)})
    else:
        typer.echo(f"The {which} model is in {path}; `prysm serve` finds it there.")


def _table(items: list[Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    longest = max((len(item["id"]) for item in items), default=0)
    table.add_column("model", min_width=longest)  # people copy ids: never cut one
    table.add_column("provider")
    table.add_column("tier")
    for heading in ("in $/Mtok", "out $/Mtok"):
        table.add_column(heading, justify="right")
    table.add_column("live")
    for item in sorted(items, key=lambda item: not item.get("live")):
        table.add_row(*_row(item), style=None if item.get("live") else "dim")
    return table


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    pricing = item.get("pricing") or {}
    return (
        item["id"],
        item.get("provider") or item.get("owned_by") or "",
        item.get("tier") or "",
        _price(pricing.get("input_per_mtok")),
        _price(pricing.get("output_per_mtok")),
        ("yes" if item.get("live") else "no") + (", simulated" if item.get("simulated") else ""),
    )


def _price(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"
