"""A mark in every text that passes through a gateway, and a look at everything that is left of it afterwards."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import orjson
from tests.acceptance.traces import files, holding, spellings
from tests.api.wire import completion, stream_start, streamed
from tests.providers.upstream import Act, Upstream, answer, serving
from tests.serving import AUTHORIZED, SANDBOX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.acceptance.conftest import Process
    from tests.acceptance.outside import Outside
    from tests.providers.upstream import Step

MARK = "zqcanary7f3ae1b2c94dqz"
CONTROL = "zqcontrol5d20c8e7a1b3qz"
CHAT, ORCHESTRATE = "/v1/chat/completions", "/v2/orchestrate"
PANEL = ("left", "right", "third")
FAILING = [f"fails-{way}-{time}" for way in range(4) for time in range(2)]
"""One for each test, as a model that fails is left alone after a while."""
STRATEGIES = ("self_consistency", "debate", "ensemble_moa", "blender", "cascade", "decompose_and_route")
SPOOLING = '[proof]\nseal = "spool"\n[retention]\ncontent = "1h"\n'
"""Keeps answers of /v1/responses, where the request does not forbid it."""
COLUMNS = """
    SELECT format('ALTER TABLE %I ALTER COLUMN %I SET STORAGE EXTERNAL', table_name, column_name)
    FROM information_schema.columns WHERE table_schema = 'public' AND data_type IN ('bytea', 'text')
