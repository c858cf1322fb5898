from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from contextlib import aclosing
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.providers.formats import ANTHROPIC, CALL, FORMATS, GEMINI, KEY, OPENAI, Format, asking, collect
from tests.providers.upstream import Act, Step, Upstream, answer, chunked, head
from tests.providers.upstream import sse as sse_answer

from prysm.errors import ConfigError, ProviderError
from prysm.providers import reads, sse
from prysm.providers.failures import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from prysm.providers.adapter import Adapter

SSE = "text/event-stream"
STREAM = head(content_type=SSE, transfer_encoding="chunked")
JSON = head(transfer_encoding="chunked")
every_format = pytest.mark.parametrize("form", FORMATS, ids=str)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


async def ask(provider: Adapter, *, streamed: bool) -> str:
    completion = (await collect(provider))[1] if streamed else await provider.complete(CALL)
    return completion.text


async def failing(provider: Adapter, *, streamed: bool) -> ProviderError:
    """Make a call that must fail, in bounded time and without giving the key away."""
    started = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        await ask(provider, streamed=streamed)
    assert time.monotonic() - started < 3
    error = caught.value
    assert error.message.startswith("acme ")
    assert KEY not in f"{error!r} {error} {vars(error)}"
    assert isinstance(error.__context__, Unusable | TimeoutError | None)
    return error


async def kind_after(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport, *steps: Step, streamed: bool
) -> str:
    upstream.plays(*steps)
    limits = {"timeout_s": 2.0, "first_byte_timeout_s": 1.0, "idle_timeout_s": 1.0}
    return (await failing(form.provider(upstream.url, transport, **limits), streamed=streamed)).kind


@every_format
async def test_a_whole_and_a_streamed_answer_over_a_real_connection(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    provider = form.provider(upstream.url, transport)
    upstream.plays(answer(form.body()))
    assert await ask(provider, streamed=False) == "Grüß Gott"
    upstream.plays(sse_answer(*form.events))
    assert await ask(provider, streamed=True) == "Grüß Gott"
    assert await ask(provider, streamed=True) == "Grüß Gott"
    assert upstream.connections == 1


@every_format
async def test_one_byte_writes_and_crlf_are_the_same_stream(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    text = b"".join(form.events).replace(b"\n", b"\r\n")
    upstream.plays(STREAM + chunked(*(text[i : i + 1] for i in range(len(text)))))
    assert await ask(form.provider(upstream.url, transport), streamed=True) == "Grüß Gott"


@every_format
async def test_deltas_arrive_while_the_provider_still_writes(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    said = form.events[: form.unfinished]
    upstream.plays(STREAM, b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in said), Act.HANG)
    async with aclosing(form.provider(upstream.url, transport).stream(CALL)) as stream:
        first = await asyncio.wait_for(anext(stream), 1)
    assert getattr(first, "text", "").startswith("Grüß")


@every_format
@both_ways
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", "rejected"),
        ("401 Unauthorized", "auth"),
        ("403 Forbidden", "auth"),
        ("404 Not Found", "rejected"),
        ("429 Too Many Requests", "rate_limited"),
        ("500 Internal Server Error", "unavailable"),
        ("529 Overloaded", "unavailable"),
        ("302 Found", "rejected"),
        ("204 No Content", "malformed"),
    ],
)
async def test_a_status_that_is_not_200_is_a_typed_failure(
    form: Format,
    status: str,
    kind: str,
    upstream: Upstream,
    transport: httpx.AsyncBaseTransport,
    *,
    streamed: bool,
) -> None:
    body = b"" if status.startswith("204") else b'{"error": {"message": "echo %s"}}' % KEY.encode()
    upstream.plays(answer(body, status, location="http://169.254.169.254/", retry_after="3"), Act.CLOSE)
    error = await failing(form.provider(upstream.url, transport), streamed=streamed)
    assert (error.kind, error.upstream_status) == (kind, int(status[:3]))
    assert error.retry_after_s == (3.0 if kind in {"rate_limited", "unavailable"} else None)
    assert len(upstream.seen) == 1


@every_format
@both_ways
async def test_an_error_in_place_of_an_answer_is_a_failure(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport, *, streamed: bool
) -> None:
    error = httpx.Response(200, json=form.error).content
    steps = sse_answer(form.events[0], b"event: error\ndata: %s\n\n" % error) if streamed else answer(error)
    assert await kind_after(form, upstream, transport, steps, streamed=streamed) == "unavailable"


