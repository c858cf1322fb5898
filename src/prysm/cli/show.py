"""How results look on a terminal. Answers go to stdout, all that is about them to stderr."""

from __future__ import annotations

import json
import sys
from math import floor, log10
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.client import Reply

_KEPT = "\n\t"


def console(*, stderr: bool = True) -> Console:
    """A console that takes text as it is: no markup, no guessing of colours."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def as_json(value: Any) -> None:
    """Print one JSON object on one line."""
    sys.stdout.write(json.dumps(value) + "\n")


def answer(text: str) -> None:
    """Write a piece of an answer, at once."""
    sys.stdout.write(printable(text, sys.stdout))
    sys.stdout.flush()


def printable(text: str, out: TextIO) -> str:
    """What can be written to `out`. On a terminal control characters go too: a model must not steer it."""
    if out.isatty():
        text = "".join(c for c in text if c in _KEPT or c.isprintable())
    encoding = out.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def usd(amount: float | None) -> str:
    """Dollars, none or more: cents, and below a dollar two significant digits. Unknown is said."""
    if amount is None:
        return "unknown"
    digits = 2 if not amount else max(2, 1 - floor(log10(amount)))
    return f"${amount:.{digits}f}"


def share(value: float | None) -> str:
    """A number from 0 to 1; a dash when there is none."""
    return "–" if value is None else f"{value:.2f}"


def footer(prysm: Reply, out: Console) -> None:
    """Say how far to trust an answer, what it cost and how to check its receipt."""
    if about := prysm.get("orchestration"):
        out.print(_trust(about), style="bold")
    elif about := prysm.get("routing"):
        out.print(f"model      {about['model']}: {about['why']}")
    for line in (about or {}).get("degraded") or ():
        out.print(f"note       {line}", style="yellow")
    if prysm.get("simulated"):
        out.print("simulated  no real model answered", style="yellow")
    out.print(_price(prysm.get("cost") or {}))
    if proof := prysm.get("proof"):
        out.print(f"receipt    {proof['request_id']}  check it: prysm proof verify {proof['request_id']}")


def _trust(about: Mapping[str, Any]) -> str:
    bar = share(about.get("bar"))
    if (cleared := about.get("bar_cleared")) is not None:
        bar += ", cleared" if cleared else ", not cleared"
    return f"confidence {share(about.get('confidence'))} (bar {bar}) · agreement {share(about.get('agreement'))}"


def _price(cost: Mapping[str, Any]) -> str:
    line = f"cost       {usd(cost.get('total_usd'))}"
    if saved := cost.get("saved_usd"):
        how = f"saved {usd(saved)} against" if saved > 0 else f"{usd(-saved)} more than"
        line += f" · {how} {cost.get('baseline_model')} alone"
    return line
