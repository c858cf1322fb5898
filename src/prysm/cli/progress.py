"""A run as it happens: who is at work in a spinner, each finished step a line, the answer on stdout."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from prysm.cli import show

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from prysm.client import Reply

_MARKS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "cancelled": ("–", "dim")}


class Progress:
    """Takes the chunks of one streamed run and shows them. A context manager: it gives the terminal back."""

    def __init__(self) -> None:
        self.text = ""
        self._out = show.console()
        self._status = self._out.status("at work")
        self._working: Counter[str] = Counter()
        self._held: list[Mapping[str, Any]] = []
        self._about: Reply | None = None

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()
        if self.text:
            show.answer("\n")
        for stage in self._held:
            self._print_stage(stage)
        if self._about:
            show.footer(self._about, self._out)

    def take(self, chunk: Reply) -> None:
        """Show what one chunk says."""
        if event := chunk.get("prysm_event"):
            self._event(event)
        for choice in chunk.get("choices") or ():
            self._text((choice.get("delta") or {}).get("content") or "")
        self._about = chunk.get("prysm") or self._about

    def _event(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "plan":
                self._out.print(f"plan       {event['strategy']} under {event['policy']}: {event['reason']}")
                self._out.print(f"models     {', '.join(event['models'])}")
            case "stage_started":
                self._working[f"{event['kind']} {event['model']}"] += 1
                self._spin()
            case "stage":
                self._stage(event["stage"])

    def _stage(self, stage: Mapping[str, Any]) -> None:
        self._working -= Counter((f"{stage['kind']} {stage['model']}",))
        if self.text:
            self._held.append(stage)  # a line in the middle of the answer would break it
            return
        self._print_stage(stage)
        self._spin()

    def _print_stage(self, stage: Mapping[str, Any]) -> None:
        mark, style = _MARKS.get(stage["status"], _MARKS["ok"])
        self._out.print(f"{mark} {_stage_line(stage)}", style=style)

    def _spin(self) -> None:
        running = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in self._working.items())
        self._status.update(running or "at work")

    def _text(self, text: str) -> None:
        if text:
            self._status.stop()
            self.text += text
            show.answer(text)


def _stage_line(stage: Mapping[str, Any]) -> str:
    parts = [f"{stage['kind']:<9} {stage['model'] or '':<28} {stage['ended_ms'] - stage['started_ms']:>6} ms"]
    if stage.get("tokens_out") is not None:
        parts.append(f"{stage['tokens_out']} tokens")
    if stage.get("cost_usd") is not None:
        parts.append(show.usd(stage["cost_usd"]))
    parts += [str(stage[key]) for key in ("error", "note") if stage.get(key)]
    return " · ".join(parts)