"""
TOOL = {"type": "function", "function": {"name": MARK, "description": MARK, "parameters": {"type": "object"}}}
CALL = [{"id": "call_1", "type": "function", "function": {"name": MARK, "arguments": f'{{"{MARK}": "{MARK}"}}'}}]
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": f"{MARK} system"},
    {"role": "user", "content": f"{MARK} first"},
    {"role": "assistant", "content": None, "tool_calls": CALL},
    {"role": "tool", "tool_call_id": "call_1", "content": f"{MARK} result"},
    {"role": "user", "content": f"What is {MARK}?"},
]
ASKED: dict[str, Any] = {"model": "left", "messages": MESSAGES, "user": MARK}
ZERO: dict[str, Any] = {"retention": "zero", "metadata": {MARK[:8]: MARK}}
"""Otherwise metadata is kept: it is what a run is attributed to."""


@dataclass
class Echo(Upstream):
    """A provider that says the mark, in the form that it is asked for, or does what a test tells it to instead."""

    instead: tuple[Step, ...] | None = None

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = self.seen[-1].json
        text = None if asked.get("tools") else f"It is {MARK}.\n\nFinal answer: {MARK}"
        if self.instead is not None:
            self.steps = self.instead
        elif asked.get("stream"):
            self.steps = (streamed(text) if text else streamed({"tool_calls": [CALL[0] | {"index": 0}]}),)
        else:
            self.steps = (completion(text) if text else completion(None, tool_calls=CALL),)
        return await super()._play(reader, writer)


@dataclass
class Told:
    """What the callers were told: ids of runs, and the salts that open their receipts."""

    ids: set[str] = field(default_factory=set)
    salts: set[bytes] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)

    def hear(self, response: httpx.Response) -> httpx.Response:
        """Keep what an answer shows."""
        self.ids.add(response.headers["x-request-id"])
        self.statuses.append(response.status_code)
        self.salts |= {base64.b64decode(salt) for salt in re.findall('"salt":"([^"]+)"', response.text)}
        return response


async def test_no_text_and_no_salt_is_left_anywhere(
    serve: Callable[..., Process], outside: Outside, tmp_path: Path
) -> None:
    told = Told()
    await _store_plainly(outside)
    async with serving(Echo()) as upstream:
        gateway = await _started(serve, outside, upstream)
        async with _client(gateway) as http:
            for more in ({}, ZERO):
                await _succeed(http, told, more)
                await _fail(http, told, upstream, more)
                await _hang_up(http, upstream, more)
            shown = await _shown(http, told)
        await _cut(gateway, upstream)
        successor = await _started(serve, outside, upstream, SPOOLING)
        spooled = await _spool(successor, outside, upstream, told)
        async with _client(successor) as http:
            for forbidden in ({"store": False}, {"retention": "zero"}):
                told.hear(await http.post("/v1/responses", json={"model": "left", "input": MARK} | forbidden))
            shown += await _shown(http, told)
            await _flush(outside)
            left = [*files(outside.folder, tmp_path), *shown, *spooled]
            assert {"base", "pg_wal"} <= await _control(http, outside)
    wanted = spellings(MARK).union(told.salts, map(base64.b64encode, told.salts))
    assert holding(left, wanted) == {}
    assert len(told.salts) > 40
    assert {200, 400, 422, 502} <= set(told.statuses)


async def _succeed(http: httpx.AsyncClient, told: Told, more: dict[str, Any]) -> None:
    for stream in (False, True):
        for tools in ({}, {"tools": [TOOL]}):
            asked = ASKED | {"stream": stream} | tools | more
            answered = told.hear(await http.post(CHAT, json=asked))
            assert (answered.status_code, MARK in answered.text) == (200, True)
        for strategy in STRATEGIES:
            body = {"prompt": f"What is {MARK}?", "strategy": strategy, "models": PANEL, "stream": stream}
            answered = told.hear(await http.post(ORCHESTRATE, json=body | more))
            assert (answered.status_code, MARK in answered.text) == (200, True), strategy
    sandbox = {"model": "sandbox-strong", "messages": [{"role": "user", "content": MARK}]}
    answered = told.hear(await http.post(CHAT, json=sandbox | more))
    assert MARK in answered.text
    if not more:
        told.hear(await http.post("/v1/responses", json={"model": "left", "input": MARK, "instructions": MARK}))
        told.hear(await http.post("/v1/messages", json=sandbox | {"max_tokens": 99, "system": MARK}))
        told.hear(await http.post("/v1/embeddings", json={"model": "sandbox-embedding", "input": [MARK]}))
    judged = {"request_id": answered.headers["x-request-id"], "correct": True, "comment": MARK}
    assert (await http.post("/v1/feedback", json=judged)).status_code == 200


async def _fail(http: httpx.AsyncClient, told: Told, upstream: Echo, more: dict[str, Any]) -> None:
    said = orjson.dumps({"error": {"message": MARK, "type": MARK, "code": MARK}})
    ways: list[tuple[Step, ...]] = [
        (answer(said, "400 Bad Request"),),
        (answer(said, "500 Internal Server Error"),),
        (answer(MARK.encode(), content_type=MARK),),
        (stream_start(MARK), Act.RESET),
    ]
    for i, way in enumerate(ways):
        upstream.instead, model = way, f"fails-{i}-{len(more)}"
        for stream in (False, True):
            failed = told.hear(await http.post(CHAT, json=ASKED | {"model": model, "stream": stream} | more))
            assert failed.status_code != 200 or '"error":' in failed.text
    upstream.instead = ways[0]
    told.hear(await http.post(ORCHESTRATE, json={"prompt": MARK, "models": ["left", "right"]} | more))
    upstream.instead = None
    told.hear(await http.post(CHAT, content=f'{{"{MARK}": "{MARK}', headers={"content-type": "application/json"}))
    told.hear(await http.post(ORCHESTRATE, json={"prompt": MARK, MARK: MARK, "temperature": MARK} | more))


async def _hang_up(http: httpx.AsyncClient, upstream: Echo, more: dict[str, Any]) -> None:
    """Callers who leave in the middle of their answers."""
    upstream.instead = (stream_start(MARK), Act.HANG)
    for body in (ASKED, ASKED | {"stream": True}):
        upstream.left.clear()
        with suppress(httpx.ReadTimeout):
            await http.post(CHAT, json=body | more, timeout=0.5)
        await asyncio.wait_for(upstream.left.wait(), 5)
    upstream.instead = None


async def _cut(gateway: Process, upstream: Echo) -> None:
    """Runs that a crash cuts off."""
    upstream.instead, before = (stream_start(MARK), Act.HANG), len(upstream.seen)
    async with _client(gateway) as http:
        bodies = (ASKED, ASKED | {"stream": True})
        running = [asyncio.create_task(http.post(CHAT, json=body)) for body in bodies]
        async with asyncio.timeout(10):
            while len(upstream.seen) < before + len(running):  # noqa: ASYNC110 - the gateway brings it about
                await asyncio.sleep(0.02)
        os.killpg(gateway.popen.pid, signal.SIGKILL)
        await asyncio.gather(*running, return_exceptions=True)
    await asyncio.to_thread(gateway.popen.wait)
    upstream.instead = None


async def _spool(gateway: Process, database: Outside, upstream: Echo, told: Told) -> list[tuple[str, bytes]]:
    """Answers while the database is away; what the spool held, before it went into the database."""
    await asyncio.to_thread(database.stop)
    folder = gateway.stderr.parent / ".prysm" / "spool"
    async with _client(gateway) as http:
        for more in ({}, {"retention": "zero"}):
            for stream in (False, True):
                assert told.hear(await http.post(CHAT, json=ASKED | {"stream": stream} | more)).status_code == 200
        upstream.instead = (answer(MARK.encode(), "400 Bad Request"),)
        told.hear(await http.post(CHAT, json=ASKED))
        upstream.instead = None
    spooled = list(files(folder))
    assert len(spooled) == 5
    await asyncio.to_thread(database.start)
    async with asyncio.timeout(20):
        while list(folder.iterdir()):  # noqa: ASYNC110 - the gateway brings it about
            await asyncio.sleep(0.1)
    return spooled


async def _shown(http: httpx.AsyncClient, told: Told) -> list[tuple[str, bytes]]:
    """Everything that is shown to others than the caller: metrics, and what strangers may fetch of every run."""
    found = [("metrics", (await http.get("/metrics")).content)]
    for request_id in told.ids:
        receipt = await http.get(f"/v1/proof/{request_id}")
        text = await http.get(f"/v1/proof/{request_id}", headers={"accept": "text/plain"})
        found += [(f"receipt {request_id}", receipt.content), (f"proof {request_id}", text.content)]
        payload = receipt.json().get("proof", {}).get("envelope", {}).get("payload", "")
        found.append((f"record {request_id}", base64.b64decode(payload)))
        stage = await http.get(f"/v1/proof/{request_id}/stages/0")
        found.append((f"stage {request_id}", base64.b64decode(stage.json().get("body", ""))))
    return found


async def _store_plainly(database: Outside) -> None:
    """Have nothing compressed, so that a search sees what there is."""
    async with _connected(database) as connection:
        for row in await connection.fetch(COLUMNS):
            await connection.execute(row[0])


async def _flush(database: Outside) -> None:
    async with _connected(database) as connection:
        await connection.execute("SELECT pg_switch_wal()")
        await connection.execute("CHECKPOINT")


async def _control(http: httpx.AsyncClient, database: Outside) -> set[str]:
    """Where a text is found that is to be kept: the search does see what is there."""
    kept = await http.post("/v1/responses", json={"model": "sandbox-strong", "input": CONTROL})
    assert kept.json()["store"] is True
    await _flush(database)
    found = holding(files(database.folder), spellings(CONTROL))
    return {name.removeprefix(str(database.folder / "postgres")).split("/")[1] for name in found}


@asynccontextmanager
async def _connected(database: Outside) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database.url)
    try:
        yield connection
    finally:
        await connection.close()


async def _started(serve: Callable[..., Process], database: Outside, upstream: Echo, proof: str = "") -> Process:
    models = "".join(
        f'[[models]]\nid = "{name}"\nprovider = "{name}-host"\ntier = "mid"\ncapabilities = ["tools"]\n'
        f'[[providers]]\nid = "{name}-host"\nkind = "openai"\nbase_url = "{upstream.url}"\n'
        for name in (*PANEL, *FAILING)
    )
    toml = SANDBOX + models + proof
    gateway = serve(toml=toml, PRYSM_DATABASE_URL=database.url, PRYSM_LOG_LEVEL="debug")
    return await asyncio.to_thread(gateway.wait_ready)


def _client(gateway: Process) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, headers=AUTHORIZED, timeout=30, trust_env=False)
