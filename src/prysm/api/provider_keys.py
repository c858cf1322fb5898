"""`/v1/providers/keys`: an organisation brings its own key for a provider, and its runs call that provider with it.

Root sees the keys of all organisations, an admin those of its own. The key itself comes in and never goes out again but
to the provider. Every change is in force here before it is answered, and in the other gateways within a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, SecretStr
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.accounts.sealed_key import Belongs, seal
from prysm.api import documented, parse
from prysm.api.keys_body import Id, Name  # noqa: TC001 - pydantic reads the annotations at run time
from prysm.api.services import caller, read_body, services
from prysm.api.tenants import organisation_of, reach, spelled
from prysm.errors import InvalidRequest, NotFound
from prysm.store.audit import Event
from prysm.store.provider_keys import KnownProviderKey

if TYPE_CHECKING:
    from prysm.proof.canonical import Json
    from prysm.store.provider_keys import StoredProviderKey

router = APIRouter(tags=["Provider keys"])
REFUSALS = (401, 403, 404, 413, 415, 422, 503)
SHORTEST, LONGEST, SHOWN = 16, 512, 4


def _sendable(key: SecretStr) -> SecretStr:
    """Text that can stand in a header."""
    text = key.get_secret_value()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("a key has no spaces, line breaks or characters beyond ASCII")
    return key


class NewProviderKey(parse.Strict):
    """`POST /v1/providers/keys`. The organisation by name or id: the caller's own unless it is named."""

    provider: Id
    api_key: Annotated[SecretStr, Field(min_length=SHORTEST, max_length=LONGEST), AfterValidator(_sendable)]
    label: Name | None = None
    organisation: Name | None = None


@router.post("/v1/providers/keys", status_code=201, **documented.body(NewProviderKey, *REFUSALS))
async def bring(request: Request) -> dict[str, Any]:
    """Call a provider with this key from now on, for this organisation alone.

    It takes the place of the one that the organisation had for this provider, which is deleted. The key is kept
    encrypted and never shown again; `last4` is what tells it from others.
    """
    body, parts = parse.read(NewProviderKey, await read_body(request)), services(request)
    if body.provider not in parts.own.takes:
        listed = ", ".join(parts.own.takes) or "none"
        raise InvalidRequest(f"Own keys can be brought for these providers: {listed}.", param="provider")
    org, text = await organisation_of(request, body.organisation), body.api_key.get_secret_value()
    belongs = Belongs(uuid4(), org, body.provider)
    sealed, last4 = seal(parts.own.vault, text, belongs), text[-SHOWN:]
    detail: dict[str, Json] = {"provider": body.provider, "label": body.label, "last4": last4}
    key = KnownProviderKey(belongs.id, org, body.provider, sealed.wrapped_key, sealed.sealed)
    await parts.provider_keys.create(_event(request, "create", key.id, org, detail), key, body.label, last4)
    return await _changed(request, key.id)


@router.get("/v1/providers/keys", responses=documented.refusals(401, 403, 422, 503))
async def listed(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[UUID | None, Query(description="The id of the last key seen.")] = None,
) -> dict[str, Any]:
    """The keys, newest first, also those that are revoked; never the keys themselves."""
    found = await services(request).provider_keys.list(reach(request), limit + 1, after)
    return {"object": "list", "data": [_item(key) for key in found[:limit]], "has_more": len(found) > limit}


@router.get("/v1/providers/keys/{key_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def one(request: Request, key_id: UUID) -> dict[str, Any]:
    """One key."""
    return _item(await _found(request, key_id))


@router.delete("/v1/providers/keys/{key_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def revoke(request: Request, key_id: UUID) -> dict[str, Any]:
    """Delete a key for good, and make no further call with it. That it was there stays listed."""
    key = await _found(request, key_id)
    if key.revoked_at is None:
        detail: dict[str, Json] = {"provider": key.provider, "label": key.label, "last4": key.last4}
        event = _event(request, "revoke", key.id, key.org, detail)
        await services(request).provider_keys.revoke(event, key.id, key.org)
    return await _changed(request, key.id)


async def _found(request: Request, key_id: UUID) -> StoredProviderKey:
    key = await services(request).provider_keys.get(key_id, reach(request))
    if key is None:
        raise NotFound("There is no such key: GET /v1/providers/keys lists them.", param="key_id")
    return key


async def _changed(request: Request, key_id: UUID) -> dict[str, Any]:
    """The key as it is now; first it is so for whoever comes next."""
    await services(request).own.renew()
    return _item(await _found(request, key_id))


def _event(request: Request, verb: str, key_id: UUID, org: UUID, detail: dict[str, Json]) -> Event:
    return Event.by(caller(request), f"provider_key.{verb}", str(key_id), detail, org)


def _item(key: StoredProviderKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "object": "provider_key",
        "provider": key.provider,
        "label": key.label,
        "last4": key.last4,
        "organisation": key.organisation,
        "status": "active" if key.revoked_at is None else "revoked",
        "created_at": spelled(key.created_at),
        "revoked_at": spelled(key.revoked_at),
    }
