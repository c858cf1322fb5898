"""The command line. Each command lives in a module of its own, loaded when it is called: `--help` stays quick.

Exit codes, as grep has them: 0 done, 1 a check failed, 2 the command could not be carried out.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

import prysm
from prysm.errors import PrysmError

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "serve": "Start the gateway here.",
    "orchestrate": "Put several models on one prompt, and watch them work.",
    "chat": "Talk to a model, line by line or once.",
    "route": "Show which model would answer, and why.",
    "models": "List the models, or pull the local one.",
    "replay": "Try the strategies on recorded answers.",
    "sandbox": "Serve models that fail, to try the gateway against.",
    "calibrate": "Fit confidence to your own outcomes.",
    "proof": "Fetch a receipt, or check one; export, delete; keys.",
    "keys": "Make API keys, list, change, rotate and revoke them.",
    "audit": "Show what administrators did, export it, or check it.",
    "usage": "Show what was used and what it cost.",
    "budgets": "List budgets, make, change or end one.",
    "credits": "Show what an organisation has left, or book some.",
    "retention": "Show how long things are kept, or prune now.",
    "fsck": "Recompute all receipts and the log, and name what is wrong.",
    "feedback": "Say whether an answer was right.",
    "outcomes": "Show what was said of the answers, or export it.",
}
"""Name → one line. Command `x` is `prysm.cli.x.x`: a function, or an app with commands of its own."""


class LazyGroup(TyperGroup):
    """Lists the commands from `COMMANDS` and loads one when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Put the real command in the place of the listed one."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name and listed else listed, rest

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error of ours is one line, not a traceback."""
        try:
            return super().invoke(ctx)
        except PrysmError as error:
            typer.echo(f"prysm: {one_line(error)}", err=True)
            raise typer.Exit(2) from error


def _load(name: str) -> Any:
    command = getattr(import_module(f"prysm.cli.{name}"), name)
    if not isinstance(command, typer.Typer):
        function, command = command, typer.Typer(add_completion=False, rich_markup_mode=None)
        command.command(name)(function)
    loaded = typer.main.get_command(command)
    loaded.name = name
    return loaded


def one_line(error: PrysmError) -> str:
    """Say an error in one line that cannot steer the terminal."""
    message = " ".join("".join(c if c.isprintable() else " " for c in error.message).split())
    if error.code == "invalid_api_key":
        message += " Set PRYSM_API_KEY or --key, or PRYSM_DATA_DIR for a gateway on this machine."
    return message


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is ready in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Several language models on one prompt, and a receipt for every answer.",
    epilog="Every command has its own --help. PRYSM_BASE_URL and PRYSM_API_KEY name the gateway and its key.",
)


def _listed() -> None:
    """Stand in for a command in the list of commands."""


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(_listed)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"prysm {prysm.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[  # typer calls `_show_version` before this runs
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""


main: Callable[[], Any] = app
