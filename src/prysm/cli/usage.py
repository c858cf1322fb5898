"""`prysm usage`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

By: TypeAlias = Literal["key", "model", "strategy", "task", "tag", "day"]


def usage(
    *,
    by: Annotated[By, typer.Option(help="What to group by.")] = "model",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: 2026-01-31, or RFC 3339.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV with exact amounts, and nothing else.")] = False,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Show what the key used and what it cost; with an admin's, what its organisation did, with root's, everybody."""
    if csv and json:
        raise typer.BadParameter("give --csv or --json, not both")
    with connect(url, key) as client:
        if csv:
            sys.stdout.write(client.usage_csv(by, since=since, until=until))
            return
        reply = client.usage(by, since=since, until=until)
    if json:
        show.as_json(reply)
        return
    out = show.console(stderr=False)
    out.print(_table(by, reply["groups"], _total(reply)))
    if reply["has_more"]:
        out.print(f"the {len(reply['groups'])} that cost most; --csv has them all", style="yellow")
    if unknown := reply["unknown_cost_requests"]:
        out.print(f"what {unknown} of the requests cost is not known, and not in the sums", style="yellow")


def _total(reply: Mapping[str, Any]) -> dict[str, Any]:
    sums = {name: reply[f"total_{name}"] for name in ("requests", "tokens", "cost_usd")}
    return {"name": "total", **sums, "unknown_cost_requests": reply["unknown_cost_requests"]}


def _table(by: str, groups: Iterable[Mapping[str, Any]], total: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(by, overflow="fold")
    for heading in ("requests", "tokens", "cost"):
        table.add_column(heading, justify="right")
    for group in groups:
        table.add_row(*_row(group))
    table.add_row(*_row(total), style="bold")
    return table


def _row(group: Mapping[str, Any]) -> tuple[str, ...]:
    name = show.printable(group["name"] or "(none)", sys.stdout)
    tokens = "unknown" if group["tokens"] is None else str(group["tokens"])
    more = " + unknown" if group["unknown_cost_requests"] and group["cost_usd"] is not None else ""
    return name, str(group["requests"]), tokens, show.usd(group["cost_usd"]) + more
