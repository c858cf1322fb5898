"""Finding an Ollama, against servers that answer as one and servers that do not."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from prysm.core.chat import Usage
from prysm.providers.ollama import MAX_BYTES, discover, ollama_models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def listener(reply: bytes | None) -> AsyncIterator[str]:
    """Serve `reply` to everybody, or silence; yields the base URL."""
    told = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if reply is None:
            await told.wait()
        elif request.startswith(b"GET /api/tags "):
            writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    told.set()
    server.close()
    await server.wait_closed()


def tags(*models: object, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nconnection: close\r\n\r\n" % status.encode() + json.dumps({"models": models}).encode()


async def test_the_chat_models_of_an_ollama_are_found_in_its_order() -> None:
    entries = (
        {"name": "qwen3:8b", "details": {"family": "qwen3", "parameter_size": "8.2B"}},
        {"name": "nomic-embed-text:latest", "details": {"family": "nomic-bert"}},
        {"name": "all-minilm:22m", "details": {"family": "bert"}},
        {"name": "llama3.2:3b"},
        {"name": "qwen3:8b"},
    )
    async with listener(tags(*entries)) as url:
        assert await discover(url, timeout_s=5) == ("qwen3:8b", "llama3.2:3b")


async def test_where_nobody_listens_nothing_is_found() -> None:
    async with listener(None) as url:
        pass
    assert await discover(url) == ()


@pytest.mark.parametrize(
    "reply",
    [
        tags({"name": "a:1b"}, status="500 Internal Server Error"),
        tags("a string", 7),
        tags({"name": None}, {"name": "bad\nname"}, {"name": ""}),
        tags({"name": "a:1b", "details": [1]}, {}),
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>",
        b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n["models"]',
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
        tags({"name": "a:1b", "padding": "x" * MAX_BYTES}),
    ],
    ids=range(11),
)
async def test_nonsense_is_no_ollama(reply: bytes) -> None:
    async with listener(reply) as url:
        assert await discover(url, timeout_s=5) == ()


async def test_silence_is_waited_for_no_longer_than_asked() -> None:
    began = time.monotonic()
    async with listener(None) as url:
        assert await discover(url, timeout_s=0.1) == ()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("url", ["", "nonsense", "http://127.0.0.1:99999", "http://[", "ftp://127.0.0.1"])
async def test_a_base_url_that_is_none_finds_nothing(url: str) -> None:
    assert await discover(url) == ()


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("smollm2:135m", "small"),
        ("qwen2.5:0.5b-instruct", "small"),
        ("llama3.2:3b", "small"),
        ("gemma3n:e4b", "mid"),
        ("qwen3:8b-q4_K_M", "mid"),
        ("phi4:14B", "mid"),
        ("llama3.1:latest", "mid"),
        ("qwen3:30b-a3b", "strong"),
        ("mixtral:8x7b", "strong"),
        ("llama3.3:70b", "strong"),
    ],
)
def test_the_tier_follows_the_size_in_the_name(name: str, tier: str) -> None:
    assert [model.tier for model in ollama_models([name])] == [tier]


def test_a_model_of_ones_own_machine_is_known_to_be_free() -> None:
    (model,) = ollama_models(["qwen3:8b"])
    assert model.price.cost(Usage(prompt_tokens=10, completion_tokens=10, cached_tokens=5)) == 0
    assert (model.id, model.upstream, model.provider, model.family) == ("qwen3:8b", "qwen3:8b", "ollama", "qwen3")
    assert not model.simulated
