"""Whether what one key may lies within what another may: no key hands out, or gives itself, more than it has.

Each setting is compared by itself, and "within" is a partial order: however long the chain of keys that made each
other, the last lies within the first. Limits and budgets of a key count that key alone, so ten keys may use ten times
what one may; a budget over their project, tag or organisation counts them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from prysm.core.caller import Role

ROLES: tuple[Role, ...] = ("reader", "member", "admin", "root")
PERIODS = ("day", "month", "total")
"""The longer the period, the less the same limit allows."""


@dataclass(frozen=True, slots=True)
class Power:
    """What a key may, each setting by its name on the wire. None is no restriction.

    `budget_usd`: limit in nano-dollars and period of every hard budget over the key. `project` and `tags`: the hard
    budgets, by id, that count the key because of its project and its tags.
    """

    role: Role = "admin"
    scopes: Collection[str] | None = None
    allowed_models: Collection[str] | None = None
    allowed_strategies: Collection[str] | None = None
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    retention: str | None = None
    expires_at: datetime | None = None
    budget_usd: Collection[tuple[int, str]] = ()
    project: Collection[UUID] = ()
    tags: Collection[UUID] = ()


def restriction(own: Power) -> str | None:
    """The first setting that restricts an administrator's key; None where nothing does."""
    return beyond(Power(), own)


def beyond(wanted: Power, own: Power) -> str | None:
    """The first setting in which `wanted` is more than `own`; None where it lies within."""
    within = {
        "role": ROLES.index(wanted.role) <= ROLES.index(own.role),
        "scopes": _among(wanted.scopes, own.scopes),
        "allowed_models": _among(wanted.allowed_models, own.allowed_models),
        "allowed_strategies": _among(wanted.allowed_strategies, own.allowed_strategies),
        "rpm": _at_most(wanted.rpm, own.rpm),
        "tpm": _at_most(wanted.tpm, own.tpm),
        "concurrency": _at_most(wanted.concurrency, own.concurrency),
        "retention": own.retention is None or wanted.retention is not None,
        "expires_at": _not_after(wanted.expires_at, own.expires_at),
        "budget_usd": all(any(_keeps(each, budget) for each in wanted.budget_usd) for budget in own.budget_usd),
        "project": set(own.project) <= set(wanted.project),
        "tags": set(own.tags) <= set(wanted.tags),
    }
    return next((name for name, holds in within.items() if not holds), None)


def _among(wanted: Collection[str] | None, own: Collection[str] | None) -> bool:
    return own is None or (wanted is not None and set(wanted) <= set(own))


def _at_most(wanted: int | None, own: int | None) -> bool:
    return own is None or (wanted is not None and wanted <= own)


def _not_after(wanted: datetime | None, own: datetime | None) -> bool:
    return own is None or (wanted is not None and wanted <= own)


def _keeps(wanted: tuple[int, str], own: tuple[int, str]) -> bool:
    """Whether nobody who keeps to the first budget goes beyond the second."""
    return wanted[0] <= own[0] and PERIODS.index(wanted[1]) >= PERIODS.index(own[1])
