"""`/v1/budgets`: limits on what an organisation spends, or one project, key or tag of it, in a day, a month or ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.api import documented, parse
from prysm.api.delegated import grantor, power_of, power_with
from prysm.api.keys_body import Name, Tag  # noqa: TC001 - pydantic reads the annotations at run time
from prysm.api.money import exact, nano_of
from prysm.api.render import usd
from prysm.api.services import caller, read_body, services
from prysm.api.tenants import Page, organisation_of, project_of, reach, spelled
from prysm.errors import Forbidden, InvalidRequest, NotFound
from prysm.store.audit import Event
from prysm.store.budgets import Period  # noqa: TC001 - pydantic reads the annotation at run time
from prysm.store.keys import BindingBudget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prysm.api.delegated import Grantor
    from prysm.proof.canonical import Json
    from prysm.store.budgets import BudgetStore, StoredBudget
    from prysm.store.keys import StoredKey

router = APIRouter(tags=["Budgets"])
REFUSALS = (401, 403, 404, 413, 415, 422, 503)

Usd = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class NewBudget(parse.Strict):
    """`POST /v1/budgets`. Over a project, a key or a tag `name=value`, else over the whole organisation: root alone.

    One over a project or a tag takes the root key too, or an admin's that nothing restricts.

    `hard`: a run that could go beyond it is refused before its first call; else it is warned of.
    """

    limit_usd: Usd
    period: Period
    hard: bool = True
    organisation: Name | None = None
    project: Name | None = None
    key: Annotated[str, Field(max_length=36)] | None = None
    tag: Tag | None = None


class BudgetChanges(parse.Strict):
    """`PATCH /v1/budgets/{id}`: what is there changes."""

    limit_usd: Usd | None = None
    hard: bool | None = None


@router.post("/v1/budgets", status_code=201, **documented.body(NewBudget, *REFUSALS))
async def create(request: Request) -> dict[str, Any]:
    """Make a budget. It counts what runs spend from now on."""
    body = parse.read(NewBudget, await read_body(request))
    over = [name for name in ("project", "key", "tag") if getattr(body, name) is not None]
    if len(over) > 1:
        raise InvalidRequest(f"A budget is over one thing: give '{over[0]}' or '{over[1]}'.", param=over[1])
    org, id_ = await organisation_of(request, body.organisation), uuid4()
    _check_reach(request, over)
    key = None if body.key is None else _id(body.key)
    columns = {
        "id": id_,
        "org": org,
        "project": None if body.project is None else await project_of(request, org, body.project),
        "key": key,
        "tag": _tag(body.tag),
        "period": body.period,
        "limit_nano": nano_of(body.limit_usd, "limit_usd"),
        "hard": body.hard,
    }
    event = _event(request, "budget.create", id_, org, _told(columns))
    async with grantor(request) as who:
        if key is not None:
            who.touches(await power_of(who.keys, await _key(who, key, org)))
        elif over:
            who.limits_many()
        if not await who.budgets.create(event, columns):
            raise _no_key()
    return await _changed(request, id_)


@router.get("/v1/budgets", responses=documented.refusals(401, 403, 422, 503))
async def listed(request: Request, limit: Page = 100, after: UUID | None = None) -> dict[str, Any]:
    """The budgets with what their windows count, newest first; `after` is the last id seen."""
    found = await services(request).budgets.list(reach(request), limit + 1, after)
    return {"object": "list", "data": [_item(one) for one in found[:limit]], "has_more": len(found) > limit}


@router.get("/v1/budgets/{budget_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def one(request: Request, budget_id: UUID) -> dict[str, Any]:
    """One budget with what its window counts."""
    return _item(await _found(request, services(request).budgets, budget_id))


@router.patch("/v1/budgets/{budget_id}", **documented.body(BudgetChanges, *REFUSALS))
async def change(request: Request, budget_id: UUID) -> dict[str, Any]:
    """Change the limit, or whether it is hard. What was spent goes on to count."""
    body = parse.read(BudgetChanges, await read_body(request))
    limit = None if body.limit_usd is None else nano_of(body.limit_usd, "limit_usd")
    async with grantor(request) as who:
        found = await _found(request, who.budgets, budget_id)
        _check_reach(request, (found.project, found.key, found.tag))
        hard = found.hard if body.hard is None else body.hard
        await _check_grant(who, found, found.limit_nano if limit is None else limit, hard=hard)
        detail = _told({"limit_nano": limit, "hard": body.hard})
        event = _event(request, "budget.update", found.id, found.org, detail)
        if not await who.budgets.update(event, found.id, found.org, limit, body.hard):
            raise _missing()
    return await _changed(request, found.id)


@router.delete("/v1/budgets/{budget_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def delete(request: Request, budget_id: UUID) -> dict[str, Any]:
    """End a budget: it limits nothing any more."""
    async with grantor(request) as who:
        found = await _found(request, who.budgets, budget_id)
        _check_reach(request, (found.project, found.key, found.tag))
        await _check_grant(who, found, found.limit_nano, hard=False)
        if not await who.budgets.delete(
            _event(request, "budget.delete", found.id, found.org, {}), found.id, found.org
        ):
            raise _missing()
    await services(request).directory.renew()
    return {"id": str(found.id), "object": "budget", "deleted": True}


def _check_reach(request: Request, part: Iterable[object]) -> None:
    """Raise `Forbidden` unless the budget is over a part of the organisation, or the operator asks.

    What a whole organisation may spend is not for its own admins to say.
    """
    if caller(request).role != "root" and not any(part):
        raise Forbidden(
            "A budget over a whole organisation is the operator's, for the root key to set. Name a project, a key or "
            "a tag."
        )


async def _check_grant(who: Grantor, found: StoredBudget, limit_nano: int, *, hard: bool) -> None:
    """Raise `Forbidden` unless the key that asks may have this budget end up with this limit, hard or not."""
    if found.key is not None:
        who.leaves_alone(found.key)
        key = await _key(who, found.key, found.org)
        who.touches(await power_of(who.keys, key))
        changed = BindingBudget(found.id, "key", limit_nano, found.period)
        who.gives(await power_with(who.keys, key, changed, hard=hard))
    elif found.project is not None or found.tag is not None:
        who.limits_many()


async def _found(request: Request, budgets: BudgetStore, budget_id: UUID) -> StoredBudget:
    found = await budgets.get(budget_id, reach(request))
    if found is None:
        raise _missing()
    return found


async def _changed(request: Request, budget_id: UUID) -> dict[str, Any]:
    """The budget as it is now; first it is so for whoever comes next."""
    await services(request).directory.renew()
    return _item(await _found(request, services(request).budgets, budget_id))


async def _key(who: Grantor, id_: UUID, org: UUID) -> StoredKey:
    found = await who.keys.get(id_, org)
    if found is None:
        raise _no_key()
    return found


def _id(key: str) -> UUID:
    try:
        return UUID(key)
    except ValueError:
        raise _no_key() from None


def _tag(tag: str | None) -> str | None:
    if tag is not None and "=" not in tag:
        raise InvalidRequest("'tag': write name=value, as in OpenAI's metadata or the tags of a key.", param="tag")
    return tag


def _event(request: Request, action: str, budget_id: UUID, org: UUID, detail: dict[str, Json]) -> Event:
    return Event.by(caller(request), action, str(budget_id), detail, org)


def _told(columns: dict[str, Any]) -> dict[str, Json]:
    """What was set, for the audit log: ids as text, money as decimal strings."""
    told: dict[str, Json] = {
        name: str(value) if isinstance(value, UUID) else value
        for name, value in columns.items()
        if value is not None and name not in ("id", "org", "limit_nano")
    }
    limit = columns["limit_nano"]
    return told if limit is None else told | {"limit_usd": exact(limit)}


def _missing() -> NotFound:
    return NotFound("There is no such budget: GET /v1/budgets lists them.", param="budget_id")


def _no_key() -> NotFound:
    return NotFound("There is no such key in this organisation: GET /v1/keys lists them.", param="key")


def _item(budget: StoredBudget) -> dict[str, Any]:
    return {
        "id": str(budget.id),
        "object": "budget",
        "organisation": budget.organisation,
        "project": budget.project,
        "key": None if budget.key is None else str(budget.key),
        "tag": budget.tag,
        "period": budget.period,
        "hard": budget.hard,
        "limit_usd": usd(budget.limit_nano),
        "since": None if budget.period == "total" else budget.starts.isoformat(),
        "spent_usd": usd(budget.spent_nano),
        "held_usd": usd(budget.held_nano),
        "unknown_usd": usd(budget.unknown_nano),
        "left_usd": usd(budget.left_nano),
        "created_at": spelled(budget.created_at),
    }
