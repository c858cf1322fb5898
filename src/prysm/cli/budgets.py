"""`prysm budgets`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect
from prysm.cli.paging import every

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.client import Reply

Period: TypeAlias = Literal["day", "month", "total"]
Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="The budget's id.")]
MOST = 1e9

budgets = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Limit what is spent. Takes the root key, or an admin's for its organisation.",
)


@budgets.command("list")
def listed(*, json: Json = False, url: Url = URL, key: Key = None) -> None:
    """List the budgets with what their current day, month or all time counts."""
    with connect(url, key) as client:
        found = [*every(client.budgets.list)]
    if json:
        show.as_json({"object": "list", "data": found})
    else:
        for budget in found:
            typer.echo(_line(budget))


@budgets.command()
def create(  # noqa: PLR0913 - each is an option of the command
    limit_usd: Annotated[float, typer.Argument(metavar="USD", min=0, max=MOST, help="The limit, in dollars.")],
    *,
    period: Annotated[Period, typer.Option(help="In which it holds; days and months are UTC.")] = "month",
    soft: Annotated[bool, typer.Option("--soft", help="Warn of what goes beyond it, refuse nothing.")] = False,
    organisation: Annotated[str | None, typer.Option(help="By name or id; default: the key's own.")] = None,
    project: Annotated[str | None, typer.Option(help="Over one project of it, by name or id.")] = None,
    of_key: Annotated[str | None, typer.Option("--of-key", metavar="ID", help="Over one key of it.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="NAME=VALUE", help="Over what carries this tag.")] = None,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Make a budget: over an organisation, or one project, key or tag of it."""
    over = {"organisation": organisation, "project": project, "key": of_key, "tag": tag}
    given = {name: value for name, value in over.items() if value is not None}
    with connect(url, key) as client:
        _done(client.budgets.create(limit_usd, period, hard=not soft, **given), json=json)


@budgets.command()
def update(
    budget_id: Id,
    *,
    limit_usd: Annotated[
        float | None, typer.Option("--limit", metavar="USD", min=0, max=MOST, help="The new limit, in dollars.")
    ] = None,
    hard: Annotated[bool | None, typer.Option("--hard/--soft", help="Refuse what goes beyond it, or warn.")] = None,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Change a budget. What was spent goes on to count."""
    changes = {name: value for name, value in (("limit_usd", limit_usd), ("hard", hard)) if value is not None}
    if not changes:
        raise typer.BadParameter("give --limit, --hard or --soft")
    with connect(url, key) as client:
        _done(client.budgets.update(budget_id, **changes), json=json)


@budgets.command()
def delete(budget_id: Id, *, json: Json = False, url: Url = URL, key: Key = None) -> None:
    """End a budget."""
    with connect(url, key) as client:
        reply = client.budgets.delete(budget_id)
    if json:
        show.as_json(reply)
    else:
        typer.echo(f"The budget {reply['id']} limits nothing any more.")


def _done(budget: Reply, *, json: bool) -> None:
    if json:
        show.as_json(budget)
    else:
        typer.echo(_line(budget))


def _line(budget: Mapping[str, Any]) -> str:
    amounts = (
        f"{name} {_dollars(budget[f'{name}_usd'])}" for name in ("limit", "spent", "held", "unknown", "left")
    )
    period = budget["period"] if budget["hard"] else f"{budget['period']}, soft"
    return f"{budget['id']}  {show.printable(_over(budget), sys.stdout)} ({period})  {' · '.join(amounts)}"


def _over(budget: Mapping[str, Any]) -> str:
    kinds = [f"{kind} {budget[kind]}" for kind in ("project", "key", "tag") if budget[kind] is not None]
    return ": ".join([budget["organisation"], *kinds])


def _dollars(amount: float) -> str:
    return f"-{show.usd(-amount)}" if amount < 0 else show.usd(amount)
