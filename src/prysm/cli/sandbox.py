"""`prysm sandbox`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from prysm.cli import show
from prysm.cli.connection import Json  # noqa: TC001 - typer reads it at run time
from prysm.errors import ConfigError, InvalidRequest
from prysm.faults import DOORS, FAULTS, FaultServer

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8090
SHOWN = {
    "openai": "fault-429-retry-after-seconds",
    "anthropic": "fault-stall",
    "gemini": "fault-cut-chunk",
}
"""One fault a wire format in the example; the others go in their place."""
DOOR = "tls-expired"


def sandbox(
    *,
    faults: Annotated[bool, typer.Option("--faults", help="Serve models that fail, each in its own way.")] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535 - len(DOORS), help="And the ports behind it; 0: free ones.")
    ] = PORT,
    every: Annotated[
        bool, typer.Option("--all", help="Print a model for every fault, not only for a few.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the faults and serve nothing.")] = False,
    json: Json = False,
) -> None:
    """Serve what a gateway must survive: rate limits, cuts, stalls, bombs, bad certificates, in three wire formats.

    The fault is chosen by the model's name. What is printed goes into prysm.toml as it is.
    """
    if listed:
        _list(as_json=json)
    elif faults:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(port, every=every))
    else:
        raise InvalidRequest("Say what to serve: `prysm sandbox --faults`, or `--list` to see what there is.")


def _list(*, as_json: bool) -> None:
    rows = list(_rows())
    if as_json:
        show.as_json([dict(zip(("name", "answers", "what"), row, strict=True)) for row in rows])
        return
    table = Table("name", "answers", "what", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    show.console(stderr=False).print(table)


def _rows() -> Iterator[tuple[str, str, str]]:
    """Name, where it shows, what it does: the models first, then the addresses."""
    for model, fault in FAULTS.items():
        yield model, {"both": "all", "json": "whole", "stream": "streamed"}[fault.ways], fault.what
    for name, door in DOORS.items():
        yield name, "address", door.what


async def _serve(port: int, *, every: bool) -> None:
    try:
        async with FaultServer.running(port=port) as server:
            show.console(stderr=False).print(snippet(server, every=every), end="")
            show.console(stderr=True).print(f"Serving {len(FAULTS)} faults at {server.url}; Ctrl-C ends it.")
            await asyncio.Event().wait()
    except OSError as error:
        last = port + len(DOORS)
        raise ConfigError(
            f"Cannot listen on ports {port} to {last} ({error.strerror}); choose others with --port, or 0 for any."
        ) from None


def snippet(server: FaultServer, *, every: bool = False) -> str:
    """Tables for prysm.toml: a provider for each wire format with the model of one fault, and one bad address.

    With `every`, all faults and all addresses.
    """
    lines = ["# `upstream` names the fault: any of `prysm sandbox --list`, in any of the three formats."]
    for form, fault in SHOWN.items():
        lines += _provider(f"faults-{form}", form, server.url)
        for name in FAULTS if every else (fault,):
            lines += _model(f"{form}-{name}", f"faults-{form}", name)
    lines.append("# Faults before any request have an address each:")
    lines += [f"#   {server.door_url(name)}  {name}" for name in DOORS]
    for name in DOORS if every else (DOOR,):
        lines += _provider(f"faults-{name}", "openai", server.door_url(name))
        lines += _model(name, f"faults-{name}", "fault-none")
    return "\n".join(lines) + "\n"


def _provider(name: str, form: str, url: str) -> list[str]:
    return ["[[providers]]", f'id = "{name}"', f'kind = "{form}"', f'base_url = "{url}"', ""]


def _model(name: str, provider: str, fault: str) -> list[str]:
    never_routed_to = "quality = { default = 0 }"
    return [
        "[[models]]",
        f'id = "{name}"',
        f'provider = "{provider}"',
        f'upstream = "{fault}"',
        'tier = "small"',
        never_routed_to,
        "",
    ]
