"""What becomes of an exception on its way out of a route: an answer in the envelope of its surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from prysm.api.respond import problem_response
from prysm.errors import InvalidRequest, MethodNotAllowed, NotFound, PrysmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

CLIENT_CLOSED = 499


async def _problem(request: Request, error: Exception) -> Response:
    """One of our errors as an HTTP answer."""
    shown = error if isinstance(error, PrysmError) else PrysmError("unexpected")
    return problem_response(shown, request.url.path, request.state.request_id)


async def _defect(request: Request, _: Exception) -> Response:
    """A defect of ours: the edge, which gets the exception too, logs it; nothing of it goes to the caller."""
    shown = PrysmError("Something went wrong in the gateway. It is logged under this request's id.")
    return problem_response(shown, request.url.path, request.state.request_id)


async def _framework_problem(request: Request, error: Exception) -> Response:
    """The router's own refusals, in our envelope."""
    shown: PrysmError = NotFound(f"There is no such route{_listed(request)}.")
    headers: Mapping[str, str] = {}
    if isinstance(error, HTTPException) and error.status_code == MethodNotAllowed.status:
        shown = MethodNotAllowed(f"This route takes another method{_listed(request)}.")
        headers = {"allow": _allowed(request) or (error.headers or {}).get("allow", "")}
    response = problem_response(shown, request.url.path, request.state.request_id)
    response.headers.update(headers)
    return response


async def _validation_problem(request: Request, error: RequestValidationError) -> Response:
    """A path or query parameter of the wrong type. The framework's words can hold the value; ours do not."""
    wrong = error.errors()[0]
    name, what = str(wrong["loc"][-1]), "is of the wrong type"
    if wrong["type"] == "value_error":
        what = f"is of the wrong type: {wrong['ctx']['error']}"
    shown = InvalidRequest(f"'{name}', a parameter in the address, {what}{_listed(request)}.", param=name)
    return problem_response(shown, request.url.path, request.state.request_id)


def _allowed(request: Request) -> str:
    """The methods that a path takes (RFC 9110 §15.5.6); the router tells those of one route alone."""
    path = getattr(request.scope.get("route"), "path", None)
    routers = (getattr(part, "original_router", None) for part in request.app.routes)
    routes = (route for router in routers if router is not None for route in router.routes)
    same = (route for route in routes if route.path == path and route.include_in_schema)
    return ", ".join(sorted({method for route in same for method in route.methods}))


def _listed(request: Request) -> str:
    """Where the routes are described, unless the operator switched it off."""
    return "; /docs lists them" if request.app.openapi_url else ""


async def _gone(_: Request, __: Exception) -> Response:
    """Who hung up in the middle of a body gets no answer; the log and the metrics get its status."""
    return Response(status_code=CLIENT_CLOSED)


HANDLERS: dict[Any, Any] = {
    PrysmError: _problem,
    HTTPException: _framework_problem,
    RequestValidationError: _validation_problem,
    ClientDisconnect: _gone,
    Exception: _defect,
}
"""By the exception, for the framework."""
