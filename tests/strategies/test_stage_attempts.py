"""A stage lists every try of its call and is charged for those that may have been billed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.scripted_models import CHEAP, model

from prysm.core.chat import Completion, Message, ModelCall, Sampling, Usage
from prysm.errors import Attempt
from prysm.strategies.stages import Pending

CALL = ModelCall(model("a", price=CHEAP), (Message("user", "x" * 400),), Sampling())
PENDING = Pending(CALL, "answer", 0, (), 0)
DONE = Completion("391", "stop", Usage(90, 1))


def failed(*codes: str) -> tuple[Attempt, ...]:
    return tuple(Attempt("failed", code, 5) for code in codes)


def test_an_answer_at_the_first_try_has_one_attempt_and_the_providers_own_count() -> None:
    stage = PENDING.succeeded(0, 7, DONE)
    assert (stage.attempts, stage.usage) == ((Attempt("ok", None, 7),), Usage(90, 1))


def test_tries_before_the_answer_add_their_prompt_where_they_may_have_been_billed() -> None:
    tries = (*failed("connect", "rate_limited", "malformed"), Attempt("ok", None, 9))
    stage = PENDING.succeeded(0, 30, replace(DONE, attempts=tries))
    assert (stage.attempts, stage.usage) == (tries, Usage(90 + 100, 1, estimated=True))
    assert stage.cost_nano == CHEAP.cost(Usage(190, 1))


def test_tries_that_were_never_billed_leave_the_count_as_it_is() -> None:
    stage = PENDING.succeeded(0, 30, replace(DONE, attempts=(*failed("connect"), Attempt("ok", None, 9))))
    assert stage.usage == Usage(90, 1)


def test_a_failure_is_charged_for_a_prompt_a_try() -> None:
    stage = PENDING.failed(0, 30, "failed", "timeout", failed("malformed", "connect", "timeout"))
    assert stage.usage == Usage(200, 0, estimated=True)
    free = PENDING.failed(0, 30, "failed", "circuit_open", failed("connect", "circuit_open"))
    assert (free.usage, free.cost_nano) == (Usage(0, 0), 0)


def broken(*told: Usage) -> Pending:
    return replace(PENDING, call=replace(CALL, broken=list(told)))


def test_what_the_provider_told_before_a_stream_broke_off_is_charged_as_told() -> None:
    told = Usage(5000, 1, cached_tokens=4000)
    stage = broken(told).failed(0, 30, "cancelled", "client_aborted", written=400)
    assert stage.usage == replace(told, completion_tokens=100, estimated=True)
    assert stage.cost_nano == CHEAP.cost(Usage(5000, 100, cached_tokens=4000))
    exact = broken(Usage(70, 300)).failed(0, 30, "failed", "truncated", written=400)
    assert exact.usage == Usage(70, 300, estimated=True)


def test_each_try_is_charged_for_the_prompt_that_was_told_of_it_or_for_our_count() -> None:
    pending = broken(Usage(5000, 1))
    tries = failed("timeout", "truncated")
    assert pending.failed(0, 30, "failed", "truncated", tries).usage == Usage(5100, 1, estimated=True)
    answered = pending.succeeded(0, 30, replace(DONE, attempts=(*failed("timeout"), Attempt("ok", None, 9))))
    assert answered.usage == Usage(5090, 1, estimated=True)
    assert pending.failed(0, 30, "failed", "unavailable", failed("unavailable")).usage == Usage(0, 0)


@pytest.mark.parametrize(
    ("text", "told", "usage"),
    [
        ("four letters a token", Usage(0, 0), Usage(100, 5, estimated=True)),
        ("four letters a token", Usage(90, 0), Usage(90, 5, estimated=True)),
        ("four letters a token", Usage(0, 5), Usage(100, 5, estimated=True)),
        ("", Usage(90, 0), Usage(90, 0)),
        ("", Usage(90, None), Usage(90, 0, estimated=True)),
    ],
)
def test_a_count_of_nothing_beside_a_text_is_no_count(text: str, told: Usage, usage: Usage) -> None:
    assert PENDING.succeeded(0, 7, replace(DONE, text=text, usage=told)).usage == usage
