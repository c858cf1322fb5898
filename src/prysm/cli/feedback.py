"""`prysm feedback`."""

from __future__ import annotations

from typing import Annotated

import typer

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect


def feedback(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, with or without `prysm-`.")],
    *,
    correct: Annotated[bool | None, typer.Option("--correct/--wrong", help="Whether the answer was right.")] = None,
    score: Annotated[float | None, typer.Option(min=0, max=1, help="Or how good it was, 0 to 1.")] = None,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Say whether an answer was right. Routing learns from it; saying it again replaces it."""
    if (correct is None) == (score is None):
        raise typer.BadParameter("give exactly one of --correct, --wrong and --score")
    with connect(url, key) as client:
        reply = client.feedback(request_id, score=score, correct=correct)
    if json:
        show.as_json(reply)
    else:
        again = ", in place of what was said before" if reply["replaced"] else ""
        show.console(stderr=False).print(f"kept: {reply['request_id']} scores {reply['score']:g}{again}")
