"""A canary in every place where a secret or a text may be, and a look at everything that comes out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
from tests.api.wire import completion
from tests.providers.upstream import Act, answer
from tests.serving import AUTHORIZED, ROOT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Process
    from tests.providers.upstream import Upstream

PROVIDER_KEY = "sk-canary-of-the-provider"
TEXT = "canary of the prompt"
SAID = "canary of the provider"
FIELDS = {
    "event",
    "method",
    "path",
    "status",
    "ms",
    "request_id",
    "client_request_id",
    "client",
    "caller",
    "level",
    "timestamp",
}


async def test_no_secret_and_no_text_leaves_by_logs_metrics_or_errors(
    serve: Callable[..., Process], database_url: str, upstream: Upstream
) -> None:
    toml = f"""
        [[providers]]
        id = "left-host"
        kind = "openai"
        base_url = "{upstream.url}"
        api_key_env = "LEFT_KEY"

        [[models]]
        id = "left"
        provider = "left-host"
        tier = "mid"
    """
    gateway = serve(toml=toml, PRYSM_DATABASE_URL=database_url, LEFT_KEY=PROVIDER_KEY, PRYSM_LOG_LEVEL="debug")
    gateway.wait_ready()
    async with httpx.AsyncClient(base_url=gateway.url, headers=AUTHORIZED, timeout=20) as http:
        told = [await _ask(http, upstream, *steps) for steps in _ways_to_answer()]
        told += [await http.post("/v1/chat/completions", content=f'{{"{TEXT}": "{TEXT}')]
        told += [await http.post("/v2/orchestrate", json={"prompt": TEXT, "temperature": TEXT})]
        told += [await http.get("/v1/models", headers={"authorization": f"Bearer {TEXT}"})]
        told += [await http.get("/metrics"), await http.get("/ready"), await http.get("/v1/models")]
    assert upstream.seen[0].headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert told[0].status_code == 200
    shown = gateway.log() + "".join(response.text for response in told[1:])
    for canary in (PROVIDER_KEY, TEXT, SAID, ROOT_KEY, database_url.split("@", maxsplit=1)[0]):
        assert canary not in shown
    lines = [json.loads(line) for line in gateway.log().splitlines() if line.startswith("{")]
    access = [line for line in lines if line["event"] == "request"]
    assert len(access) >= len(told)
    assert all(set(line) == FIELDS for line in access)


def _ways_to_answer() -> list[tuple[bytes | Act, ...]]:
    said = SAID.encode()
    return [
        (completion(SAID),),
        (answer(said),),
        (answer(said, "400 Bad Request"),),
        (answer(said, "401 Unauthorized"),),
        (answer(said, "500 Internal Server Error"),),
        (Act.RESET,),
    ]


async def _ask(http: httpx.AsyncClient, upstream: Upstream, *steps: bytes | Act) -> httpx.Response:
    upstream.plays(*steps)
    body = {"model": "left", "messages": [{"role": "user", "content": TEXT}], "metadata": {"tag": TEXT}}
    return await http.post("/v1/chat/completions", json=body)
