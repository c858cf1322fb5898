"""`/v1/organisations`, which root keeps, and `/v1/projects`, which an admin keeps in its own organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time

from prysm.api import documented, parse
from prysm.api.keys_body import Limit, Name  # noqa: TC001 - pydantic reads the annotations at run time
from prysm.api.services import caller, read_body, services
from prysm.core.caller import DEFAULT_ID
from prysm.errors import InvalidRequest, NotFound
from prysm.store.audit import Event
from prysm.store.audit import spelled as spelled_out

if TYPE_CHECKING:
    from datetime import datetime

    from prysm.proof.canonical import Json
    from prysm.store.tenants import Organisation, Project

router = APIRouter(tags=["Organisations"])
REFUSALS = (401, 403, 404, 413, 415, 422, 503)
Page = Annotated[int, Query(ge=1, le=1000)]


class OrganisationSettings(parse.Strict):
    """What can be set of an organisation; its limits are over all of its keys, null is none."""

    name: Name = ""
    prepaid: bool = False
    rpm: Limit | None = None
    tpm: Limit | None = None
    concurrency: Limit | None = None


class NewOrganisation(OrganisationSettings):
    """`POST /v1/organisations`. `prepaid`: its runs are paid from its credits."""

    name: Name


class ProjectChanges(parse.Strict):
    """`PATCH /v1/projects/{id}`."""

    name: Name


class NewProject(ProjectChanges):
    """`POST /v1/projects`. The organisation by name or id: the caller's own unless it is named."""

    organisation: Name | None = None


@router.post("/v1/organisations", status_code=201, **documented.body(NewOrganisation, *REFUSALS))
async def create_organisation(request: Request) -> dict[str, Any]:
    """Make an organisation, with a project `default`."""
    body, id_ = parse.read(NewOrganisation, await read_body(request)), uuid4()
    columns = body.model_dump()
    event = _event(request, "organisation.create", id_, columns, None)
    if not await services(request).tenants.create_organisation(event, columns | {"id": id_}):
        raise _taken()
    return await _organisation(request, id_)


@router.get("/v1/organisations", responses=documented.refusals(401, 403, 422, 503))
async def organisations(request: Request, limit: Page = 100, after: UUID | None = None) -> dict[str, Any]:
    """The organisations, newest first; `after` is the last id seen."""
    found = await services(request).tenants.organisations(limit + 1, after)
    return {"object": "list", "data": [_shown(org) for org in found[:limit]], "has_more": len(found) > limit}


@router.get("/v1/organisations/{organisation_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def organisation(request: Request, organisation_id: UUID) -> dict[str, Any]:
    """One organisation."""
    return await _organisation(request, organisation_id)


@router.patch("/v1/organisations/{organisation_id}", **documented.body(OrganisationSettings, *REFUSALS))
async def change_organisation(request: Request, organisation_id: UUID) -> dict[str, Any]:
    """Change what is given and nothing else; null lifts a limit."""
    body = parse.read(OrganisationSettings, await read_body(request))
    columns = body.model_dump(include=body.model_fields_set)
    await _organisation(request, organisation_id)
    event = _event(request, "organisation.update", organisation_id, columns, None)
    if not await services(request).tenants.update_organisation(event, organisation_id, columns):
        raise _taken()
    await services(request).directory.renew()
    return await _organisation(request, organisation_id)


@router.post("/v1/projects", status_code=201, **documented.body(NewProject, *REFUSALS))
async def create_project(request: Request) -> dict[str, Any]:
    """Make a project."""
    body, id_ = parse.read(NewProject, await read_body(request)), uuid4()
    org = await organisation_of(request, body.organisation)
    event = _event(request, "project.create", id_, {"name": body.name}, org)
    if not await services(request).tenants.create_project(event, id_, org, body.name):
        raise _taken()
    return _project(await _found(request, id_))


@router.get("/v1/projects", responses=documented.refusals(401, 403, 422, 503))
async def projects(request: Request, limit: Page = 100, after: UUID | None = None) -> dict[str, Any]:
    """The projects, newest first; `after` is the last id seen."""
    found = await services(request).tenants.projects(reach(request), limit + 1, after)
    return {"object": "list", "data": [_project(one) for one in found[:limit]], "has_more": len(found) > limit}


@router.get("/v1/projects/{project_id}", responses=documented.refusals(401, 403, 404, 422, 503))
async def project(request: Request, project_id: UUID) -> dict[str, Any]:
    """One project."""
    return _project(await _found(request, project_id))


@router.patch("/v1/projects/{project_id}", **documented.body(ProjectChanges, *REFUSALS))
async def rename_project(request: Request, project_id: UUID) -> dict[str, Any]:
    """Rename a project."""
    body = parse.read(ProjectChanges, await read_body(request))
    found = await _found(request, project_id)
    event = _event(request, "project.update", project_id, {"name": body.name}, found.org)
    if not await services(request).tenants.rename_project(event, project_id, found.org, body.name):
        raise _taken()
    return _project(await _found(request, project_id))


def reach(request: Request) -> UUID | None:
    """The organisation that the caller may look into; None for all of them."""
    who = caller(request)
    return None if who.role == "root" else who.org


async def organisation_of(request: Request, called: str | None) -> UUID:
    """The organisation of this name or id, else the caller's own; raises NotFound beyond the caller's reach."""
    own = reach(request)
    if called is None:
        return own or DEFAULT_ID
    found = await services(request).tenants.organisation(called)
    if found is None or own not in (None, found.id):
        raise NotFound("There is no such organisation: leave it out for your own.", param="organisation")
    return found.id


async def project_of(request: Request, org: UUID, called: str) -> UUID:
    """The project of an organisation by name or id; raises NotFound."""
    found = await services(request).tenants.project(called, org)
    if found is None:
        raise NotFound("There is no such project: GET /v1/projects lists them.", param="project")
    return found.id


def spelled(moment: datetime | None) -> str | None:
    """A time as answers have it."""
    return None if moment is None else spelled_out(moment)


async def _organisation(request: Request, id_: UUID) -> dict[str, Any]:
    found = await services(request).tenants.organisation(str(id_))
    if found is None:
        raise NotFound("There is no such organisation: GET /v1/organisations lists them.", param="organisation_id")
    return _shown(found)


async def _found(request: Request, id_: UUID) -> Project:
    found = await services(request).tenants.project(str(id_), reach(request))
    if found is None:
        raise NotFound("There is no such project: GET /v1/projects lists them.", param="project_id")
    return found


def _event(request: Request, action: str, target: UUID, detail: dict[str, Json], org: UUID | None) -> Event:
    return Event.by(caller(request), action, str(target), detail, org)


def _taken() -> InvalidRequest:
    return InvalidRequest("Another has this name: take a different one.", param="name")


def _shown(org: Organisation) -> dict[str, Any]:
    return {
        "id": str(org.id),
        "object": "organisation",
        "name": org.name,
        "prepaid": org.prepaid,
        "rpm": org.rpm,
        "tpm": org.tpm,
        "concurrency": org.concurrency,
        "created_at": spelled(org.created_at),
    }


def _project(project: Project) -> dict[str, Any]:
    return {
        "id": str(project.id),
        "object": "project",
        "name": project.name,
        "organisation": project.organisation,
        "created_at": spelled(project.created_at),
    }
