"""A kept answer comes back as it was, less what belongs to the call that brought it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.answers import answers
from tests.scripted_models import World, ask, model, says

from prysm.accounts.cache_entry import read, written
from prysm.core.chat import Completion, Usage
from prysm.core.embedding import Vectors
from prysm.core.run import Candidate, Cluster, Finished, Score, Stage, Verdict
from prysm.errors import Attempt

RUN = World({"a": says("x"), "b": says("y")}).prepare(ask("Hi"))
HASH = "sha256:" + 64 * "0"


def finished(*done: Completion, score: Score | None = None) -> Finished:
    plan = replace(RUN.plan, models=(model("a"), model("b")))
    stages = [
        Stage(
            i, "answer", "ok", 3, 9, model=plan.models[0], completion=each, usage=each.usage, cost_nano=7, sample=i
        )
        for i, each in enumerate(done)
    ]
    made = [Candidate(i, plan.models[0], each) for i, each in enumerate(done)]
    verdict = Verdict(made[0], score or Score(0.7, None, "m"), tuple(made[1:]))
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return Finished(UUID(int=7), RUN.request, plan, stages, (), "ok", now, 12, "v1", verdict)


def again(run: Finished) -> Any:
    assert run.verdict is not None
    return read(written(run, run.verdict, HASH), 5, run.plan)


def of_the_answer(done: Completion) -> Completion:
    """What of a completion is not of the call that brought it."""
    return replace(done, usage=Usage(0, 0), attempts=(), provider_request_id=None)


@given(st.sampled_from(["openai", "anthropic", "gemini"]).flatmap(answers))
def test_an_answer_of_any_provider_comes_back(done: Completion) -> None:
    assert again(finished(done)).verdict.candidate.completion == of_the_answer(done)


def test_what_only_one_format_has_comes_back_too() -> None:
    done = Completion(
        "x",
        "stop",
        Usage(1, 2),
        own=MappingProxyType({"audio": {"id": "a", "data": "QQ=="}}),
        vectors=Vectors(bytes(range(8)), 2),
        service_tier="flex",
        attempts=(Attempt("ok", None, 3),),
    )
    kept = again(finished(done)).verdict.candidate.completion
    assert replace(kept, own=None) == replace(of_the_answer(done), own=None)
    assert kept.own == {"audio": {"id": "a", "data": "QQ=="}}


def test_every_version_comes_back_in_its_place_and_none_of_them_costs_anything() -> None:
    found = again(finished(*(Completion(text, "stop", Usage(9, 9)) for text in "xyz")))
    assert [made.text for made in found.verdict.choices] == ["x", "y", "z"]
    assert [(stage.i, stage.sample, stage.cost_nano, stage.attempts) for stage in found.stages] == [
        (0, 0, 0, ()),
        (1, 1, 0, ()),
        (2, 2, 0, ()),
    ]
    assert {(stage.usage, stage.note) for stage in found.stages} == {(Usage(0, 0), "cached")}


def test_its_score_comes_back_and_the_run_that_earned_it() -> None:
    score = Score(0.9, 0.667, "m", (Cluster((0, 1), ("a", "b"), 0.667, "42"),), bar_cleared=True)
    found = again(finished(Completion("42", "stop", Usage(1, 1)), score=score))
    assert found.verdict.score == score
    assert (found.original.request_id, found.original.proof_hash) == (str(UUID(int=7)), HASH)
    assert (found.original.age_s, found.models) == (5, ("a",))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"choices": []}', b'{"choices": [{"model": "z"}]}'])
def test_what_nobody_wrote_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        read(body, 0, RUN.plan)


def test_an_answer_of_a_model_that_the_plan_has_not_is_refused() -> None:
    run = finished(Completion("x", "stop", Usage(1, 1)))
    assert run.verdict is not None
    with pytest.raises(LookupError):
        read(written(run, run.verdict, HASH), 0, replace(run.plan, models=(model("b"),), fallbacks=()))
