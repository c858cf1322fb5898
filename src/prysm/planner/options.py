"""What a caller may say about a strategy, and which strategies listen. Nothing is ignored silently."""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.errors import UnsupportedParameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prysm.core.plan import ChatRequest, StrategyName
    from prysm.planner.crew import Crew

_VOTES: tuple[StrategyName, ...] = ("ensemble_moa", "blender", "self_consistency", "debate")

READ_BY: Mapping[str, tuple[StrategyName, ...]] = MappingProxyType(
    {
        "k": ("cascade", *_VOTES),
        "samples": ("self_consistency",),
        "rounds": ("debate",),
        "layers": ("ensemble_moa",),
        "aggregator": ("ensemble_moa", "blender", "decompose_and_route"),
        "judge_model": ("cascade", "blender", "debate"),
        "consensus": _VOTES,
        "consensus_threshold": _VOTES,
    }
)
"""Which strategies read a field of the request, by its name there."""

WIDTHS = frozenset({"k", "samples"})
"""How much to spend at the most, whatever the strategy: one that spends less says so and is not refused."""

_OWN_NAMES: Mapping[str, str] = MappingProxyType({"judge_model": "judge"})

_said = attrgetter(*(_OWN_NAMES.get(name, name) for name in READ_BY))
_NOTHING_SAID = (None,) * len(READ_BY)


def refuse_unread(request: ChatRequest, strategy: StrategyName) -> None:
    """Raise when the caller forced a strategy and says what that strategy does not listen to."""
    for name in _unread(request, strategy):
        if name not in WIDTHS:
            raise UnsupportedParameter(
                f"The strategy {strategy} does not read '{name}'; {_subject(READ_BY[name])}. "
                f"Leave it out, or use one of those.",
                param=name,
            )


def unread(request: ChatRequest, crew: Crew) -> tuple[str, ...]:
    """What to say of the fields that the crew chosen in the end does not listen to."""
    if _said(request) == _NOTHING_SAID:
        return ()
    names = (*_unread(request, crew.strategy), *_overruled(request, crew))
    return tuple(dict.fromkeys(f"unused:{name}" for name in names))


def _overruled(request: ChatRequest, crew: Crew) -> Iterator[str]:
    """What the strategy listens to, but not beside what else was said."""
    counts = (request.samples,) if crew.strategy == "self_consistency" else (len(set(request.models)) or None,)
    if request.k is not None and any(count not in {None, request.k} for count in counts):
        yield "k"
    if request.aggregator is not None and crew.listed:  # put side by side without a call
        yield "aggregator"


def _subject(names: tuple[str, ...]) -> str:
    return f"{' and '.join(names)} {'does' if len(names) == 1 else 'do'}"


def _unread(request: ChatRequest, strategy: StrategyName) -> Iterator[str]:
    for name, readers in READ_BY.items():
        if getattr(request, _OWN_NAMES.get(name, name)) is not None and strategy not in readers:
            yield name
