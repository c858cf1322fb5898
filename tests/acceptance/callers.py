"""Clients that ask a gateway all the time, whatever happens to it, and remember what they got."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from tests.serving import AUTHORIZED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tests.acceptance.conftest import Process

PAUSE_S = 0.02
PATIENCE_S = 40.0
chance = random.SystemRandom()
CHAT, ORCHESTRATE = "/v1/chat/completions", "/v2/orchestrate"


@dataclass
class Heard:
    """What the callers got. `answers`: id to what came in full; `begun`: every id of a response with status 200."""

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    others: Counter[str] = field(default_factory=Counter)

    @property
    def cut(self) -> set[str]:
        """The runs that were seen to begin, and of which no answer came."""
        return self.begun - self.answers.keys()


@asynccontextmanager
async def calling(
    gateways: Sequence[Process], number: int = 6, headers: Mapping[str, str] = AUTHORIZED
) -> AsyncIterator[Heard]:
    """Keep `number` clients asking until the block ends; those who wait for an answer then get it."""
    heard, over = Heard(), asyncio.Event()
    urls = [gateways[i % len(gateways)].url for i in range(number)]
    tasks = [asyncio.create_task(_keep_asking(url, headers, heard, over)) for url in urls]
    try:
        yield heard
    finally:
        over.set()
        await asyncio.gather(*tasks)


async def _keep_asking(url: str, headers: Mapping[str, str], heard: Heard, over: asyncio.Event) -> None:
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, trust_env=False) as http:
        while not over.is_set():
            path, body = _question()
            try:
                await (_stream(http, path, body, heard) if body["stream"] else _json(http, path, body, heard))
            except httpx.TransportError as error:
                heard.others[type(error).__name__] += 1
                await asyncio.sleep(PAUSE_S)


def _question() -> tuple[str, dict[str, Any]]:
    """One of several kinds of runs, from a single call of 80 ms to three rounds of calls."""
    asked = f"What is {chance.randrange(10**6)} + {chance.randrange(10**6)}?"
    stream = chance.random() < 0.5
    if chance.random() < 0.5:
        return CHAT, {
            "model": "sandbox-strong",
            "messages": [{"role": "user", "content": asked}],
            "stream": stream,
        }
    strategy = chance.choice(["self_consistency", "debate", "cascade"])
    return ORCHESTRATE, {"prompt": asked, "strategy": strategy, "stream": stream}


async def _json(http: httpx.AsyncClient, path: str, body: dict[str, Any], heard: Heard) -> None:
    response = await http.post(path, json=body)
    if response.status_code == httpx.codes.OK:
        heard.begun.add(response.headers["x-request-id"])
        heard.answers[response.headers["x-request-id"]] = response.json()
    else:
        await _refused(response, heard)


async def _stream(http: httpx.AsyncClient, path: str, body: dict[str, Any], heard: Heard) -> None:
    async with http.stream("POST", path, json=body) as response:
        if response.status_code != httpx.codes.OK:
            await response.aread()
            return await _refused(response, heard)
        request_id, text = response.headers["x-request-id"], ""
        heard.begun.add(request_id)
        async for line in response.aiter_lines():
            with suppress(json.JSONDecodeError):
                event = json.loads(line.removeprefix("data: "))
                text += "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))
                if "prysm" in event:
                    heard.answers[request_id] = _whole(text, event["prysm"])
                elif "error" in event:
                    heard.others[event["error"]["code"]] += 1
    return None


def _whole(text: str, prysm: dict[str, Any]) -> dict[str, Any]:
    """A streamed answer in the form of one that came at once."""
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "prysm": prysm}


async def _refused(response: httpx.Response, heard: Heard) -> None:
    heard.others[response.json()["error"]["code"]] += 1
    await asyncio.sleep(PAUSE_S)
