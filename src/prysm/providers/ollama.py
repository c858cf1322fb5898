"""Models of an Ollama that runs on this machine (https://github.com/ollama/ollama/blob/main/docs/api.md)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from prysm.core.model import Model, Price
from prysm.providers.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prysm.core.model import Tier

BASE_URL = "http://127.0.0.1:11434"
MAX_BYTES = 1_000_000
SMALL_BELOW_B, MID_BELOW_B = 4.0, 20.0
FREE = Price(input=0, output=0)
"""A model on one's own machine is known to cost nothing per token."""

_SIZE = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")


async def discover(base_url: str = BASE_URL, timeout_s: float = 0.3) -> tuple[str, ...]:
    """Names of the chat models there, in Ollama's order; empty when nobody or nonsense answers. Never raises.

    At most `timeout_s` seconds and `MAX_BYTES` bytes. Chat goes to `<base_url>/v1` in the OpenAI format.
    """
    try:
        async with asyncio.timeout(timeout_s):
            tags = orjson.loads(await _get(f"{base_url}/api/tags"))
        return tuple(dict.fromkeys(entry["name"] for entry in tags["models"] if _chats(entry)))
    except Exception:  # noqa: BLE001 -- a look around the machine must not stop the start, whatever answers
        return ()


def ollama_models(names: Iterable[str]) -> tuple[Model, ...]:
    """Catalog entries for `names`, e.g. `llama3.2:3b`."""
    return tuple(
        Model(
            id=name,
            provider="ollama",
            upstream=name,
            display=f"{name} (Ollama)",
            family=name.partition(":")[0],
            tier=_tier(name),
            price=FREE,
        )
        for name in names
    )


async def _get(url: str) -> bytes:
    """The body of a 200; anything else, or a body over the limit, is a ValueError."""
    body = bytearray()
    async with open_transport() as transport:
        response = await transport.handle_async_request(httpx.Request("GET", url))
        try:
            if response.status_code != httpx.codes.OK:
                raise ValueError
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_BYTES:
                    raise ValueError
        finally:
            await response.aclose()
    return bytes(body)


def _chats(entry: Any) -> bool:
    """Whether an entry of the list is a chat model: embedding models are BERTs or say so in their name."""
    name, details = entry["name"], entry.get("details")
    family = str(details.get("family")) if isinstance(details, dict) else ""
    return isinstance(name, str) and name.isprintable() and name != "" and not _embeds(name, family)


def _embeds(name: str, family: str) -> bool:
    return "embed" in name or "bert" in family


def _tier(name: str) -> Tier:
    """Tier by the parameter count in the name (`8x7b` counts all experts); unnamed sizes are mostly 7–9 b."""
    found = _SIZE.search(name.lower())
    if found is None:
        return "mid"
    experts, count, unit = found.groups()
    billions = int(experts or 1) * float(count) * (1.0 if unit == "b" else 0.001)
    return "small" if billions < SMALL_BELOW_B else "mid" if billions < MID_BELOW_B else "strong"
