"""`/v1/keys`: an administrator makes keys, limits them, gives them another text, and voids them.

Root sees the keys of all organisations, an admin those of its own: of any other it hears what it would hear of a key
that is not there. An admin's key neither makes nor touches one that may more than itself. Every change is in force here
before it is answered, and in the other gateways within a second.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.api import documented, parse
from prysm.api.delegated import grantor, power_of, power_of_new
from prysm.api.keys_body import KeyChanges, NewKeyBody, RotationBody
from prysm.api.money import exact
from prysm.api.render import usd
from prysm.api.services import caller, read_body, services
from prysm.api.tenants import organisation_of, project_of, reach, spelled
from prysm.errors import InvalidRequest, NotFound
from prysm.store.audit import Event
from prysm.store.keys import KeyBudget

if TYPE_CHECKING:
    from prysm.accounts.keys import NewKey
    from prysm.api.delegated import Grantor
    from prysm.proof.canonical import Json
    from prysm.store.keys import KeyStore, StoredKey

router = APIRouter(tags=["Keys"])
REFUSALS = (401, 403, 404, 413, 415, 422, 503)


@router.post("/v1/keys", status_code=201, **documented.body(NewKeyBody, *REFUSALS))
async def create(request: Request) -> dict[str, Any]:
    """Make a key. Its text, `key`, is in this answer and never again."""
    body, parts = parse.read(NewKeyBody, await read_body(request)), services(request)
    body.check(parts.catalog)
    if body.budget_period is not None and body.budget_usd is None:
        raise _no_budget()
    org = await organisation_of(request, body.organisation)
    project = await project_of(request, org, body.project or "default")
    id_, made = uuid4(), parts.directory.issue()
    event = _event(request, "key.create", id_, org, _detail(body.columns(), body.budget()))
    columns = body.columns() | {"id": id_, "org": org, "project": project}
    async with grantor(request) as who:
        who.gives(await power_of_new(who.keys, body, org, project, id_))
        await who.keys.create(event, columns, (made.prefix, made.digest), body.budget())
    return await _changed(request, id_, made)


@router.get("/v1/keys", responses=documented.refusals(401, 403, 422, 503))
async def listed(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[UUID | None, Query(description="The id of the last key seen.")] = None,
) -> dict[str, Any]:
    """The keys, newest first, also those that are revoked; never their texts."""
    found = await services(request).keys.list(reach(request), limit + 1, after)
    return {"object": "list", "data": [_item(key) for key in found[:limit]], "has_more": len(found) > limit}


@router.get("/v1/keys/{key_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def one(request: Request, key_id: UUID) -> dict[str, Any]:
    """One key."""
    return _item(await _found(request, services(request).keys, key_id))


@router.patch("/v1/keys/{key_id}", **documented.body(KeyChanges, *REFUSALS))
async def change(request: Request, key_id: UUID) -> dict[str, Any]:
    """Change what is given and nothing else; null lifts a limit."""
    body = parse.read(KeyChanges, await read_body(request))
    body.check(services(request).catalog)
    async with grantor(request) as who:
        key = await _live(request, who, key_id)
        if body.model_fields_set & {"budget_usd", "budget_period"}:
            who.leaves_alone(key.id, "budget_usd")
        budget = _new_budget(body, key)
        who.touches(await power_of(who.keys, key))
        who.gives(await power_of(who.keys, key, body, budget))
        event = _event(request, "key.update", key.id, key.org, _detail(body.columns(), budget))
        if not await who.keys.update(event, key.id, key.org, body.columns(), budget):
            raise _revoked()
    return await _changed(request, key.id)


@router.delete("/v1/keys/{key_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def revoke(request: Request, key_id: UUID) -> dict[str, Any]:
    """Void a key for good. It stays listed, since what it did is on record."""
    async with grantor(request) as who:
        key = await _found(request, who.keys, key_id)
        if key.revoked_at is None:
            who.touches(await power_of(who.keys, key))
            event = _event(request, "key.revoke", key.id, key.org, {"name": key.name, "prefix": key.prefix})
            await who.keys.revoke(event, key.id, key.org)
    return await _changed(request, key.id)


@router.post("/v1/keys/{key_id}/rotate", **documented.body(RotationBody, *REFUSALS))
async def rotate(request: Request, key_id: UUID) -> dict[str, Any]:
    """Give a key another text, shown this once; the one it has works on for `overlap_s` seconds."""
    body, made = parse.read(RotationBody, await read_body(request)), services(request).directory.issue()
    overlap = timedelta(seconds=body.overlap_s)
    async with grantor(request) as who:
        key = await _live(request, who, key_id)
        who.touches(await power_of(who.keys, key))
        event = _event(request, "key.rotate", key.id, key.org, {"prefix": made.prefix, "overlap_s": body.overlap_s})
        if not await who.keys.rotate(event, key.id, key.org, (made.prefix, made.digest), overlap):
            raise _revoked()
    return await _changed(request, key.id, made)


async def _found(request: Request, keys: KeyStore, key_id: UUID) -> StoredKey:
    key = await keys.get(key_id, reach(request))
    if key is None:
        raise NotFound("There is no such key: GET /v1/keys lists them.", param="key_id")
    return key


async def _live(request: Request, who: Grantor, key_id: UUID) -> StoredKey:
    key = await _found(request, who.keys, key_id)
    if key.revoked_at is not None:
        raise _revoked()
    return key


async def _changed(request: Request, key_id: UUID, made: NewKey | None = None) -> dict[str, Any]:
    """The key as it is now; first it is so for whoever comes next."""
    await services(request).directory.renew()
    item = _item(await _found(request, services(request).keys, key_id))
    return item if made is None else {"key": made.text, **item}


def _new_budget(body: KeyChanges, key: StoredKey) -> KeyBudget | None:
    """The budget that a key gets; None when it keeps the one it has."""
    given = body.model_fields_set
    if "budget_usd" in given:
        return body.budget()
    if "budget_period" not in given:
        return None
    if key.budget is None:
        raise _no_budget()
    return KeyBudget(key.budget.limit_nano, body.budget_period)


def _event(request: Request, action: str, key_id: UUID, org: UUID, detail: dict[str, Json]) -> Event:
    return Event.by(caller(request), action, str(key_id), detail, org)


def _detail(columns: dict[str, Any], budget: KeyBudget | None) -> dict[str, Json]:
    if budget is None:
        return columns
    limit = None if budget.limit_nano is None else exact(budget.limit_nano)
    return columns | {"budget_usd": limit, "budget_period": budget.period}


def _no_budget() -> InvalidRequest:
    return InvalidRequest(
        "'budget_period' is the period of a budget: give 'budget_usd' too.", param="budget_period"
    )


def _revoked() -> InvalidRequest:
    return InvalidRequest("This key is revoked, for good: make another with POST /v1/keys.", param="key_id")


def _item(key: StoredKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "object": "key",
        "name": key.name,
        "prefix": key.prefix,
        "role": key.role,
        "status": _status(key),
        "organisation": key.organisation,
        "project": key.project,
        "scopes": key.scopes,
        "budget_usd": usd(key.budget.limit_nano) if key.budget else None,
        "budget_period": key.budget.period if key.budget else None,
        "rpm": key.rpm,
        "tpm": key.tpm,
        "concurrency": key.concurrency,
        "allowed_models": key.allowed_models,
        "allowed_strategies": key.allowed_strategies,
        "retention": key.retention,
        "cache": key.cache,
        "tags": key.tags,
        "created_at": spelled(key.created_at),
        "expires_at": spelled(key.expires_at),
        "overlap_until": spelled(key.overlap_until),
        "revoked_at": spelled(key.revoked_at),
    }


def _status(key: StoredKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= datetime.now(UTC) else "active"
