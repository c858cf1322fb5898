"""The real application on a loopback port, in a thread of the test process."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from prysm.app import create_app
from prysm.config import Settings, load_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROOT_KEY = "prysm_sk_canary_of_the_root_key"
AUTHORIZED = {"authorization": f"Bearer {ROOT_KEY}"}
PROMPT = "What is the capital of France?"

SANDBOX = """
[[models]]
id = "sandbox-small"
provider = "sandbox"
tier = "small"
input_usd_per_mtok = 0.1
output_usd_per_mtok = 0.4
quality = { default = 0.55 }

[[models]]
id = "sandbox-mid"
provider = "sandbox"
tier = "mid"
input_usd_per_mtok = 0.5
output_usd_per_mtok = 2
quality = { default = 0.75 }

[[models]]
id = "sandbox-strong"
provider = "sandbox"
tier = "strong"
input_usd_per_mtok = 3
output_usd_per_mtok = 12
capabilities = ["tools", "json_schema"]
quality = { default = 0.95 }

[[models]]
id = "sandbox-embedding"
provider = "sandbox"
tier = "small"
input_usd_per_mtok = 0.02
capabilities = ["embeddings"]

[[models]]
id = "team/with-slash"
provider = "sandbox"
upstream = "sandbox-small"
tier = "small"
quality = { default = 0.1 }
"""


@dataclass(frozen=True)
class Served:
    """A gateway that listens; `http` carries the root key."""

    url: str
    database_url: str = field(repr=False)
    http: httpx.Client = field(repr=False)

    def chat(self, model: str = "auto", prompt: str = PROMPT, **more: Any) -> httpx.Response:
        """Ask over OpenAI's route."""
        body = {"model": model, "messages": [{"role": "user", "content": prompt}]} | more
        return self.http.post("/v1/chat/completions", json=body)

    def orchestrate(self, prompt: str = PROMPT, **more: Any) -> httpx.Response:
        """Ask over our own route."""
        return self.http.post("/v2/orchestrate", json={"prompt": prompt} | more)

    def proof(self, request_id: str) -> dict[str, Any]:
        """Read a receipt back."""
        found: dict[str, Any] = self.http.get(f"/v1/proof/{request_id}").json()
        return found

    def outcome(self, request_id: str, within_s: float = 5.0) -> str | None:
        """How a run ended, waiting for its receipt; `None` when there is none in time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found = self.proof(request_id)
            if "entry" in found:
                return str(found["entry"]["outcome"])
            time.sleep(0.02)
        return None

    def connect(self) -> socket.socket:
        """Open a raw connection."""
        host, port = self.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=10)

    def raw(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Write one request whose headers are given as they are; keyword `x_y` becomes header `x-y`."""
        given = {"authorization": AUTHORIZED["authorization"], "host": "gateway"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@contextmanager
def served(
    folder: Path,
    toml: str,
    database_url: str,
    environ: Mapping[str, str] | None = None,
    log_level: str = "critical",
) -> Iterator[Served]:
    """Serve `toml` until the block ends; the database must be migrated."""
    path = folder / "prysm.toml"
    path.write_text(toml)
    settings = Settings(database_url=database_url, data_dir=folder, config_path=path, root_key=ROOT_KEY)
    app = create_app(settings, load_config(settings, environ or {}))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="prysm.api.framing:Protocol",
        ws="none",
        access_log=False,
        log_level=log_level,
        server_header=False,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            with httpx.Client(base_url=url, headers=AUTHORIZED, timeout=20, trust_env=False) as http:
                yield Served(url, database_url, http)
        finally:
            server.should_exit = True
            thread.join()
