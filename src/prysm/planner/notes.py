"""A crew in plain English: who does what."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import StrategyName
    from prysm.planner.crew import Crew


def described(crew: Crew) -> str:
    """What the crew does, as the rest of a sentence."""
    return _NOTES.get(crew.strategy, _panel_note)(crew)


def names(models: Sequence[Model]) -> str:
    """The names that people read."""
    return ", ".join(model.display for model in models)


def _cascade_note(crew: Crew) -> str:
    *cheap, last = crew.models
    return f"cheap first ({names(cheap)}), {last.display} if they leave doubt" if cheap else _alone_note(crew)


def _alone_note(crew: Crew) -> str:
    return f"{crew.models[0].display} answers alone"


def _samples_note(crew: Crew) -> str:
    return f"{crew.models[0].display} answers up to {crew.samples} times"


def _parts_note(crew: Crew) -> str:
    routed, top = f"goes to the best of {len(crew.models)} models", crew.aggregator or crew.models[0]
    if crew.listed:
        return f"each of the {crew.listed} parts {routed}, their answers are put side by side"
    return f"each part {routed}, {top.display} puts them together"


def _panel_note(crew: Crew) -> str:
    if len({model.id for model in crew.models}) < len(crew.models):
        return f"{crew.models[0].display} proposes {len(crew.models)} times"
    return f"{names(crew.models)} propose"


_NOTES: Mapping[StrategyName, Callable[[Crew], str]] = MappingProxyType(
    {
        "single": _alone_note,
        "cascade": _cascade_note,
        "decompose_and_route": _parts_note,
        "self_consistency": _samples_note,
    }
)
