"""`prysm orchestrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from prysm.cli import show
from prysm.cli.connection import URL, Json, Key, Url, connect, text_of
from prysm.cli.progress import Progress

if TYPE_CHECKING:
    from prysm.client import Prysm, Reply


def orchestrate(  # noqa: PLR0913  # one argument an option
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt; `-` reads it from standard input.")],
    *,
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="How much to spend: efficiency, balanced or depth.")
    ] = "balanced",
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            "-s",
            show_default="the planner's choice",
            help="Force single, cascade, ensemble_moa, blender, decompose_and_route, self_consistency or debate.",
        ),
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="How many models, 1–8.")] = None,
    samples: Annotated[int | None, typer.Option("--samples", help="How many samples, 2–40.")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="Use exactly this model; repeat for more.")
    ] = None,
    max_cost_usd: Annotated[float | None, typer.Option("--max-cost-usd", help="Hard ceiling of the cost.")] = None,
    deadline_s: Annotated[float | None, typer.Option("--deadline-s", help="Answer within so many seconds.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its cost; call no model.")] = False,
    json: Json = False,
    url: Url = URL,
    key: Key = None,
) -> None:
    """Put several models on one prompt, and watch them work.

    The answer goes to standard output; the plan, the stages as they end, the confidence, the cost and the receipt
    go to standard error.
    """
    text = text_of(prompt)
    fields: dict[str, Any] = {
        "policy": policy,
        "strategy": strategy,
        "k": k,
        "samples": samples,
        "models": model or None,
        "max_cost_usd": max_cost_usd,
        "deadline_s": deadline_s,
        "dry_run": dry_run or None,
    }
    with connect(url, key) as client:
        if json:
            show.as_json(client.orchestrate(text, **fields))
        elif dry_run:
            _show_plan(client.orchestrate(text, **fields))
        else:
            _watch(client, text, fields)


def _watch(client: Prysm, prompt: str, fields: dict[str, Any]) -> None:
    with Progress() as progress, client.orchestrate(prompt, stream=True, **fields) as stream:
        for chunk in stream:
            progress.take(chunk)


def _show_plan(reply: Reply) -> None:
    about, estimate = reply["prysm"]["orchestration"], reply["prysm"]["estimate"]
    out = show.console(stderr=False)
    out.print(f"plan     {about['strategy']} under {about['policy']}: {about['reason']}")
    out.print(f"models   {', '.join(about['models_used'])}")
    out.print(f"calls    at most {estimate['calls_max']}")
    out.print(f"cost     {show.usd(estimate['cost_usd_expected'])}, at most {show.usd(estimate['cost_usd_max'])}")
    out.print(f"latency  {_ms(estimate['latency_ms_expected'])}")
    for line in about.get("degraded") or ():
        out.print(f"note     {line}")


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"about {value:.0f} ms"
