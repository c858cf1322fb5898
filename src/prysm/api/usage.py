"""`GET /v1/usage`: what was asked and what it cost, as JSON or CSV. A cost that nobody knows is counted as unknown."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response

from prysm.api import documented
from prysm.api.moments import LocalMoment
from prysm.api.money import exact
from prysm.api.render import usd
from prysm.api.services import caller, services
from prysm.api.tenants import spelled
from prysm.errors import InvalidRequest
from prysm.store.usage import By, Scope, Sums

if TYPE_CHECKING:
    from datetime import datetime

    from prysm.core.caller import Caller
    from prysm.store.usage import Used

router = APIRouter(tags=["Usage"])

RECENT = 20
MOST_GROUPS = 1000
MOST_LINES = 100_000
NOTHING = "(none)"
"""Under this name are the runs that no model answered."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs what begins so, and tags are written by callers."""
SHOWN: dict[str, Any] = {
    "description": "Everything added up, and the newest runs; as CSV the groups, with exact amounts.",
    "content": {"application/json": {"schema": {"type": "object"}}, "text/csv": {"schema": {"type": "string"}}},
}

Moment = Annotated[LocalMoment | None, Query(description="RFC 3339; without a time zone it is UTC.")]
Format = Annotated[Literal["json", "csv"] | None, Query(description="Else what `Accept` asks for.")]


@router.get(
    "/v1/usage",
    response_model=None,
    responses={200: SHOWN, **documented.refusals(401, 403, 422, 503)},
)
async def used(
    request: Request,
    by: By | None = None,
    since: Moment = None,
    until: Moment = None,
    format: Format = None,  # noqa: A002 - its name on the wire
) -> dict[str, Any] | Response:
    """What was used from `since` on and before `until`: root sees all, an admin its organisation, others their key.

    `by` groups it. CSV has the groups alone, by day unless `by` says otherwise.
    """
    scope = _scope(caller(request), _utc(since), _utc(until))
    if format == "csv" or (format is None and "text/csv" in request.headers.get("accept", "")):
        return await _csv(request, by or "day", scope)
    usage = services(request).usage
    found = await usage.summary(scope)
    total = _figures(found.total)
    answer = {
        "object": "usage",
        "user_id": caller(request).id,
        "plan": "prepaid" if caller(request).prepaid else "postpaid",
        "since": spelled(scope.since),
        "until": spelled(scope.until),
        **{f"total_{name}": total[name] for name in ("requests", "tokens", "cost_usd")},
        "unknown_cost_requests": total["unknown_cost_requests"],
        "by_model": _named(found.models),
        "by_provider": _named(found.providers),
        "by_mode": _named(found.modes),
        "recent": [_run(one) for one in await usage.recent(scope, RECENT)],
    }
    if by is None:
        return answer
    groups = await usage.groups(by, scope, MOST_GROUPS + 1)
    listed = [{"name": one.name, **_figures(one)} for one in groups[:MOST_GROUPS]]
    return answer | {"by": by, "groups": listed, "has_more": len(groups) > MOST_GROUPS}


def _scope(who: Caller, since: datetime | None, until: datetime | None) -> Scope:
    """Whose runs the caller may see."""
    if who.role in ("root", "admin"):
        return Scope(None if who.role == "root" else who.org, since=since, until=until)
    return Scope(who.org, one_key=True, key=who.key, since=since, until=until)


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def _csv(request: Request, by: By, scope: Scope) -> Response:
    groups = await services(request).usage.groups(by, scope, MOST_LINES + 1)
    if len(groups) > MOST_LINES:
        raise InvalidRequest(
            f"There are over {MOST_LINES} groups: narrow them with 'since' and 'until'.", param="by"
        )
    lines = [f"{by},requests,tokens_in,tokens_out,cost_usd,unknown_cost_requests", *map(_line, groups)]
    headers = {"content-disposition": f'attachment; filename="usage-by-{by}.csv"'}
    return Response(
        "\r\n".join([*lines, ""]), media_type="text/csv; charset=utf-8; header=present", headers=headers
    )


def _line(group: Sums) -> str:
    """A line of CSV (RFC 4180); what is unknown is left empty."""
    figures = (group.requests, group.tokens_in, group.tokens_out)
    cost = "" if group.cost_nano is None else exact(group.cost_nano)
    numbers = ("" if figure is None else str(figure) for figure in figures)
    return ",".join((_cell(group.name or NOTHING), *numbers, cost, str(group.unknown_cost_requests)))


def _cell(text: str) -> str:
    shown = f"'{text}" if text.startswith(FORMULA) else text
    quoted = shown.replace('"', '""')
    return f'"{quoted}"'


def _named(groups: list[Sums]) -> dict[str, Any]:
    return {one.name or NOTHING: _figures(one) for one in groups}


def _figures(sums: Sums) -> dict[str, Any]:
    """Sums over the runs where a figure is known; null where it is known of none."""
    tokens = [figure for figure in (sums.tokens_in, sums.tokens_out) if figure is not None]
    none = sums.requests == 0
    return {
        "requests": sums.requests,
        "tokens": sum(tokens) if tokens or none else None,
        "cost_usd": 0.0 if none else usd(sums.cost_nano),
        "unknown_cost_requests": sums.unknown_cost_requests,
    }


def _run(run: Used) -> dict[str, Any]:
    return {
        "request_id": str(run.request_id),
        "at": spelled(run.at),
        "key": "root" if run.key is None else str(run.key),
        "model": run.model,
        "provider": run.provider,
        "strategy": run.strategy,
        "mode": run.mode,
        "policy": run.policy,
        "task": run.task,
        "outcome": run.outcome,
        "tokens_in": run.tokens_in,
        "tokens_out": run.tokens_out,
        "cost_usd": usd(run.cost_nano),
        "estimated": run.estimated,
        "tags": run.tags,
    }
