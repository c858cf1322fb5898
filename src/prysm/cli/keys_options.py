"""The options of `prysm keys`: what a key may do and spend. `none` lifts what was set before."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import typer

Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="The key's id: `prysm keys list` shows it.")]
Role: TypeAlias = Annotated[Literal["member", "admin", "reader"] | None, typer.Option(help="What it may do.")]
Budget: TypeAlias = Annotated[
    str | None, typer.Option("--budget", metavar="USD", help="The most it may spend; 'none' lifts it.")
]
Period: TypeAlias = Annotated[
    Literal["total", "day", "month"] | None, typer.Option(help="What the budget is for; default: total.")
]
Rpm: TypeAlias = Annotated[str | None, typer.Option(metavar="N", help="Requests a minute; 'none' lifts it.")]
Tpm: TypeAlias = Annotated[str | None, typer.Option(metavar="N", help="Tokens a minute; 'none' lifts it.")]
Concurrency: TypeAlias = Annotated[str | None, typer.Option(metavar="N", help="Runs at once; 'none' lifts it.")]
Models: TypeAlias = Annotated[
    list[str] | None, typer.Option("--model", help="A model it may use, and so on; 'none' lifts it.")
]
Strategies: TypeAlias = Annotated[
    list[str] | None, typer.Option("--strategy", help="A strategy it may use, and so on; 'none' lifts it.")
]
Scopes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--scope", help="chat, embeddings, feedback, usage, admin: all unless given; 'none' lifts it."),
]
Retention: TypeAlias = Annotated[
    str | None, typer.Option(metavar="zero", help="No text of its runs is kept; 'none' lifts it.")
]
Cache: TypeAlias = Annotated[bool | None, typer.Option("--cache/--no-cache", help="Answer from the cache.")]
Tags: TypeAlias = Annotated[list[str] | None, typer.Option("--tag", metavar="K=V", help="Marks what it spends.")]
Expires: TypeAlias = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="As 2031-01-31T12:00:00Z; 'none' lifts it.")
]
