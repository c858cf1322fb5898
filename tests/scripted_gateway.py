"""A gateway that says what a test tells it to, over real HTTP on loopback."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from tests.signed_receipts import RUN, Log

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Said:
    """One scripted answer. `cut` closes the connection before the body is whole."""

    status: int
    body: bytes
    headers: dict[str, str]
    cut: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedGateway:
    """`url` is where it listens; `asked` what it was sent. The last answer to a path is given again and again."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: dict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))

    def says(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        """Answer `path` with JSON, or with bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script[path].append(Said(status, data, {"content-type": "application/json", **named}))

    def streams(self, path: str, *data: Any, done: bool = True, cut: bool = False) -> None:
        """Answer `path` with an event stream of these objects."""
        lines = [": heartbeat\n\n", *(f"data: {json.dumps(item)}\n\n" for item in data)]
        body = "".join([*lines, "data: [DONE]\n\n"] if done else lines).encode()
        self.script[path].append(Said(200, body, {"content-type": "text/event-stream"}, cut))

    def answer_to(self, path: str) -> Said:
        """Take the next answer for `path`, or for it without its query."""
        answers = (
            self.script.get(path)
            or self.script.get(path.partition("?")[0])
            or [Said(404, b'{"error": {"message": "no such thing", "code": "x"}}', {})]
        )
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    scripted = ScriptedGateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            scripted.asked.append(Asked(self.command, self.path, headers, body))
            self._answer(scripted.answer_to(self.path))

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 -- the base class looks them up by these names

        def _answer(self, said: Said) -> None:
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said.body) + (1 if said.cut else 0)))
            self.send_header("connection", "close")
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(said.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        scripted.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield scripted
        server.shutdown()
        thread.join()


@dataclass
class Sealed:
    """A receipt that holds: the proof document, its stage documents, the gateway's keys, and the log it is in."""

    log: Log
    document: dict[str, Any]
    stages: list[dict[str, Any]]
    keys: dict[str, Any]

    def served_by(self, gateway: ScriptedGateway, run: str = RUN) -> None:
        """Have a gateway serve it."""
        gateway.says(f"/v1/proof/{run}", self.document)
        gateway.says("/.well-known/prysm-keys.json", self.keys)
        for i, stage in enumerate(self.stages):
            gateway.says(f"/v1/proof/{run}/stages/{i}", stage)


@pytest.fixture
def receipt() -> Sealed:
    log = Log()
    document = log.document()
    return Sealed(log, document, document.pop("stages"), document.pop("keys"))
