"""`prysm chat`."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from prysm.cli import one_line, show
from prysm.cli.connection import URL, Json, Key, Url, connect, text_of
from prysm.cli.progress import Progress
from prysm.client import PrysmClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prysm.client import Prysm

    Ask: TypeAlias = Callable[[Prysm, str, list["Message"]], str]

Message: TypeAlias = dict[str, Any]


def chat(
    message: Annotated[
        str | None,
        typer.Argument(metavar="MESSAGE", show_default="talk line by line", help="Ask this once, and leave."),
    ] = None,
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="auto, a model's id, prysm/<policy> or prysm/<strategy>."),
    ] = "auto",
    *,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Talk to a model, line by line or once.

    Each line of standard input is a turn, and the model sees the turns before it; Ctrl-D ends. Answers go to
    standard output. With --json each answer is one line: the gateway's whole reply.
    """
    ask = _ask_json if json else _ask
    with connect(url, key) as client:
        if message is not None:
            ask(client, model, [{"role": "user", "content": text_of(message)}])
            return
        history: list[Message] = []
        for line in _lines():
            history = _turn(client, model, history, line, ask)


def _turn(client: Prysm, model: str, history: list[Message], line: str, ask: Ask) -> list[Message]:
    """Take one turn. A turn that fails is told and forgotten on a terminal; elsewhere it ends the command."""
    asked = [*history, {"role": "user", "content": line}]
    try:
        return [*asked, {"role": "assistant", "content": ask(client, model, asked)}]
    except PrysmClientError as error:
        if not sys.stdin.isatty():
            raise
        typer.echo(f"prysm: {one_line(error)}", err=True)
        return history


def _lines() -> Iterator[str]:
    if not sys.stdin.isatty():
        yield from filter(None, (line.strip() for line in sys.stdin))
        return
    with suppress(ImportError):
        import_module("readline")  # gives input() line editing and history
    typer.echo("Ctrl-D ends.", err=True)
    with suppress(EOFError):
        while True:
            if line := input("> ").strip():
                yield line
    typer.echo(err=True)


def _ask(client: Prysm, model: str, messages: list[Message]) -> str:
    completions = client.chat.completions
    with Progress() as progress, completions.create(model=model, messages=messages, stream=True) as stream:
        for chunk in stream:
            progress.take(chunk)
    return progress.text


def _ask_json(client: Prysm, model: str, messages: list[Message]) -> str:
    reply = client.chat.completions.create(model=model, messages=messages)
    show.as_json(reply)
    return str(reply["choices"][0]["message"]["content"] or "")
