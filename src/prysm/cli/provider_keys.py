"""`prysm keys provider`: keys that organisations bring for providers, and what they are encrypted under."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect
from prysm.cli.paging import every

provider = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

COLUMNS = ("id", "provider", "label", "last4", "organisation", "status", "created_at")

Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id: `prysm keys provider list` shows it.")]


@provider.command()
def add(
    name: Annotated[str, typer.Argument(metavar="PROVIDER", help="Whose key it is: the id in prysm.toml.")],
    *,
    label: Annotated[str | None, typer.Option(help="What to know it by.")] = None,
    organisation: Annotated[str | None, typer.Option("--org", help="Name or id; default: one's own.")] = None,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Bring a key: an organisation's runs call the provider with it, in place of the one that it had there.

    The key is read from standard input, or asked for: arguments could be seen by others.
    """
    stdin = typer.get_text_stream("stdin")
    text = typer.prompt("The provider's key", hide_input=True, err=True) if stdin.isatty() else stdin.read()
    given = {"label": label, "organisation": organisation}
    with connect(url, key) as client:
        fields = {field: value for field, value in given.items() if value is not None}
        made = client.provider_keys.create(name, text.strip(), **fields)
    if json:
        show.as_json(made)
    else:
        said = (
            f"{made['provider']} is called with the key …{made['last4']} for {made['organisation']}: {made['id']}"
        )
        show.console(stderr=False).print(said)


@provider.command("list")
def listed(*, json: Json = False, url: Url = URL, key: Key = None) -> None:
    """List the keys, newest first, revoked ones too; with --json one object a line."""
    with connect(url, key) as client:
        found = [*every(client.provider_keys.list)]
    if json:
        for item in found:
            show.as_json(item)
    else:
        show.console(stderr=False).print(_table(found))


@provider.command()
def revoke(
    key_id: Id,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Delete a key for good; no gateway calls with it a second later."""
    with connect(url, key) as client:
        if not (yes or json):
            found = client.provider_keys.get(key_id)
            asked = f"Delete the key …{found['last4']} of {found['organisation']} for {found['provider']} for good?"
            typer.confirm(asked, abort=True, err=True)
        gone = client.provider_keys.revoke(key_id)
    if json:
        show.as_json(gone)
    else:
        show.console(stderr=False).print(f"{gone['id']} is revoked.")


def _table(items: list[Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, no_wrap=column in {"id", "last4"})
    for item in items:
        style = None if item["status"] == "active" else "dim"
        table.add_row(*(item[column] or "–" for column in COLUMNS), style=style)
    return table
