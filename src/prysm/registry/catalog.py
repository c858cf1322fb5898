"""Which models there are, and which of them can take a call right now."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from prysm.core.provider import CLOSED
from prysm.errors import NotFound
from prysm.registry.learnt import learnt_figures, taught
from prysm.registry.prices import price_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prysm.core.model import Model
    from prysm.core.provider import ProviderSpec, Standing
    from prysm.registry.learnt import Figures, Learnt


class Catalog:
    """Models and their providers by id. Every question is a lookup; only a change of health or learning computes.

    `models` are as configured, with their prior quality; `get`, `live` and `pool` know what was learnt.
    """

    def __init__(self, models: Iterable[Model], providers: Iterable[ProviderSpec]) -> None:
        self._priors = {model.id: model for model in models}
        self._models: Mapping[str, Model] = self._priors
        self._learnt: Mapping[str, Mapping[str, Learnt]] = {}
        self._providers = {spec.id: spec for spec in providers}
        self._down: frozenset[str] = frozenset()
        self._standings: dict[tuple[str, str | None], Standing] = {}
        self.models: tuple[Model, ...] = tuple(self._priors.values())
        self.providers: tuple[ProviderSpec, ...] = tuple(self._providers.values())
        self.price_version: str = price_version(self.models)
        self.changes = 0
        self._refresh()

    def get(self, model_id: str) -> Model:
        """Return the model that callers name so, live or not; raises `NotFound` (`model_not_found`)."""
        try:
            return self._models[model_id]
        except KeyError:
            raise NotFound(self._not_found(model_id), param="model", code="model_not_found") from None

    def prior(self, model_id: str) -> Model:
        """Return the model as configured, whatever was learnt since; raises as `get`."""
        return self._priors[self.get(model_id).id]

    def learnt(self, model_id: str) -> Mapping[str, Learnt]:
        """Return what feedback taught about a model, by task."""
        return self._learnt.get(model_id, {})

    def learn(self, figures: Figures) -> None:
        """Route by these figures from now on, in place of any earlier ones."""
        learnt = {model.id: learnt_figures(model, figures) for model in self.models}
        self._learnt = learnt
        self._models = {model.id: taught(model, learnt[model.id]) for model in self.models}
        self._refresh()

    def provider(self, provider_id: str) -> ProviderSpec:
        """Return the provider; raises `NotFound` for one that the catalog does not have."""
        try:
            return self._providers[provider_id]
        except KeyError:
            raise NotFound(f"There is no provider {provider_id!r}; it must be listed in prysm.toml.") from None

    def is_live(self, model: Model) -> bool:
        """Whether a call could be made now: a usable key (or none needed), nothing down, no breaker in the way."""
        return model.id in self._live_ids

    def live(self) -> tuple[Model, ...]:
        """Every model that could be called now, in catalog order."""
        return self._live

    def pool(self) -> tuple[Model, ...]:
        """Return the live models that routing may pick by itself: simulated ones only when there is nothing else."""
        return self._pool

    def embedders(self) -> tuple[Model, ...]:
        """Return the live models that make embeddings, chosen likewise; `pool` has none of them."""
        return self._embedders

    @property
    def down(self) -> frozenset[str]:
        """Ids of models and providers that are taken to be unable to answer."""
        return self._down

    def mark_down(self, *ids: str) -> None:
        """Take models or providers out of the pool, for good."""
        self._down |= set(ids)
        self._refresh()

    def stand(self, provider: str, model: str | None, standing: Standing) -> None:
        """Keep to what a breaker says of a model, or, without one, of the provider's credential."""
        self._standings[provider, model] = standing
        self._refresh()

    def standing(self, model: Model) -> Standing:
        """Return what a call to the model would meet: the breaker of its provider's credential, then its own."""
        of_provider = self._standings.get((model.provider, None), CLOSED)
        return (
            of_provider
            if of_provider.state != "closed"
            else self._standings.get((model.provider, model.id), CLOSED)
        )

    def key_refused(self, provider: str) -> bool:
        """Whether the provider refused its credential, and is left alone for that."""
        return self._standings.get((provider, None), CLOSED).state != "closed"

    @property
    def retry_at(self) -> float | None:
        """When the first model that a breaker holds back is tried again, on `time.monotonic`'s clock."""
        held = (self.standing(model).retry_at for model in self.models if not self.is_live(model))
        return min((at for at in held if at is not None), default=None)

    @property
    def limited(self) -> bool:
        """Whether all that breakers hold back are left alone because their providers limit the rate."""
        held = [self.standing(model) for model in self.models if not self.is_live(model)]
        return all(standing.limited for standing in held if standing.retry_at is not None)

    def _refresh(self) -> None:
        self.changes += 1
        able = {spec.id for spec in self.providers if spec.usable and spec.id not in self._down}
        usable = [m for m in self._models.values() if m.provider in able and m.id not in self._down]
        self._live = tuple(model for model in usable if self.standing(model).live)
        self._live_ids = frozenset(model.id for model in self._live)
        self._pool = self._routable(usable, embeds=False)
        self._embedders = self._routable(usable, embeds=True)

    def _routable(self, usable: Iterable[Model], *, embeds: bool) -> tuple[Model, ...]:
        # A real model keeps simulated ones out while it fails too: an outage is not answered by a toy.
        real = any(not model.simulated for model in usable if model.embeds == embeds)
        able = [model for model in self._live if model.embeds == embeds]
        return tuple(model for model in able if not (real and model.simulated))

    def _not_found(self, model_id: str) -> str:
        near = difflib.get_close_matches(model_id[:200], self._models, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        return f"There is no model {model_id[:200]!r}.{hint} GET /v1/models lists them."
