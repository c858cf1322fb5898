"""Who is calling, known without asking the database: every process holds all live keys, and follows their changes.

A change is in force in the process that makes it before that answers, and in every other within a second. While the
database is away, what was known last holds.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.accounts.admission import Counting
from prysm.accounts.following import Follower
from prysm.accounts.keys import MIN_KEY_LENGTH, PREFIX, digest_of, is_well_formed, new_key, prefix_of, root_digest
from prysm.core.caller import ROOT, Caller, Limits
from prysm.core.values import dataclass
from prysm.errors import ConfigError, InvalidApiKey

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.accounts.following import Source
    from prysm.accounts.keys import NewKey
    from prysm.store.directory import Changes, KnownBudget, KnownKey, KnownOrganisation, KnownSecret

ASK_AT_MOST_EVERY_S = 0.1
"""However many unknown keys come, the database is asked for news no more often."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a presented key is held against."""

    secret: KnownSecret
    caller: Caller


class Directory(Follower["Changes"]):
    """All callers. The root key is known from the start, by its hash; the others once it follows a source.

    Raises ConfigError when the root key is short.
    """

    def __init__(self, root_key: str) -> None:
        super().__init__("keys")
        if len(root_key) < MIN_KEY_LENGTH:
            raise ConfigError(
                f"PRYSM_ROOT_KEY is shorter than {MIN_KEY_LENGTH} characters; use a long random one, or unset it "
                "and one is generated."
            )
        self._root = root_digest(root_key)
        self._root_caller = ROOT
        self._pepper = b""
        self._asked = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._orgs: dict[UUID, KnownOrganisation] = {}
        self._keys: dict[UUID, KnownKey] = {}
        self._entries: dict[str, _Entry] = {}
        self._budgets: dict[UUID, KnownBudget] = {}
        self._counting: dict[tuple[UUID, UUID | str | None], tuple[KnownBudget, ...]] = {}

    async def follow_with(self, source: Source[Changes], pepper: bytes) -> None:
        """Follow a source of keys that were made with this pepper. Raises Overloaded."""
        self._pepper = pepper
        await self.follow(source)

    async def ask(self) -> None:
        """As `refresh`, for a key that nobody knows: all who ask meanwhile share the answer to one question."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)

    def issue(self) -> NewKey:
        """Make a key that this directory will know once it is stored."""
        return new_key(self._pepper)

    def authenticate(self, authorization: str | None) -> Caller:
        """The caller behind an `Authorization: Bearer …` header; raises `InvalidApiKey`."""
        key = _bearer(authorization)
        if key is not None:
            if hmac.compare_digest(root_digest(key), self._root):
                return self._root_caller
            entry = self._entries.get(prefix_of(key))
            if entry is not None and hmac.compare_digest(digest_of(key, self._pepper), entry.secret.digest):
                return _unless_expired(entry)
        raise InvalidApiKey(
            "Missing or unknown API key. Send `Authorization: Bearer <key>` (or `x-api-key: <key>`); an admin makes "
            "keys with `prysm keys create`, and the root key is in the file `root.key` of the gateway's data "
            "directory."
        )

    def is_ours(self, key: str) -> bool:
        """Whether this is, or says that it is, a key of this gateway's, known or not."""
        return PREFIX in key or hmac.compare_digest(root_digest(key), self._root)

    def may_be_new(self, authorization: str | None) -> bool:
        """Whether this could be a key that was made elsewhere a moment ago."""
        key = _bearer(authorization)
        return key is not None and is_well_formed(key) and prefix_of(key) not in self._entries

    def budgets(self, caller: Caller, tags: tuple[str, ...]) -> Counting:
        """Those that count a run of this caller under these tags: of its organisation, project, key, each tag."""
        if not self._budgets:
            return _NOTHING
        subjects = (None, caller.project, caller.key or "", *dict.fromkeys(tags))
        found = [budget for subject in subjects for budget in self._counting.get((caller.org, subject), ())]
        return Counting(tuple(budget.id for budget in found), any(budget.hard for budget in found))

    async def _ask(self) -> None:
        await asyncio.sleep(self._asked + ASK_AT_MOST_EVERY_S - time.monotonic())
        self._asked, self._asking = time.monotonic(), None  # who asks from here on may ask for what came later
        await self.refresh()

    def _apply(self, changes: Changes) -> None:
        new_orgs = {one.id for one in changes.organisations if self._orgs.get(one.id) != one}
        self._orgs.update((one.id, one) for one in changes.organisations)
        new_keys = {one.id: one for one in changes.keys if self._keys.get(one.id) != one}
        if new_orgs:  # the limits of its organisation are a caller's too
            new_keys = {key.id: key for key in self._keys.values() if key.org in new_orgs} | new_keys
            self._root_caller = _limited(ROOT, self._orgs[ROOT.org])
        for key in new_keys.values():
            self._learn(key)
        new_budgets = [one for one in changes.budgets if self._budgets.get(one.id) != one]
        if any(not one.deleted or one.id in self._budgets for one in new_budgets):
            self._count(new_budgets)

    def _learn(self, key: KnownKey) -> None:
        before = self._keys.pop(key.id, None)
        for secret in before.secrets if before else ():
            self._entries.pop(secret.prefix, None)
        if key.revoked:
            return
        self._keys[key.id] = key
        caller = _caller(key, self._orgs[key.org])
        for secret in key.secrets:
            ends = [each for each in (key.expires, secret.expires) if each is not None]
            self._entries[secret.prefix] = _Entry(secret, replace(caller, expires=min(ends, default=None)))

    def _count(self, changed: list[KnownBudget]) -> None:
        for budget in changed:
            if budget.deleted:
                self._budgets.pop(budget.id, None)
            else:
                self._budgets[budget.id] = budget
        counting = defaultdict(list)
        for budget in self._budgets.values():
            counting[budget.org, budget.project or budget.key or budget.tag].append(budget)
        self._counting = {subject: tuple(found) for subject, found in counting.items()}


_NOTHING = Counting()


def _bearer(authorization: str | None) -> str | None:
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _unless_expired(entry: _Entry) -> Caller:
    expires = entry.caller.expires
    if expires is not None and expires <= time.time():
        raise InvalidApiKey("This API key has expired: an admin can make another with `prysm keys create`.")
    return entry.caller


def _caller(key: KnownKey, org: KnownOrganisation) -> Caller:
    caller = Caller(
        key.name,
        key.id,
        key.org,
        key.project,
        key.role,
        None if key.scopes is None else frozenset(key.scopes),
        None if key.allowed_models is None else frozenset(key.allowed_models),
        None if key.allowed_strategies is None else frozenset(key.allowed_strategies),
        limits=(Limits(key.id, key.rpm, key.tpm, key.concurrency),),
        retention_zero=key.retention == "zero",
        cache=key.cache,
        tags=key.tags,
    )
    return _limited(caller, org)


def _limited(caller: Caller, org: KnownOrganisation) -> Caller:
    """The caller with the limits of its organisation added."""
    limits = (*caller.limits, Limits(org.id, org.rpm, org.tpm, org.concurrency))
    return replace(caller, limits=tuple(limit for limit in limits if limit.any), prepaid=org.prepaid)
