"""What the key that asks may give away: `accounts.delegation` asked with what is stored. Root is bound by nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prysm.accounts.access import check
from prysm.accounts.delegation import PERIODS, Power, beyond, restriction
from prysm.api.money import exact
from prysm.api.services import caller, services
from prysm.api.tenants import spelled
from prysm.errors import Forbidden, InvalidApiKey
from prysm.store.budgets import BudgetStore
from prysm.store.keys import BindingBudget, KeyStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from starlette.requests import Request

    from prysm.api.keys_body import KeySettings
    from prysm.store.keys import KeyBudget, StoredKey

PLAIN = (
    *("role", "scopes", "allowed_models", "allowed_strategies", "rpm", "tpm", "concurrency", "retention"),
    "expires_at",
)
"""The settings of a key that are compared as they are; the others are budgets."""
LISTED = 8


class Grantor:
    """Who asks, and what it may: no more than that can it give, change or take away. Root has no key and no bounds.

    What it is asked about is read with `keys` and `budgets`, and what it does is done with them.
    """

    def __init__(self, key: UUID | None, power: Power, keys: KeyStore, budgets: BudgetStore) -> None:
        self.key = key
        self.keys = keys
        self.budgets = budgets
        self._power = power

    def gives(self, wanted: Power) -> None:
        """Raise `Forbidden` unless a key may be made, or become, as powerful as `wanted`."""
        field = beyond(wanted, self._power)
        if field is not None:
            raise Forbidden(f"'{field}': {_least(field, self._power)}", param=field)

    def touches(self, other: Power) -> None:
        """Raise `Forbidden` unless it may change, limit, rotate or revoke a key as powerful as `other`."""
        field = beyond(other, self._power)
        if field is not None:
            raise Forbidden(
                f"That key may more than the one that asks, by its '{field}': leave it to a key that may as much, or "
                "to the root key.",
                param=field,
            )

    def limits_many(self) -> None:
        """Raise `Forbidden` unless it may limit a project or a tag, which may count keys that nothing restricts."""
        field = restriction(self._power)
        if field is not None:
            raise Forbidden(
                f"A budget over a project or a tag counts keys that may more than the one that asks, by its '{field}': "
                "leave it to an admin's key that nothing restricts, or to the root key.",
                param=field,
            )

    def leaves_alone(self, key: UUID, param: str | None = None) -> None:
        """Raise `Forbidden` where the budget that changes is over the key that asks.

        Were it only smaller, of another period it would start with nothing spent.
        """
        if key == self.key:
            where = "" if param is None else f"'{param}': "
            raise Forbidden(
                f"{where}A key does not change the budget over itself: another admin's, or the root key, can.",
                param=param,
            )


@asynccontextmanager
async def grantor(request: Request) -> AsyncIterator[Grantor]:
    """Who asks. Until the block ends no other key changes keys or budgets of its organisation; root waits for nobody.

    What is done in the block is undone if it raises. Raises Overloaded when it takes too long.
    """
    who, parts = caller(request), services(request)
    if who.key is None:
        yield Grantor(None, Power(who.role), parts.keys, parts.budgets)
        return
    async with parts.keys.alone(who.org, who.key) as pool:
        keys = KeyStore(pool)
        yield Grantor(who.key, await _power_now(request, who.key, keys), keys, BudgetStore(pool))


async def _power_now(request: Request, id_: UUID, keys: KeyStore) -> Power:
    """What the key that asks may by now: since it was recognised it may have been revoked or changed."""
    who = caller(request)
    key = await keys.get(id_, who.org)
    if key is None or key.revoked_at is not None:
        raise InvalidApiKey(
            "This API key is not there any more: an admin can make another with `prysm keys create`."
        )
    scopes = None if key.scopes is None else frozenset(key.scopes)
    check(replace(who, role=key.role, scopes=scopes), request.method, request.scope["path"])
    power = await power_of(keys, key)
    if who.expires is not None:  # a text that was rotated away ends before its key does
        ends = datetime.fromtimestamp(who.expires, UTC)
        power = replace(power, expires_at=min(ends, power.expires_at or ends))
    return power


async def power_of(
    keys: KeyStore, key: StoredKey, body: KeySettings | None = None, budget: KeyBudget | None = None
) -> Power:
    """What a key may; with a body, what it may once that has changed it, and its budget to `budget` unless None."""
    changed = {} if body is None else {name: getattr(body, name) for name in body.model_fields_set}
    found = await keys.binding(key.org, key.id, key.project_id, changed.get("tags", key.tags))
    if budget is not None:  # of a period that is not said nothing is hoped
        period = budget.period or (key.budget.period if key.budget else None) or PERIODS[0]
        found = [*(each for each in found if each.id != key.id), *_own(budget.limit_nano, period, key.id)]
    return _power({name: changed.get(name, getattr(key, name)) for name in PLAIN}, found)


async def power_with(keys: KeyStore, key: StoredKey, budget: BindingBudget, *, hard: bool) -> Power:
    """What a key may once this budget over it is as given; one that is not hard binds nothing."""
    found = await keys.binding(key.org, key.id, key.project_id, key.tags)
    others = [each for each in found if each.id != budget.id]
    return _power({name: getattr(key, name) for name in PLAIN}, [*others, budget] if hard else others)


async def power_of_new(keys: KeyStore, body: KeySettings, org: UUID, project: UUID, id_: UUID) -> Power:
    """What a key will be able to that is made like this."""
    found, budget = await keys.binding(org, id_, project, body.tags), body.budget()
    own = _own(budget.limit_nano, budget.period or "total", id_)
    return _power({name: getattr(body, name) for name in PLAIN}, [*found, *own])


def _own(limit_nano: int | None, period: str, key: UUID) -> list[BindingBudget]:
    """The budget that a key will have under its own id."""
    return [] if limit_nano is None else [BindingBudget(key, "key", limit_nano, period)]


def _power(plain: dict[str, Any], found: Sequence[BindingBudget]) -> Power:
    return Power(
        **plain,
        budget_usd={(each.limit_nano, each.period) for each in found if each.over == "key"},
        project={each.id for each in found if each.over == "project"},
        tags={each.id for each in found if each.over == "tag"},
    )


def _least(field: str, power: Power) -> str:
    """What to do about a setting that goes beyond this power."""
    if field in ("project", "tags"):
        which = "another project than this key's" if field == "project" else "no tag that it counts"
        return (
            f"a budget binds the key that asks, and would not bind one with {which}. Give it the same "
            f"{field}, or ask with the root key."
        )
    most = _shown(field, getattr(power, field))
    return f"the key that asks has {most}, and no more to give: ask for that or less, or with the root key."


def _shown(field: str, value: Any) -> str:
    if field == "budget_usd":
        return " and ".join(sorted(f"{exact(limit)} ({period})" for limit, period in value))
    if isinstance(value, datetime):
        return str(spelled(value))
    if isinstance(value, list | tuple | set | frozenset):
        listed = sorted(value)
        return ", ".join([*listed[:LISTED], *(["…"] if len(listed) > LISTED else [])]) or "none"
    return str(value)
