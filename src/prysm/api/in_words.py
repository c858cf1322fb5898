"""Errors of a run in the words of the API that it was asked for in: the planner speaks of chat completions' fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from prysm.errors import PrysmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from prysm.api.respond import Runs
    from prysm.core.caller import Caller
    from prysm.core.events import Emit
    from prysm.core.plan import ChatRequest
    from prysm.gateway import Answer

_FIELD = re.compile(r"(?<=')[a-z_]+(?=')|\b[a-z]+_[a-z_]+\b")
"""A field's name in a sentence; one that may be an English word stands in quotes."""
_MESSAGE = re.compile(r"\bmessages\[(\d+)\]((?:\.\w+(?:\[\d+\])?)*)")


class Place(NamedTuple):
    """Where a message came from. `whole`: it is all that stands there, its parts in the same order."""

    path: str
    whole: bool = False


class InWords:
    """Runs whose errors name the caller's own fields.

    `fields` are the names that differ, by those of chat completions; `places` says where each message came from, and
    is asked only when one is named.
    """

    def __init__(self, runs: Runs, fields: Mapping[str, str], places: Callable[[], Sequence[Place]]) -> None:
        self._runs = runs
        self._fields = fields
        self._places = places

    async def run(self, request: ChatRequest, request_id: UUID, emit: Emit, caller: Caller) -> Answer:
        """Answer `request`; raises a `PrysmError`."""
        try:
            return await self._runs.run(request, request_id, emit, caller)
        except PrysmError as error:
            self._reword(error)
            raise

    def _reword(self, error: PrysmError) -> None:
        told = _FIELD.sub(lambda found: self._fields.get(found[0], found[0]), error.message)
        error.message = _MESSAGE.sub(self._at, told)
        error.args = (error.message,)
        if error.param is not None:
            error.param = _MESSAGE.sub(self._at, self._fields.get(error.param, error.param))

    def _at(self, found: re.Match[str]) -> str:
        places, i = self._places(), int(found[1])
        if i >= len(places):
            return found[0]
        place, within = places[i], found[2].replace(".image_url.", ".")
        return place.path + within if place.whole and within.startswith(".content") else place.path
