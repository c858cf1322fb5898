"""`prysm keys`, over HTTP: with the root key of the gateway on this machine, or an admin's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect
from prysm.cli.keys_options import (  # noqa: TC001 - typer reads them at run time
    Budget,
    Cache,
    Concurrency,
    Expires,
    Id,
    Models,
    Period,
    Retention,
    Role,
    Rpm,
    Scopes,
    Strategies,
    Tags,
    Tpm,
)
from prysm.cli.paging import every
from prysm.cli.provider_keys import provider
from prysm.cli.rewrap import rewrap

if TYPE_CHECKING:
    from collections.abc import Mapping

keys = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
keys.command("rewrap")(rewrap)
keys.add_typer(provider, name="provider", help="Keys that an organisation brings for providers.")

NO_LIMIT = "none"
WHOLE = frozenset({"rpm", "tpm", "concurrency"})
COLUMNS = ("id", "name", "role", "organisation", "prefix", "status", "budget", "expires_at")
COPIED = frozenset({"id", "prefix"})
"""What people copy is never cut."""


@keys.command()
def create(  # noqa: PLR0913 - an option each
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    role: Role = None,
    organisation: Annotated[str | None, typer.Option("--org", help="Name or id; default: one's own.")] = None,
    project: Annotated[str | None, typer.Option(help="Name or id; default: default.")] = None,
    budget: Budget = None,
    period: Period = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    model: Models = None,
    strategy: Strategies = None,
    scope: Scopes = None,
    retention: Retention = None,
    cache: Cache = None,
    tag: Tags = None,
    expires: Expires = None,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Make a key. Its text is shown once, on standard output, and kept nowhere."""
    fields = _fields(
        role=role,
        organisation=organisation,
        project=project,
        budget_usd=budget,
        budget_period=period,
        rpm=rpm,
        tpm=tpm,
        concurrency=concurrency,
        allowed_models=model,
        allowed_strategies=strategy,
        scopes=scope,
        retention=retention,
        cache=cache,
        tags=tag,
        expires_at=expires,
    )
    with connect(url, key) as client:
        _show_secret(client.keys.create(name, **fields), as_json=json)


@keys.command("list")
def listed(*, json: Json = False, url: Url = URL, key: Key = None) -> None:
    """List the keys, newest first, revoked ones too; with --json one object a line."""
    with connect(url, key) as client:
        found = [*every(client.keys.list)]
    if json:
        for item in found:
            show.as_json(item)
    else:
        show.console(stderr=False).print(_table(found))


@keys.command("show")
def one(key_id: Id, *, json: Json = False, url: Url = URL, key: Key = None) -> None:
    """Show what a key may do and spend."""
    with connect(url, key) as client:
        _show(client.keys.get(key_id), as_json=json)


@keys.command()
def update(  # noqa: PLR0913 - an option each
    key_id: Id,
    *,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    role: Role = None,
    budget: Budget = None,
    period: Period = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    model: Models = None,
    strategy: Strategies = None,
    scope: Scopes = None,
    retention: Retention = None,
    cache: Cache = None,
    tag: Tags = None,
    expires: Expires = None,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Change what is given, and nothing else; it is in force within a second."""
    fields = _fields(
        name=name,
        role=role,
        budget_usd=budget,
        budget_period=period,
        rpm=rpm,
        tpm=tpm,
        concurrency=concurrency,
        allowed_models=model,
        allowed_strategies=strategy,
        scopes=scope,
        retention=retention,
        cache=cache,
        tags=tag,
        expires_at=expires,
    )
    if not fields:
        raise typer.BadParameter("say what to change: --help lists it")
    with connect(url, key) as client:
        _show(client.keys.update(key_id, **fields), as_json=json)


@keys.command()
def rotate(
    key_id: Id,
    *,
    overlap: Annotated[
        int, typer.Option("--overlap", min=0, metavar="SECONDS", help="How long the text it has still works.")
    ] = 3600,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Give a key another text, shown once; the one it has works on for the overlap."""
    with connect(url, key) as client:
        _show_secret(client.keys.rotate(key_id, overlap_s=overlap), as_json=json)


@keys.command()
def revoke(
    key_id: Id,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Void a key for good, in every gateway within a second."""
    with connect(url, key) as client:
        if not (yes or json):
            found = client.keys.get(key_id)
            typer.confirm(f"Void the key {found['name']!r} ({found['prefix']}…) for good?", abort=True, err=True)
        gone = client.keys.revoke(key_id)
    if json:
        show.as_json(gone)
    else:
        show.console(stderr=False).print(f"{gone['id']} is revoked.")


def _fields(**given: Any) -> dict[str, Any]:
    """What was said, as the gateway takes it: what was not said is left out, and `none` is null."""
    return {name: _value(name, value) for name, value in given.items() if value is not None}


def _value(name: str, value: Any) -> Any:
    if value in (NO_LIMIT, [NO_LIMIT]):
        return [] if name == "tags" else None
    try:
        if name in WHOLE:
            return int(value)
        return float(value) if name == "budget_usd" else value
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no number", param_hint=name) from None


def _show_secret(made: Mapping[str, Any], *, as_json: bool) -> None:
    """The text alone goes to standard output, so that it can be piped to where it belongs."""
    if as_json:
        show.as_json(made)
        return
    about = show.console()
    about.print(
        f"key {made['id']} ({made['name']}, {made['role']}). This is shown once; keep it where secrets are:"
    )
    if made["overlap_until"]:
        about.print(f"What it had before works until {made['overlap_until']}.")
    show.answer(made["key"] + "\n")


def _show(item: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(item)
        return
    out = show.console(stderr=False)
    for name, value in item.items():
        if name != "object" and value not in (None, []):
            shown = ", ".join(value) if isinstance(value, list) else value
            out.print(f"{name:<18}  {shown}")


def _table(items: list[Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        longest = max((len(str(item[column])) for item in items), default=0) if column in COPIED else None
        table.add_column(column, min_width=longest)
    for item in items:
        row = dict(item) | {"budget": _budget(item)}
        table.add_row(*(row[column] or "–" for column in COLUMNS), style=_style(item))
    return table


def _budget(item: Mapping[str, Any]) -> str | None:
    return None if item["budget_usd"] is None else f"{show.usd(item['budget_usd'])} / {item['budget_period']}"


def _style(item: Mapping[str, Any]) -> str | None:
    return None if item["status"] == "active" else "dim"
