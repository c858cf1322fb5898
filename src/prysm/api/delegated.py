"""What the key that asks may give away: `accounts.delegation` asked with what is stored. Root is bound by nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prysm.accounts.delegation import PERIODS, Power, beyond
from prysm.api.money import exact
from prysm.api.services import caller, services
from prysm.api.tenants import spelled
from prysm.errors import Forbidden, InvalidApiKey
from prysm.store.keys import BindingBudget

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    """Who asks, and what it may: no more than that can it give, change or take away. Root has no key and no bounds."""

    def __init__(self, key: UUID | None, power: Power) -> None:
        self.key = key
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

    def is_bound_by(self, budget: UUID) -> bool:
        """Whether this budget over a project or a tag counts the key that asks."""
        return budget in {*self._power.project, *self._power.tags}


async def grantor(request: Request) -> Grantor:
    """Who asks."""
    who = caller(request)
    if who.key is None:
        return Grantor(None, Power(who.role))
    key = await services(request).keys.get(who.key, who.org)
    if key is None:
        raise InvalidApiKey(
            "This API key is not there any more: an admin can make another with `prysm keys create`."
        )
    power = await power_of(request, key)
    if who.expires is not None:  # a text that was rotated away ends before its key does
        ends = datetime.fromtimestamp(who.expires, UTC)
        power = replace(power, expires_at=min(ends, power.expires_at or ends))
    return Grantor(who.key, power)


async def power_of(
    request: Request, key: StoredKey, body: KeySettings | None = None, budget: KeyBudget | None = None
) -> Power:
    """What a key may; with a body, what it may once that has changed it, and its budget to `budget` unless None."""
    changed = {} if body is None else {name: getattr(body, name) for name in body.model_fields_set}
    found = await services(request).keys.binding(key.org, key.id, key.project_id, changed.get("tags", key.tags))
    if budget is not None:  # of a period that is not said nothing is hoped
        period = budget.period or (key.budget.period if key.budget else None) or PERIODS[0]
        found = [*(each for each in found if each.id != key.id), *_own(budget.limit_nano, period, key.id)]
    return _power({name: changed.get(name, getattr(key, name)) for name in PLAIN}, found)


async def power_of_new(request: Request, body: KeySettings, org: UUID, project: UUID, id_: UUID) -> Power:
    """What a key will be able to that is made like this."""
    found, budget = await services(request).keys.binding(org, id_, project, body.tags), body.budget()
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
