"""The catalog as it is for an organisation with keys of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.registry.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.provider import Standing


class OwnCatalog(Catalog):
    """What a catalog holds at this moment, with some providers reached by keys that the operator does not have.

    These are live whatever became of the operator's own keys. `standings` are what the breakers of the other keys say,
    by provider and model; without a model, of the key itself.
    """

    def __init__(self, catalog: Catalog, standings: Mapping[str, Mapping[str | None, Standing]]) -> None:
        vars(self).update(vars(catalog))
        reached = {
            name: replace(catalog.provider(name), api_key=None, api_key_env=None, needs_key=False)
            for name in standings
        }
        self._providers = self._providers | reached
        self.providers = tuple(self._providers.values())
        others = {at: standing for at, standing in self._standings.items() if at[0] not in standings}
        own = {(name, model): standing for name, found in standings.items() for model, standing in found.items()}
        self._standings = others | own
        self._refresh()
