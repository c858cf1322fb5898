"""`prysm route`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def route(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt; `-` reads it from standard input.")],
    mode: Annotated[
        str | None,
        typer.Option("--mode", show_default="balanced", help="What matters: quality, balanced or agility."),
    ] = None,
    *,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Show which model would answer a prompt, and why; no model is called."""
    with connect(url, key) as client:
        reply = client.route(text_of(prompt), routing_mode=mode)
    if json:
        show.as_json(reply)
    else:
        _show(reply["routing"])


def _show(routing: Mapping[str, Any]) -> None:
    out = show.console(stderr=False)
    out.print(f"model  {routing['model']} ({routing['provider']}, {routing['tier']})", style="bold")
    out.print(f"task   {routing['task']}")
    out.print(f"why    {routing['why']}")
    for other in routing.get("alternatives") or ():
        out.print(f"not    {other['model']} ({show.usd(other['est_cost_usd'])}): {other['why_not']}")
