"""The simulated models: deterministic, labelled, and wrong as often as they say."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.config import Settings, load_config
from prysm.core.chat import Completion, Message, ModelCall, Sampling, TextDelta
from prysm.core.provider import ProviderSpec
from prysm.errors import ProviderError
from prysm.providers.sandbox import (
    PROFILES,
    REFUSAL,
    SandboxProfile,
    SandboxProvider,
    pieces,
    tokens,
)
from prysm.providers.sandbox_answers import read, reply

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.ports import Provider

SPEC = ProviderSpec("sandbox", "sandbox", timeout_s=0.05)
MODELS = {model.id: model for model in load_config(Settings(), {}).models if model.simulated}
SUM = "What is 17 * 23?"


def call(prompt: str, model: Model = MODELS["sandbox-strong"], sample: int = 0, **sampling: Any) -> ModelCall:
    return ModelCall(model, (Message("user", prompt),), replace(Sampling(), **sampling), sample)


def scripted(**profile: Any) -> Provider:
    return SandboxProvider(SPEC, {"sandbox-strong": replace(SandboxProfile(), **profile)})


async def streamed(provider: Provider, asked: ModelCall) -> tuple[str, Completion]:
    events = [event async for event in provider.stream(asked)]
    last = events.pop()
    assert isinstance(last, Completion)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), last


async def test_the_same_call_gets_the_same_answer() -> None:
    first, second = SandboxProvider(SPEC), SandboxProvider(SPEC)
    assert await first.complete(call(SUM)) == await second.complete(call(SUM))


async def test_samples_differ_unless_the_temperature_is_zero() -> None:
    async def answers(temperature: float) -> set[str]:
        small = MODELS["sandbox-small"]
        calls = [call(SUM, small, sample, temperature=temperature) for sample in range(20)]
        return {done.text for done in await asyncio.gather(*map(SandboxProvider(SPEC).complete, calls))}

    assert len(await answers(0.0)) == 1
    assert 2 <= len(await answers(0.7)) <= 4


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name in PROFILES for task in ("default", "math", "code")]
)
def test_a_model_is_right_as_often_as_its_catalog_entry_says(name: str, task: str) -> None:
    told = PROFILES[name].quality.get(task, PROFILES[name].quality["default"])
    questions = {
        "math": [f"What is {n} + {n * 7}?" for n in range(2000)],
        "code": [f"Is the function number {n} pure?" for n in range(2000)],
        "default": [f"Is {n} a lucky number?" for n in range(2000)],
    }
    right = sum(is_right(name, question) for question in questions[task])
    assert right / 2000 == pytest.approx(told, abs=0.04)


def is_right(name: str, question: str) -> bool:
    closed = read(question)
    assert closed is not None
    said = reply(
        name, (Message("user", f"{question} End with `Final answer: <answer>`."),), PROFILES[name].quality, ""
    )
    return said.endswith(f"Final answer: {closed.right}")


@pytest.mark.parametrize(
    ("prompt", "right"),
    [
        (SUM, "391"),
        ("what's 2 + 3 * 4?", "14"),
        ("Calculate (1,200 - 200) / 8.", "125"),
        ("How much is 7 divided by 4?", "1.75"),
        ("Evaluate 10 / 3", "3.333333"),
        ("6 × 7 =", "42"),
        ("How much is minus the point?\n-3 * -4", "12"),
        ("What is the capital of France?", "Paris"),
        ("Name the capital city of the Kenya.", "Nairobi"),
    ],
)
async def test_closed_questions_have_their_real_answer(prompt: str, right: str) -> None:
    done = await scripted(quality={"default": 1.0}).complete(call(f"{prompt}\nEnd with `Final answer: <answer>`."))
    assert done.text.endswith(f"\n\nFinal answer: {right}")


@pytest.mark.parametrize(
    "prompt", ["What is 1 / 0?", "What is 42?", "Meet on 2024-01-02.", "What is (1 + ?", "--- ", ""]
)
def test_what_is_no_sum_is_not_taken_for_one(prompt: str) -> None:
    assert read(prompt) is None


def test_options_are_answered_by_their_letter_and_all_models_share_the_truth() -> None:
    question = "Which is best?\nA) red\nB) green\nC) blue"
    closed = read(question)
    assert closed == read(f"Think first.\n{question}")
    assert closed is not None
    assert {closed.right, *closed.wrong} == {"A", "B", "C"}


async def test_only_a_prompt_that_asks_for_the_format_or_a_sum_gets_a_final_answer() -> None:
    provider = scripted()
    assert "Final answer" not in (await provider.complete(call("What is the capital of Japan?"))).text
    assert (await provider.complete(call(SUM))).text == "17 * 23 = 391\n\nFinal answer: 391"


async def test_an_aggregator_returns_what_most_candidates_say() -> None:
    prompt = (
        "Judge these candidates and end with `Final answer: <answer>`.\n"
        "<<<1\n17 * 23 = 381\n\nFinal answer: 381\n>>>\n"
        "<<<2\n...\n\n**Final answer: 391**\n>>>\n<<<3\nFinal answer: 391.\n>>>"
    )
    done = await scripted(quality={"default": 0.0}).complete(call(prompt))
    assert done.text.endswith("Final answer: 391")


async def test_an_open_answer_is_labelled_as_simulated() -> None:
    done = await SandboxProvider(SPEC).complete(call("Tell me about autumn in the mountains."))
    assert done.text.startswith("[sandbox-strong, a simulated model] You asked: “Tell me about autumn")


async def test_usage_counts_a_quarter_of_the_characters() -> None:
    done = await scripted(answer="x" * 9).complete(call("y" * 8))
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (2, 3)
    assert done.finish_reason == "stop"


async def test_max_tokens_cuts_and_says_so() -> None:
    done = await scripted(answer="x" * 40).complete(call("hi", max_tokens=3))
    assert (len(done.text), done.finish_reason, done.usage.completion_tokens) == (12, "length", 3)


async def test_a_stop_sequence_ends_the_answer() -> None:
    done = await scripted(answer="one two three").complete(call("hi", stop=("three", "two")))
    assert (done.text, done.finish_reason) == ("one ", "stop")


async def test_a_stream_says_the_same_as_a_plain_answer() -> None:
    provider = SandboxProvider(SPEC)
    text, last = await streamed(provider, call(SUM))
    assert text == last.text
    assert last == await provider.complete(call(SUM))


async def test_an_answer_takes_the_latency_of_its_model() -> None:
    began = time.monotonic()
    await scripted(latency_ms=60).complete(call(SUM))
    await streamed(scripted(latency_ms=60), call(SUM))
    assert time.monotonic() - began >= 0.115


async def test_a_scripted_failure_is_the_failure_on_both_ways() -> None:
    provider = scripted(fails_with="rate_limited")
    with pytest.raises(ProviderError) as plain:
        await provider.complete(call(SUM))
    with pytest.raises(ProviderError) as flowing:
        await streamed(provider, call(SUM))
    assert (plain.value.kind, flowing.value.kind) == ("rate_limited", "rate_limited")


async def test_a_hanging_model_times_out_like_any_other() -> None:
    with pytest.raises(ProviderError) as caught:
        await scripted(hangs=True).complete(call(SUM))
    assert caught.value.kind == "timeout"


async def test_a_hanging_model_can_be_cancelled() -> None:
    provider = SandboxProvider(replace(SPEC, timeout_s=60), {"sandbox-strong": SandboxProfile(hangs=True)})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(provider.complete(call(SUM)), 0.01)


async def test_a_refusing_model_refuses() -> None:
    assert (await scripted(refuses=True).complete(call(SUM))).text == REFUSAL


async def test_an_unknown_model_is_rejected_without_echoing_its_name() -> None:
    with pytest.raises(ProviderError) as caught:
        await SandboxProvider(SPEC).complete(call(SUM, replace(MODELS["sandbox-mid"], upstream="secret-name")))
    assert caught.value.kind == "rejected"
    assert "secret-name" not in caught.value.message


def test_the_catalog_labels_its_models_and_tells_their_quality() -> None:
    assert set(MODELS) == set(PROFILES)
    assert all(model.simulated and "simulated" in model.display for model in MODELS.values())
    assert len({model.family for model in MODELS.values()}) == len(MODELS)
    assert MODELS["sandbox-math"].quality_for("math") == 0.98
    assert [model.tier for model in MODELS.values()] == ["small", "mid", "strong", "mid", "mid", "small"]


def test_a_huge_prompt_does_not_hold_up_the_loop() -> None:
    for filling in ("is . ", "what is 1 + ", "(", " ", "final answer: . ", "A) "):
        began = time.perf_counter()
        reply("sandbox-mid", (Message("user", filling * (2_000_000 // len(filling))),), {"default": 0.5}, "")
        assert time.perf_counter() - began < 1


@given(st.text())
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert tokens(text) >= 1


@given(st.text(alphabet=st.sampled_from("0123456789+-*/(). x=?whatis\n"), max_size=60))
def test_any_prompt_gets_an_answer(prompt: str) -> None:
    assert reply("sandbox-mid", (Message("user", prompt),), {"default": 0.5}, "")


@given(st.integers(-999, 999), st.sampled_from("+-*"), st.integers(0, 999))
def test_sums_are_worked_out_as_python_does(left: int, sign: str, right: int) -> None:
    closed = read(f"What is {left} {sign} {right}?")
    assert closed is not None
    expected = {"+": left + right, "-": left - right, "*": left * right}[sign]
    assert closed.right == str(expected)
    assert closed.right not in closed.wrong
