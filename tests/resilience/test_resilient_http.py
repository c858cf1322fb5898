"""The wrappers around the real adapters, over real HTTP on loopback, in every wire format."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.providers.formats import CALL, FORMATS, KEY, OPENAI
from tests.providers.upstream import Act, answer, chunked, head, running, sse
from tests.resilience.scripted_provider import REAL_TIME_BUT_PATIENT, Seen

from prysm.core.chat import Completion
from prysm.core.provider import ProviderSpec
from prysm.errors import ProviderError
from prysm.providers.transport import open_transport
from prysm.resilience import resilient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.providers.formats import Format
    from tests.providers.upstream import Step, Upstream

    from prysm.core.chat import ModelCall

BUSY = answer(b"{}", "503 Service Unavailable")
IN_EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS, ids=str)
BOTH_WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
PASSING: dict[str, tuple[Step, ...]] = {
    "busy": (BUSY,),
    "asked to wait": (answer(b"{}", "429 Too Many Requests", retry_after="0"),),
    "reset": (Act.RESET,),
    "not JSON": (answer(b"<html>"),),
    "cut in the head": (b"HTTP/1.1 200 OK\r\ncontent-", Act.CLOSE),
    "empty": (answer(b""),),
}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with running() as server:
        yield server


async def ask(
    form: Format, upstream: Upstream, *, streamed: bool, call: ModelCall = CALL, **more: Any
) -> Completion:
    """Ask once, over a transport of its own."""
    transport = open_transport()
    spec = ProviderSpec("acme", form.kind, upstream.url, api_key=KEY, **more)
    provider = resilient(form.provider(upstream.url, transport, **more), spec, Seen(), REAL_TIME_BUT_PATIENT)
    try:
        if not streamed:
            return await provider.complete(call)
        async with aclosing(provider.stream(call)) as pieces:
            last = [piece async for piece in pieces][-1]
        assert isinstance(last, Completion)
        return last
    finally:
        await transport.aclose()


def good(form: Format, *, streamed: bool) -> tuple[Step, ...]:
    return (sse(*form.events),) if streamed else (answer(form.body()),)


@IN_EVERY_FORMAT
@BOTH_WAYS
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_a_fault_that_passes_costs_one_more_request(
    form: Format, upstream: Upstream, fault: tuple[Step, ...], *, streamed: bool
) -> None:
    upstream.plays_in_turn(fault, good(form, streamed=streamed))
    done = await ask(form, upstream, streamed=streamed)
    assert (done.text, len(done.attempts), done.attempts[-1].code) == ("Grüß Gott", 2, None)
    assert len(upstream.seen) == 2


@IN_EVERY_FORMAT
async def test_a_stream_that_was_cut_after_its_first_word_is_not_begun_again(
    form: Format, upstream: Upstream
) -> None:
    opening = head(content_type="text/event-stream", transfer_encoding="chunked")
    upstream.plays(opening + chunked(*form.events[: form.unfinished]))
    with pytest.raises(ProviderError) as caught:
        await ask(form, upstream, streamed=True)
    assert (caught.value.kind, len(upstream.seen)) == ("truncated", 1)


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found"])
@BOTH_WAYS
async def test_a_refusal_is_final(upstream: Upstream, status: str, *, streamed: bool) -> None:
    upstream.plays(answer(b"{}", status))
    with pytest.raises(ProviderError) as caught:
        await ask(OPENAI, upstream, streamed=streamed)
    assert (caught.value.lasting, len(upstream.seen)) == (True, 1)
    assert KEY not in repr(caught.value.__dict__)


async def test_a_stream_without_a_first_byte_is_given_up_and_begun_again(upstream: Upstream) -> None:
    upstream.plays_in_turn((Act.HANG,), good(OPENAI, streamed=True))
    done = await ask(OPENAI, upstream, streamed=True, first_byte_timeout_s=0.3)
    assert [attempt.code for attempt in done.attempts] == ["timeout", None]


async def test_an_answer_that_takes_all_the_time_there_is_leaves_none_for_another(upstream: Upstream) -> None:
    upstream.plays(Act.HANG)
    with pytest.raises(ProviderError) as caught:
        await ask(OPENAI, upstream, streamed=False, timeout_s=0.05)
    assert (caught.value.kind, caught.value.attempts) == ("timeout", ())
    assert len(upstream.seen) <= 1


@BOTH_WAYS
async def test_a_hedge_over_http_hangs_up_on_the_slower_call(upstream: Upstream, *, streamed: bool) -> None:
    upstream.plays_in_turn((Act.HANG,), good(OPENAI, streamed=streamed))
    done = await ask(OPENAI, upstream, streamed=streamed, hedge_after_ms=20)
    assert [attempt.code for attempt in done.attempts] == ["hedged", None]
    await upstream.left.wait()


async def test_under_a_ceiling_a_try_that_may_have_been_billed_is_the_last(upstream: Upstream) -> None:
    upstream.plays(answer(b"<html>"))
    with pytest.raises(ProviderError):
        await ask(OPENAI, upstream, streamed=False, call=replace(CALL, again=lambda: False))
    assert len(upstream.seen) == 1
