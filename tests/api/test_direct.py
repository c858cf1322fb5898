from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from prysm.api.direct import Direct

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send


async def hot(request: Request) -> Response:
    return PlainTextResponse(f"{request.scope['route'].path} direct")


async def everything_else(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("passed on")(scope, receive, send)


async def ask(method: str, path: str) -> str:
    app = Direct(everything_else, routes=[Route("/hot", hot, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        return (await client.request(method, path)).text


async def test_a_hot_route_is_served_on_the_spot() -> None:
    assert await ask("POST", "/hot") == "/hot direct"


async def test_another_path_or_method_is_passed_on() -> None:
    assert await ask("POST", "/hot/") == "passed on"
    assert await ask("GET", "/hot") == "passed on"
