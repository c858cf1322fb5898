"""A stage lists every try of its call and is charged for those that may have been billed."""

from __future__ import annotations

from dataclasses import replace

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
