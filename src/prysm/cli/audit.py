"""`prysm audit`."""

from __future__ import annotations

import json as jsons
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect
from prysm.cli.paging import every
from prysm.errors import ConfigError
from prysm.proof.audited import check_event
from prysm.proof.defect import Defect
from prysm.proof.document import load
from prysm.proof.keys import KeyRing
from prysm.proof.options import pinned_keys
from prysm.proof.report import Unchecked

if TYPE_CHECKING:
    from collections.abc import Iterator


PAGE = 1000
SAY_EVERY = 100

audit = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Show what administrators did, or check it. Takes the root key, or an admin's.",
)


@audit.command("list")
def listed(
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Show what administrators did: when, who, what, to what, and its leaf in the log."""
    with connect(url, key) as client:
        for _, event in zip(range(limit), every(partial(client.audit, limit=min(limit, PAGE))), strict=False):
            if json:
                show.as_json(event)
            else:
                show.console(stderr=False).print(show.printable(_line(event), sys.stdout))


@audit.command()
def export(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write; a file there is replaced.")],
    *,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Write every event with the proof of its place in the log, one JSON object a line, the newest first."""
    draft, number = out.with_name(f".{out.name}.draft"), 0
    try:
        with connect(url, key) as client, draft.open("w", encoding="utf-8") as file:
            for event in every(partial(client.audit, limit=PAGE)):
                file.write(jsons.dumps(client.audit_event(event["id"])) + "\n")
                number += 1
                if number % SAY_EVERY == 0:
                    sys.stderr.write(f"{number} events\n")
        draft.replace(out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}): choose another --out.") from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    if json:
        show.as_json({"events": number, "file": str(out)})
    else:
        show.console(stderr=False).print(
            f"{number} events in {out}; check them: prysm audit verify {out} --keys KEYS"
        )


@audit.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="From `prysm audit export`, or one event.")],
    *,
    keys: Annotated[
        Path, typer.Option(metavar="FILE", help="The keys to believe, saved from /.well-known/prysm-keys.json.")
    ],
    json: Json = False,
) -> None:
    """Recompute offline that every event is the leaf of the log that it says it is.

    Exit code: 0 when all are, 1 when one is not or is not in the log yet, 2 when there was nothing to check.
    """
    ring = KeyRing(pinned_keys(keys), pinned=True)
    found = [_checked(line, ring) for line in _lines(file)]
    if not found:
        raise ConfigError(f"{file} holds no events: save them with `prysm audit export`.")
    out = show.console(stderr=False)
    for result in found:
        if json:
            show.as_json(result)
        elif not result["ok"]:
            out.print(show.printable(f"{_SAID[result['ok']]}  {result['id']}  {result['detail']}", sys.stdout))
    good = sum(result["ok"] is True for result in found)
    if not json:
        out.print(f"{good} of {len(found)} events are in the log as they stand here")
    raise typer.Exit(0 if good == len(found) else 1)


_SAID = {False: "BAD", None: "NOT PROVED"}


def _line(event: Any) -> str:
    leaf = "waits for the log" if event["log"] is None else f"leaf {event['log']['index']}"
    detail = jsons.dumps(event["detail"], ensure_ascii=False) if event["detail"] else ""
    words = (event["at"][:19] + "Z", event["actor"], event["action"], event["target"], f"({leaf})", detail)
    return "  ".join(word for word in words if word)


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as lines:
            yield from (line for line in lines if line.strip())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}).") from None


def _checked(line: bytes, ring: KeyRing) -> dict[str, Any]:
    name = None
    try:
        event = load(line)
        name = event.get("id") if isinstance(event, dict) else None
        return {"id": name, "ok": True, "detail": check_event(event, ring)}
    except Unchecked as why:
        return {"id": name, "ok": None, "detail": str(why)}
    except Defect as defect:
        return {"id": name, "ok": False, "detail": str(defect)}
