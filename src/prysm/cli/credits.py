"""`prysm credits`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind: TypeAlias = Literal["topup", "trial", "adjust"]

credits = typer.Typer(  # noqa: A001 - the name of the command
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What organisations paid in advance, and where it went.",
)


@credits.command("show")
def shown(
    organisation: Annotated[
        str | None, typer.Argument(metavar="ORGANISATION", help="By name or id; default: the key's own.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many entries, the newest first.")] = 20,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Show what an organisation has left, and the newest entries of its ledger."""
    with connect(url, key) as client:
        reply = client.credits.get(organisation, limit=limit)
    if json:
        show.as_json(reply)
        return
    out, balance = show.console(stderr=False), reply["balance"]
    out.print(
        f"left ${balance['credits_usd']} · held by runs under way ${balance['held_usd']} "
        f"· spent so far ${balance['spent_usd']}",
        style="bold",
    )
    if reply["entries"]:
        out.print(_table(reply["entries"]))


@credits.command(context_settings={"ignore_unknown_options": True})  # an amount may begin with a minus
def book(
    organisation: Annotated[str, typer.Argument(metavar="ORGANISATION", help="By name or id.")],
    amount_usd: Annotated[float, typer.Argument(metavar="USD", help="Dollars; below 0 with --kind adjust.")],
    *,
    kind: Annotated[Kind, typer.Option(help="What it is.")] = "topup",
    note: Annotated[str | None, typer.Option(help="For the ledger, say an invoice.")] = None,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Give an organisation credits, which never expire, or take some back. Takes the root key."""
    with connect(url, key) as client:
        reply = client.credits.book(organisation, amount_usd, kind, **({} if note is None else {"note": note}))
    if json:
        show.as_json(reply)
    else:
        typer.echo(f"Booked ${reply['amount_usd']} ({reply['kind']}): ${reply['balance']['credits_usd']} are left.")


def _table(entries: Iterable[Mapping[str, Any]]) -> Table:
    table = Table("when", "what", "from", "to", box=None, pad_edge=False)
    table.add_column("amount", justify="right")
    table.add_column("run or note", overflow="fold")
    for entry in entries:
        about = show.printable(_about(entry), sys.stdout)
        when = f"{entry['made_at'][:19]}Z"
        table.add_row(when, entry["kind"], entry["from"], entry["to"], f"${entry['amount_usd']}", about)
    return table


def _about(entry: Mapping[str, Any]) -> str:
    return str(entry["note"] or entry["request_id"] or "")