CUT_STREAMS: dict[str, Callable[[tuple[bytes, ...]], tuple[Step, ...]]] = {
    "between two events": lambda said: (STREAM + chunked(*said),),
    "inside an event": lambda said: (STREAM + chunked(*said, b'data: {"cho'),),
    "inside a character": lambda said: (STREAM, b"fff\r\n", b"".join(said).split(b"\xbc")[0], Act.CLOSE),
    "inside a chunk": lambda said: (STREAM, b"fff\r\n" + b"".join(said), Act.CLOSE),
    "by a reset": lambda said: (STREAM, b"%x\r\n%s\r\n" % (len(said[0]), said[0]), 0.05, Act.RESET),
    "before the first event": lambda _: (STREAM + chunked(),),
    "without a frame": lambda said: (head(content_type=SSE, connection="close"), b"".join(said), Act.CLOSE),
}


@every_format
@pytest.mark.parametrize("where", CUT_STREAMS)
async def test_a_cut_stream_is_a_failure_not_a_short_answer(
    form: Format, where: str, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    steps = CUT_STREAMS[where](form.events[: form.unfinished])
    assert await kind_after(form, upstream, transport, *steps, streamed=True) == "truncated"


@every_format
@pytest.mark.parametrize("last", [Act.CLOSE, Act.RESET])
async def test_a_cut_body_is_a_failure_not_a_short_answer(
    form: Format, last: Act, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    body = form.body()
    steps = (head(content_length=str(len(body) + 1)), body, 0.02, last)
    assert await kind_after(form, upstream, transport, *steps, streamed=False) == "truncated"
    steps = (JSON, b"%x\r\n%s\r\n" % (len(body), body), 0.02, last)
    assert await kind_after(form, upstream, transport, *steps, streamed=False) == "truncated"


BAD_BODIES = {
    "cut JSON": b'{"choices": [',
    "empty": b"",
    "not an object": b"[]",
    "no answer in it": b"{}",
    "invalid UTF-8": b'{"choices": "\xff\xfe"}',
    "lone surrogate": b'{"choices": "\\ud800"}',
    "NaN": b'{"choices": NaN}',
    "deep nesting": b"[" * 100_000,
}


@every_format
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_body_that_is_no_answer_is_malformed(
    form: Format, body: bytes, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    assert await kind_after(form, upstream, transport, answer(body), streamed=False) == "malformed"
    events = sse_answer(b"data: %s\n\n" % (body or b"{"))
    kind = await kind_after(form, upstream, transport, events, streamed=True)
    assert kind in ({"malformed"} if body != b"{}" else {"malformed", "truncated"})


@every_format
@both_ways
async def test_the_wrong_content_type_is_malformed(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport, *, streamed: bool
) -> None:
    page = answer(b"<html>hello</html>", content_type="text/html")
    assert await kind_after(form, upstream, transport, page, streamed=streamed) == "malformed"
    swapped = answer(form.body()) if streamed else sse_answer(*form.events)
    assert await kind_after(form, upstream, transport, swapped, streamed=streamed) == "malformed"


@both_ways
async def test_no_answer_at_all_is_truncated(
    upstream: Upstream, transport: httpx.AsyncBaseTransport, *, streamed: bool
) -> None:
    for last in (Act.CLOSE, Act.RESET):
        assert await kind_after(OPENAI, upstream, transport, last, streamed=streamed) == "truncated"


@pytest.mark.parametrize("noise", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000])
async def test_noise_and_endless_headers_are_malformed(
    noise: bytes, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    assert await kind_after(OPENAI, upstream, transport, noise, Act.CLOSE, streamed=False) == "malformed"


async def test_nobody_listening_is_a_failed_connection(transport: httpx.AsyncBaseTransport) -> None:
    for url in ("http://127.0.0.1:1/v1", "http://no-such-host.invalid/v1"):
        assert (await failing(OPENAI.provider(url, transport), streamed=False)).kind == "connect"


async def test_an_encoded_body_is_decoded_and_a_broken_one_refused(
    upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    packed = gzip.compress(OPENAI.body())
    upstream.plays(answer(packed, content_encoding="gzip"))
    assert await ask(OPENAI.provider(upstream.url, transport), streamed=False) == "Grüß Gott"
    broken = answer(b"not gzip at all", content_encoding="gzip")
    assert await kind_after(OPENAI, upstream, transport, broken, streamed=False) == "malformed"
    nested = answer(gzip.compress(packed), content_encoding="gzip, gzip")
    assert await kind_after(OPENAI, upstream, transport, nested, streamed=False) == "malformed"


@both_ways
async def test_the_cap_counts_decompressed_bytes(
    upstream: Upstream, transport: httpx.AsyncBaseTransport, monkeypatch: pytest.MonkeyPatch, *, streamed: bool
) -> None:
    monkeypatch.setattr(reads, "MAX_BODY_BYTES", 1_000_000)
    bomb = zlib.compressobj(wbits=31)
    packed = bomb.compress(b": bomb\n" * 1_000_000) + bomb.flush()
    steps = answer(packed, content_type=SSE if streamed else "application/json", content_encoding="gzip")
    assert len(packed) < 100_000
    assert await kind_after(OPENAI, upstream, transport, steps, streamed=streamed) == "too_large"


async def test_an_endless_line_is_cut_off_and_hung_up_on(
    upstream: Upstream, transport: httpx.AsyncBaseTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100_000)
    part = b"data: " + b"x" * 60_000
    steps: tuple[Step, ...] = (STREAM, *(b"%x\r\n%s\r\n" % (len(part), part) for _ in range(3)), Act.HANG)
    assert await kind_after(OPENAI, upstream, transport, *steps, streamed=True) == "too_large"
    await asyncio.wait_for(upstream.left.wait(), 2)


@every_format
@both_ways
@pytest.mark.parametrize(
    ("limit", "steps"),
    [
        ("first_byte_timeout_s", (Act.HANG,)),
        ("first_byte_timeout_s", ("head", Act.HANG)),
        ("idle_timeout_s", ("head", b"2\r\n\n\n\r\n", Act.HANG)),
        ("timeout_s", ("head", *([b"2\r\n\n\n\r\n", 0.05] * 40))),
    ],
    ids=["no head", "no body", "stall", "drip"],
)
async def test_each_time_limit_ends_the_call_and_names_itself(
    form: Format,
    limit: str,
    steps: tuple[Step | str, ...],
    upstream: Upstream,
    transport: httpx.AsyncBaseTransport,
    *,
    streamed: bool,
) -> None:
    top = STREAM if streamed else JSON
    upstream.plays(*(top if isinstance(step, str) else step for step in steps))
    if limit == "first_byte_timeout_s" and not streamed:
        limit = "timeout_s"  # a whole answer's first byte comes when the model has finished
    limits = {"timeout_s": 5.0, "first_byte_timeout_s": 5.0, "idle_timeout_s": 5.0, limit: 0.2}
    error = await failing(form.provider(upstream.url, transport, **limits), streamed=streamed)
    assert error.kind == "timeout"
    assert f"{limit} = 0.2" in error.message


@both_ways
async def test_cancelling_in_the_middle_of_an_answer_hangs_up(
    upstream: Upstream, transport: httpx.AsyncBaseTransport, *, streamed: bool
) -> None:
    upstream.plays(STREAM if streamed else JSON, b"2\r\n\n\n\r\n", Act.HANG)
    task = asyncio.create_task(ask(OPENAI.provider(upstream.url, transport), streamed=streamed))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(upstream.left.wait(), 1)


@both_ways
async def test_cancelling_before_the_first_byte_hangs_up(
    upstream: Upstream, transport: httpx.AsyncBaseTransport, *, streamed: bool
) -> None:
    upstream.plays(Act.HANG)
    task = asyncio.create_task(ask(OPENAI.provider(upstream.url, transport), streamed=streamed))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(upstream.left.wait(), 1)


async def test_leaving_a_stream_early_hangs_up(upstream: Upstream, transport: httpx.AsyncBaseTransport) -> None:
    event = OPENAI.events[1]
    upstream.plays(STREAM, b"%x\r\n%s\r\n" % (len(event), event), Act.HANG)
    async with aclosing(OPENAI.provider(upstream.url, transport).stream(CALL)) as stream:
        await anext(stream)
    await asyncio.wait_for(upstream.left.wait(), 1)


async def test_a_server_that_lingers_after_the_end_does_not_hold_up_the_answer(
    upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    for form in (OPENAI, ANTHROPIC):
        body = b"".join(form.events)
        upstream.plays(STREAM, b"%x\r\n%s\r\n" % (len(body), body), Act.HANG)
        assert await asyncio.wait_for(ask(form.provider(upstream.url, transport), streamed=True), 1) == "Grüß Gott"


@pytest.mark.parametrize("form", [OPENAI, GEMINI], ids=str)
async def test_a_stream_that_is_finished_needs_no_done_mark(
    form: Format, upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    upstream.plays(sse_answer(*(event for event in form.events if b"[DONE]" not in event)))
    assert await ask(form.provider(upstream.url, transport), streamed=True) == "Grüß Gott"


async def test_text_that_is_not_unicode_is_refused_before_the_call(
    upstream: Upstream, transport: httpx.AsyncBaseTransport
) -> None:
    with pytest.raises(ProviderError) as caught:
        await GEMINI.provider(upstream.url, transport).complete(asking(stop=("\ud800",)))
    assert caught.value.kind == "rejected"
    assert not upstream.seen


@pytest.mark.parametrize("url", ["", "acme.test/v1", "ftp://acme.test", "http://", "http://[::1", "file:///etc"])
def test_a_base_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigError, match="acme"):
        OPENAI.provider(url, httpx.AsyncBaseTransport())


def test_a_key_that_cannot_be_sent_stops_the_start_and_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.providers.formats.KEY", "sk-ü\n")
    with pytest.raises(ConfigError) as caught:
        OPENAI.provider("http://127.0.0.1/v1", httpx.AsyncBaseTransport())
    assert "sk-" not in str(caught.value)
