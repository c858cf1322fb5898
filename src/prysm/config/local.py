"""How `prysm serve` tells its workers of the model server it started for them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "LOCAL_MODEL_SERVER"
"""Set by a parent for its children; not a setting for people."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model server that the gateway's own parent process started."""

    base_url: str
    api_key: str = field(repr=False)

    def to_environment(self) -> dict[str, str]:
        """The variable that carries this to a child."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """What the parent started, or None."""
        carried = environ.get(VARIABLE)
        return cls(**json.loads(carried)) if carried else None
