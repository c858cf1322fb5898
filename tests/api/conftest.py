from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.databases import database
from tests.providers.upstream import Upstream, running
from tests.serving import SANDBOX, Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER_KEY = "sk-canary-of-the-provider-key"


@pytest.fixture(scope="session")
def sandbox(postgres_url: str) -> Iterator[Served]:
    """A gateway over simulated models: every strategy works, every answer is deterministic enough."""
    with (
        tempfile.TemporaryDirectory(prefix="prysm-api-") as folder,
        database(postgres_url) as url,
        served(Path(folder), SANDBOX, url) as gateway,
    ):
        yield gateway


@pytest.fixture(scope="session")
def upstreams() -> Iterator[dict[str, Upstream]]:
    """Two scripted model servers in a thread of their own, so that a blocking test can watch them."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    found: dict[str, Upstream] = {}

    async def serve() -> None:
        async with running() as left, running() as right:
            found.update(left=left, right=right)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    yield found
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture(scope="session")
def _scripted(postgres_url: str, upstreams: dict[str, Upstream]) -> Iterator[Served]:
    toml = "".join(provider(name, upstream.url) for name, upstream in upstreams.items())
    toml += provider("dead", "http://127.0.0.1:9/v1")
    with (
        tempfile.TemporaryDirectory(prefix="prysm-api-") as folder,
        database(postgres_url) as url,
        served(Path(folder), toml, url, os.environ | {"UPSTREAM_KEY": PROVIDER_KEY}) as gateway,
    ):
        yield gateway


@pytest.fixture
def scripted(_scripted: Served, upstreams: dict[str, Upstream]) -> Served:
    """A gateway over the two scripted upstreams and a dead one, none of which has anything to say yet."""
    for upstream in upstreams.values():
        upstream.plays()
        upstream.seen.clear()
        upstream.left.clear()
    return _scripted


@pytest.fixture(scope="session")
def _formats(postgres_url: str, upstreams: dict[str, Upstream]) -> Iterator[Served]:
    url = upstreams["left"].url
    toml = "".join(provider(kind, url, kind) for kind in ("openai", "anthropic", "gemini"))
    with (
        tempfile.TemporaryDirectory(prefix="prysm-api-") as folder,
        database(postgres_url) as kept,
        served(Path(folder), toml, kept, os.environ | {"UPSTREAM_KEY": PROVIDER_KEY}) as gateway,
    ):
        yield gateway


@pytest.fixture
def formats(_formats: Served, left: Upstream) -> Served:
    """A gateway over a model of each wire format, called as the format is; behind them all is the upstream `left`."""
    left.plays()
    left.seen.clear()
    left.left.clear()
    return _formats


@pytest.fixture
def left(upstreams: dict[str, Upstream]) -> Upstream:
    """The upstream behind the model `left`."""
    return upstreams["left"]


@pytest.fixture
def right(upstreams: dict[str, Upstream]) -> Upstream:
    """The upstream behind the model `right`."""
    return upstreams["right"]


def provider(name: str, url: str, kind: str = "openai") -> str:
    """A host and its one model, both called after `name`, as prysm.toml has them."""
    quality = 0.0 if name == "dead" else 0.8
    return f"""
[[providers]]
id = "{name}-host"
kind = "{kind}"
base_url = "{url}"
api_key_env = "UPSTREAM_KEY"
first_byte_timeout_s = 10
retries = 0
breaker = false

[[models]]
id = "{name}"
provider = "{name}-host"
tier = "{"small" if name == "left" else "mid"}"
input_usd_per_mtok = 1
output_usd_per_mtok = 10
context_window = 32000
capabilities = ["tools", "json_schema", "vision", "logprobs", "reasoning"]
quality = {{ default = {quality} }}

[[models]]
id = "{name}-vectors"
provider = "{name}-host"
upstream = "{"vectors-0" if name == "dead" else "vectors-1"}"
tier = "small"
context_window = 8192
input_usd_per_mtok = {1 if name == "left" else 2}
capabilities = ["embeddings"]
"""
