"""`prysm proof`."""

from __future__ import annotations

import sys
from importlib import import_module
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect
from prysm.client import BadAnswer
from prysm.errors import ConfigError
from prysm.proof.document import NoReceipt, is_id
from prysm.proof.options import read_file, verification
from prysm.proof.trust import default_path, read_trust, remember
from prysm.proof.verify import verify_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.proof.report import Report
    from prysm.proof.trust import Trust

_STYLE = {True: "green", False: "red", None: "yellow"}


class Group(TyperGroup):
    """Has commands besides that need half the server, and loads these only when they are asked for."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command."""
        if found := super().get_command(ctx, cmd_name):
            return found
        return _prompt() if cmd_name == "prompt" else _operators().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """All names."""
        return [*super().list_commands(ctx), "prompt", *_operators().list_commands(ctx)]


def _operators() -> Any:
    return typer.main.get_command(import_module("prysm.cli.proof_admin").admin)


def _prompt() -> Any:
    command = typer.main.get_command(import_module("prysm.cli.proof_prompt").prompt)
    command.name = "prompt"
    return command


proof = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Fetch a receipt, or check one. A receipt needs no API key.",
)


@proof.command()
def get(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, with or without `prysm-`.")],
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="The whole receipt with stages and keys, as JSON: save it, and verify it offline."
        ),
    ] = False,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Show what a receipt says."""
    with connect(url, key) as client:
        document = client.proof_document(request_id) if everything else client.proof(request_id)
    if json:
        show.as_json(document)
    elif everything:
        sys.stdout.write(dumps(document, indent=2) + "\n")
    else:
        _show(document)


@proof.command()
def verify(  # noqa: PLR0913 -- an option is an argument
    what: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="The run's id, or a file from `prysm proof get ID --all`.")
    ],
    *,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Believe only these keys, saved from /.well-known/prysm-keys.json."),
    ] = None,
    openings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The answer with its openings, as JSON: opens the text too.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The answer's text as received, if not in that JSON.")
    ] = None,
    prompt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The request, or its messages, as JSON.")
    ] = None,
    witness: Annotated[
        list[str] | None, typer.Option(metavar="NAME=KEY", help="Demand its cosignature. May be repeated.")
    ] = None,
    consistency: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An answer of /v1/log/proof/consistency, where no gateway is asked."),
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="Compare the checkpoint with the last one seen.")
    ] = True,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Recompute a receipt here, whatever the gateway says of it. A file needs no gateway.

    Exit code: 0 when signature, stages and inclusion hold and nothing that was checked failed, 10 + N when level N
    failed first, 1 when nothing failed but one of the three could not be checked, 2 when there was nothing to check.
    """
    given = verification(keys, openings, text, prompt, witness or (), consistency=consistency)
    path = default_path()
    trust = read_trust(path, given["keys"]) if memory else None
    file = _file(what)
    report = _fetched(what, trust, given, url, key) if file is None else _saved(file, trust, given)
    if json:
        show.as_json(report.as_json())
    else:
        _show_checks(report)
    learn = file is None or keys is not None
    if trust is not None and (alarm := remember(path, trust, report, learn=learn)):
        show.console().print(show.printable(alarm, sys.stderr), style="bold red")
    raise typer.Exit(report.exit_code)


def _file(what: str) -> Path | None:
    """The file that is meant, None for the id of a run. Raises `ConfigError` for what is neither."""
    path = Path(what)
    try:
        if path.is_file():
            return path
    except OSError:
        pass  # too long for a name
    if not is_id(what):
        raise ConfigError(f"There is no file {what[:80]!r}, and that is not the id of a run.")
    return None


def _fetched(what: str, trust: Trust | None, given: dict[str, Any], url: str, key: str | None) -> Report:
    with connect(url, key) as client:
        return client.verify_proof(what, trust=trust, **given)


def _saved(path: Path, trust: Trust | None, given: dict[str, Any]) -> Report:
    try:
        return verify_bytes(read_file(path), trust=trust, **given)
    except NoReceipt as error:
        raise BadAnswer(f"{path} is no receipt: save one with `prysm proof get ID --all`.") from error


def _show(document: Mapping[str, Any]) -> None:
    out = show.console(stderr=False)
    out.print(f"{'run':<13} {document['request_id']}")
    for name, value in document["entry"].items():
        out.print(show.printable(f"{name:<13} {_value(name, value)}", sys.stdout))
    out.print(f"{'proof_hash':<13} {document['proof']['proof_hash']}")
    out.print(f"{'gateway says':<13} {'verified' if document['verified'] else 'NOT verified'}")
    out.print(f"check it yourself: prysm proof verify {document['request_id']}")


def _value(name: str, value: Any) -> str:
    if name == "cost_usd":
        return show.usd(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


def _show_checks(report: Report) -> None:
    out = show.console(stderr=False)
    for check in report.checks:
        out.print(show.printable(check.line(), sys.stdout), style=_STYLE[check.ok])
    out.print(show.printable(report.verdict(), sys.stdout), style="bold")
