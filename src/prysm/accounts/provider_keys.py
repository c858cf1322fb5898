"""Providers that an organisation calls with its own key: the runs of that organisation do, and no other's.

Each key has a provider of its own, with breaker, limits and retries: what becomes of one account says nothing of
another's. A change is in force in the process that makes it before that answers, in every other within a second; while
the database is away, what was known last holds.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prysm.accounts.following import Follower
from prysm.accounts.own_provider import OwnProvider
from prysm.accounts.sealed_key import Belongs, SealedKey, unseal
from prysm.core.values import dataclass
from prysm.registry.own_catalog import OwnCatalog
from prysm.resilience import resilient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from prysm.core.model import Model
    from prysm.core.ports import Provider
    from prysm.core.provider import ProviderSpec, Standing
    from prysm.errors import FailureKind
    from prysm.registry.catalog import Catalog
    from prysm.resilience.port import Watch
    from prysm.store.provider_keys import ChangedKeys, KnownProviderKey
    from prysm.vault import Vault


@dataclass(frozen=True, slots=True)
class Own:
    """What the runs of an organisation with keys of its own go by.

    `catalog` says what is live for it, `providers` are those that it has keys for, each called with its own.
    """

    catalog: Catalog
    providers: Mapping[str, Provider]


class OwnKeys(Follower["ChangedKeys"]):
    """The keys of all organisations, sealed until they are used. `build` makes a provider that speaks with a key."""

    def __init__(
        self, catalog: Catalog, vault: Vault, build: Callable[[ProviderSpec], Provider], watch: Watch
    ) -> None:
        super().__init__("provider keys")
        self.vault = vault
        self._catalog = catalog
        self._build = build
        self._watch = watch
        self._specs = {spec.id: spec for spec in catalog.providers if spec.needs_key and spec.base_url}
        self._tenants: dict[UUID, _Tenant] = {}

    @property
    def takes(self) -> tuple[str, ...]:
        """The providers that a key can be brought for: those that need one."""
        return tuple(self._specs)

    @property
    def any(self) -> bool:
        """Whether there is one that is in use."""
        return bool(self._tenants)

    def of(self, org: UUID) -> Own | None:
        """What the runs of an organisation go by; None where it has no key of its own."""
        tenant = self._tenants.get(org) if self._tenants else None
        return None if tenant is None else tenant.own()

    def _apply(self, changes: ChangedKeys) -> None:
        for key in changes.keys:
            self._learn(key)

    def _learn(self, key: KnownProviderKey) -> None:
        spec, tenant = self._specs.get(key.provider), self._tenants.get(key.org)
        if spec is None:
            return  # this gateway does not know the provider any longer
        if key.sealed is None:
            if tenant is not None and tenant.drop(key.id):
                self._tenants.pop(key.org)
            return
        if tenant is None:
            tenant = self._tenants[key.org] = _Tenant(self._catalog)
        tenant.take(key, partial(self._hold, spec))

    def _hold(self, spec: ProviderSpec, key: KnownProviderKey, changed: Callable[[], None]) -> _Held:
        watched = _Watched(self._watch, changed)
        own = OwnProvider(spec, partial(_opened, self.vault, key), self._build)
        return _Held(key, own, resilient(own, spec, watched), watched.standings)


@dataclass(frozen=True, slots=True)
class _Held:
    """A key in use: what calls with it, that behind its breaker, and what the breaker says."""

    key: KnownProviderKey
    own: OwnProvider
    provider: Provider
    standings: Mapping[str | None, Standing]


class _Tenant:
    """The keys of one organisation, at most one for each provider."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._held: dict[str, _Held] = {}
        self._own: Own | None = None
        self._of = -1

    def take(self, key: KnownProviderKey, hold: Callable[[KnownProviderKey, Callable[[], None]], _Held]) -> None:
        """Call its provider with this key from now on."""
        known = self._held.get(key.provider)
        if known is not None:
            if known.key == key:
                return  # told before
            known.own.revoke()
        self._held[key.provider] = hold(key, self._moved)
        self._moved()

    def drop(self, id_: UUID) -> bool:
        """Call nobody with this key any more; whether no other is left."""
        for provider, held in list(self._held.items()):
            if held.key.id == id_:
                held.own.revoke()
                del self._held[provider]
                self._moved()
        return not self._held

    def own(self) -> Own:
        """What its runs go by now: made anew when its breakers changed, or anything that the catalog goes by."""
        if self._own is None or self._of != self._catalog.changes:
            self._of = self._catalog.changes
            catalog = OwnCatalog(self._catalog, {name: held.standings for name, held in self._held.items()})
            self._own = Own(catalog, {name: held.provider for name, held in self._held.items()})
        return self._own

    def _moved(self) -> None:
        self._own = None


class _Watched:
    """Keeps what the breakers of one key say. Of them nobody else is told: they say nothing of the provider."""

    def __init__(self, watch: Watch, changed: Callable[[], None]) -> None:
        self.standings: dict[str | None, Standing] = {}
        self._watch = watch
        self._changed = changed

    def stands(self, _: str, model: str | None, standing: Standing) -> None:
        """A breaker changed."""
        self.standings[model] = standing
        self._changed()

    def retried(self, model: Model, kind: FailureKind) -> None:
        """A call is made again."""
        self._watch.retried(model, kind)

    def hedged(self, model: Model) -> None:
        """A call got a second one beside it."""
        self._watch.hedged(model)


def _opened(vault: Vault, key: KnownProviderKey) -> str:
    sealed = SealedKey(key.wrapped_key or b"", key.sealed or b"")
    return unseal(vault, sealed, Belongs(key.id, key.org, key.provider))
