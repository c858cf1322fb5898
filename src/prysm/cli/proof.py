"""`prysm proof`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect
from prysm.client import BadAnswer, verify_document
from prysm.client.reply import parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.proof.verify import Report

_SAID = {True: ("ok", "green"), False: ("failed", "red"), None: ("not checked", "yellow")}

proof = typer.Typer(
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
        typer.Option("--all", help="The whole receipt with every stage, as JSON: save it, and verify it offline."),
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
def verify(
    what: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="The run's id, or a file from `prysm proof get ID --all`.")
    ],
    *,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Recompute a receipt here, whatever the gateway says of it. A file needs no gateway.

    Exit code: 0 when nothing that was checked failed, 1 when a check failed, 2 when there was nothing to check.
    """
    path = Path(what)
    if path.is_file():
        report = verify_document(_document(path))
    else:
        with connect(url, key) as client:
            report = client.verify_proof(what)
    if json:
        show.as_json({"ok": report.ok, "checks": [asdict(check) for check in report.checks]})
    else:
        _show_checks(report)
    raise typer.Exit(0 if report.ok else 1)


def _document(path: Path) -> Mapping[str, Any]:
    try:
        return parse_object(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadAnswer(f"{path} is no receipt: save one with `prysm proof get ID --all`.") from error


def _show(document: Mapping[str, Any]) -> None:
    out = show.console(stderr=False)
    out.print(f"{'run':<13} {document['request_id']}")
    for name, value in document["entry"].items():
        out.print(f"{name:<13} {_value(name, value)}")
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
        said, style = _SAID[check.ok]
        out.print(f"{said:<11} {check.name:<11} {check.detail}", style=style)
