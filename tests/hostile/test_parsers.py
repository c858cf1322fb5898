"""Every parser of bytes from outside takes them or refuses them with the error it says it raises, and no other.

In the default run a few examples each; `make fuzz` tries thousands.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hostile.conftest import FEW
from tests.hostile.mutations import bent, each_bent, mutated, odd_values
from tests.providers.formats import CALL, FORMATS, Format
from tests.serving import SANDBOX
from tests.store.receipts import whole

from prysm.api import parse
from prysm.api.bodies import ChatBody, OrchestrateBody, RouteBody
from prysm.api.embeddings import EmbeddingBody
from prysm.api.feedback import FeedbackBody
from prysm.api.messages_body import MessagesBody
from prysm.api.responses_body import ResponsesBody
from prysm.client.errors import BadAnswer
from prysm.client.events import ChunkReader
from prysm.config import Settings, load_config
from prysm.errors import ConfigError, ProviderError, PrysmError
from prysm.proof import canonical, checkpoint, note, tlog_proof
from prysm.proof.defect import Defect
from prysm.proof.document import NoReceipt
from prysm.proof.keys import read_keys
from prysm.proof.signing import SigningKey
from prysm.proof.tiles import parse_tile_path
from prysm.proof.trust import read_trust
from prysm.proof.verify import verify_bytes
from prysm.replay import recording
from prysm.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
RECEIPTS = [path.read_bytes() for path in sorted((ROOT / "tests/proof/receipts/good").rglob("*.json"))[:12]]
KEY = SigningKey.from_private(bytes(range(32)))
NOTE = checkpoint.signed(checkpoint.Checkpoint("prysm/" + "0" * 32, 1, bytes(32)), [KEY])
PROOF = tlog_proof.write(0, [bytes(32)], NOTE, b"extra")
HELLO: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
TOOL = {
    "name": "look",
    "description": "Look.",
    "parameters": {"type": "object", "properties": {"x": {"type": "string"}}},
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": TOOL["parameters"], "strict": True}}
CALLED = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
OURS = {"k": 2, "samples": 3, "max_cost_usd": 1.0, "deadline_s": 9.0, "models": ["a"], "fallback": ["b"]}
CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        HELLO,
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
        {"role": "tool", "tool_call_id": "c1", "content": "nothing"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
    ],
    "tools": [{"type": "function", "function": TOOL}],
    "tool_choice": "auto",
    "response_format": SCHEMA,
    "temperature": 0.5,
    "max_tokens": 9,
    "stop": ["x"],
    "stream_options": {"include_usage": True},
    "metadata": {"team": "a"},
}
BODIES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (ChatBody, CHAT | OURS | {"model": "auto", "n": 1}),
    (OrchestrateBody, CHAT | OURS | {"policy": "depth", "strategy": "debate"}),
    (RouteBody, {"messages": [HELLO], "routing_mode": "quality"}),
    (FeedbackBody, {"request_id": "x", "score": 0.5, "comment": "y"}),
    (EmbeddingBody, {"model": "auto", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64"}),
    (
        MessagesBody,
        OURS
        | {
            "model": "auto",
            "max_tokens": 9,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                HELLO,
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {"x": "y"}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "nothing"}]},
            ],
            "tools": [{"name": "look", "input_schema": TOOL["parameters"]}],
            "tool_choice": {"type": "auto"},
            "thinking": {"type": "enabled", "budget_tokens": 1024},
        },
    ),
    (
        ResponsesBody,
        OURS
        | {
            "model": "auto",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "nothing"},
            ],
            "tools": [{"type": "function", **TOOL}],
            "text": {"format": {"type": "text"}},
            "reasoning": {"effort": "low"},
        },
    ),
]
every_body = pytest.mark.parametrize(("body", "sample"), BODIES, ids=lambda item: getattr(item, "__name__", ""))
every_format = pytest.mark.parametrize("form", FORMATS, ids=str)


def _read(body: type[BaseModel], raw: bytes) -> None:
    with suppress(PrysmError):
        found = parse.read(body, raw)
        if isinstance(found, (ChatBody, OrchestrateBody, RouteBody, MessagesBody, ResponsesBody)):
            found.chat_request()


@every_body
@FEW
@given(data=st.data())
def test_a_bent_body_is_taken_or_refused(
    body: type[BaseModel], sample: dict[str, Any], data: st.DataObject
) -> None:
    _read(body, json.dumps(data.draw(bent(sample))).encode())


@every_body
def test_a_body_with_a_value_of_another_type_is_taken_or_refused(
    body: type[BaseModel], sample: dict[str, Any]
) -> None:
    for changed in each_bent(sample):
        _read(body, json.dumps(changed).encode())


@every_body
@FEW
@given(data=st.data())
def test_a_broken_body_is_taken_or_refused(
    body: type[BaseModel], sample: dict[str, Any], data: st.DataObject
) -> None:
    _read(body, data.draw(mutated([json.dumps(sample).encode()])))


def _ask(form: Format, content: bytes, content_type: str, *, stream: bool) -> None:
    """Let an adapter read an answer that is `content`."""

    def answers(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": content_type}, content=content)

    async def read() -> None:
        provider = form.provider("http://127.0.0.1:9", httpx.MockTransport(answers))
        with suppress(ProviderError):
            if not stream:
                await provider.complete(CALL)
                return
            async with aclosing(provider.stream(CALL)) as pieces:
                async for _ in pieces:
                    pass

    asyncio.run(read())


@every_format
@FEW
@given(data=st.data())
def test_a_bent_answer_of_a_provider_is_taken_or_refused(form: Format, data: st.DataObject) -> None:
    _ask(form, json.dumps(data.draw(bent(form.answer))).encode(), "application/json", stream=False)


@every_format
def test_an_answer_of_a_provider_with_a_value_of_another_type_is_taken_or_refused(form: Format) -> None:
    for changed in each_bent(form.answer):
        _ask(form, json.dumps(changed).encode(), "application/json", stream=False)


@every_format
@FEW
@given(data=st.data())
def test_a_broken_answer_of_a_provider_is_taken_or_refused(form: Format, data: st.DataObject) -> None:
    _ask(form, data.draw(mutated([form.body(), json.dumps(form.error).encode()])), "application/json", stream=False)


@every_format
@FEW
@given(data=st.data())
def test_a_broken_stream_of_a_provider_is_taken_or_refused(form: Format, data: st.DataObject) -> None:
    _ask(form, data.draw(mutated([b"".join(form.events)])), "text/event-stream", stream=True)


@every_format
@FEW
@given(data=st.data())
def test_a_stream_of_bent_events_is_taken_or_refused(form: Format, data: st.DataObject) -> None:
    events = []
    for event in form.events:
        begin, found, rest = event.partition(b"data: {")
        wrong = found and data.draw(st.booleans())
        changed = json.dumps(data.draw(bent(json.loads(b"{" + rest)))).encode() if wrong else b""
        events.append(begin + b"data: " + changed + b"\n\n" if wrong else event)
    _ask(form, b"".join(events), "text/event-stream", stream=True)


@FEW
@given(
    mutated(
        [
            b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\ndata: [DONE]\n\n',
            b'event: error\ndata: {"error": {}}\n\n',
        ]
    )
)
def test_the_client_takes_a_broken_stream_or_refuses_it(raw: bytes) -> None:
    with suppress(PrysmError, BadAnswer):
        for _ in ChunkReader("x").feed(raw):
            pass


@FEW
@given(mutated(RECEIPTS))
def test_a_broken_receipt_is_judged(raw: bytes) -> None:
    with suppress(NoReceipt):
        _ = verify_bytes(raw).as_json()


@FEW
@given(st.sampled_from(RECEIPTS).map(json.loads).flatmap(bent))
def test_a_bent_receipt_is_judged(document: Any) -> None:
    with suppress(NoReceipt):
        _ = verify_bytes(json.dumps(document).encode()).as_json()


@FEW
@given(mutated([canonical.canonical({"a": [1, "\u00fc", None, {"b": True}]})]))
def test_what_is_not_canonical_is_a_defect(raw: bytes) -> None:
    with suppress(Defect):
        canonical.parse(raw)


def _sealed_note(text: str) -> object:
    return checkpoint.opened(text, "prysm/" + "0" * 32, [KEY.public])


@pytest.mark.parametrize(
    ("parser", "sample"),
    [
        (note.signatures, NOTE),
        (_sealed_note, NOTE),
        (checkpoint.parse, NOTE.partition("\n\n")[0] + "\n"),
        (tlog_proof.parse, PROOF),
        (parse_tile_path, "x001/x234/067.p/12"),
    ],
)
@FEW
@given(data=st.data())
def test_a_broken_text_of_the_log_is_a_defect(
    parser: Callable[[str], object], sample: str, data: st.DataObject
) -> None:
    with suppress(Defect):
        parser(data.draw(mutated([sample.encode()])).decode("utf-8", "surrogateescape"))


@FEW
@given(
    bent(
        {
            "keys": [
                {
                    "kid": KEY.kid,
                    "use": "log",
                    "alg": "Ed25519",
                    "public": "AAAA",
                    "origin": "x",
                    "status": "active",
                }
            ]
        }
    )
)
def test_a_bent_document_of_keys_is_a_defect(document: Any) -> None:
    with suppress(Defect):
        read_keys(document)


def _in_file(raw: bytes, name: str, parser: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory(prefix="prysm-fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(raw)
        parser(path)


@FEW
@given(mutated([b'{"prysm/x": {"log_key": "AAAA", "size": 1, "root": "AAAA", "at": "x"}}']))
def test_a_broken_memory_of_logs_is_refused(raw: bytes) -> None:
    with suppress(ConfigError):
        _in_file(raw, "trust.json", read_trust)


@FEW
@given(
    mutated(
        [b'{"id": 1, "prompt": "a", "gold": null, "category": "x", "answers": [{"model": "m", "text": "t"}]}\n']
    )
)
def test_a_broken_recording_is_refused(raw: bytes) -> None:
    with suppress(PrysmError):
        _in_file(raw, "data.jsonl", recording.read)
    with suppress(PrysmError):
        _in_file(raw, "data.jsonl.gz", recording.read)


def _config(path: Path) -> None:
    load_config(Settings(config_path=path), {"OPENAI_API_KEY": "sk-x"})


@FEW
@given(mutated([SANDBOX.encode(), (ROOT / "prysm.toml.example").read_bytes().replace(b"\n#", b"\n")]))
def test_a_broken_config_is_refused_by_its_own_error(raw: bytes) -> None:
    with suppress(ConfigError):
        _in_file(raw, "prysm.toml", _config)


@FEW
@given(
    table=st.sampled_from(
        ["server", "retention", "proof", "scoring", "policies", "fallbacks", "providers", "models"]
    ),
    key=st.sampled_from(
        ["id", "docs", "content", "seal", "bar", "cors_origins", "trusted_proxies", "base_url", "kind"]
    ),
    value=odd_values(),
    listed=st.booleans(),
)
def test_an_odd_value_in_a_config_is_refused_by_its_own_error(
    table: str, key: str, value: Any, listed: bool
) -> None:
    shown = json.dumps(value) if isinstance(value, (str, bool, int, float)) else "[]"
    head = f"[[{table}]]" if listed else f"[{table}]"
    with suppress(ConfigError):
        _in_file(f"{head}\n{key} = {shown}\n".encode(errors="surrogatepass"), "prysm.toml", _config)


def _spooled() -> bytes:
    with tempfile.TemporaryDirectory(prefix="prysm-fuzz-") as folder:
        asyncio.run(Spool(Path(folder)).put(whole()))
        (path,) = Path(folder).glob("*.receipt")
        return path.read_bytes()


SPOOLED = _spooled()


@FEW
@given(mutated([SPOOLED]))
def test_a_broken_file_of_the_spool_is_set_aside(raw: bytes) -> None:
    async def put(_: object) -> None:
        pass

    with tempfile.TemporaryDirectory(prefix="prysm-fuzz-") as folder:
        (Path(folder) / f"{whole().request_id}.receipt").write_bytes(raw)
        drained = asyncio.run(Spool(Path(folder)).drain(put))
        assert drained + len(list(Path(folder).glob("*.bad"))) == 1
