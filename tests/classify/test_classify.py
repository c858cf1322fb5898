from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.classify import classify
from prysm.core.chat import Message
from prysm.core.content import ImagePart, TextPart, ToolCall
from prysm.core.model import TASKS
from prysm.core.tools import Tool, Toolbox

if TYPE_CHECKING:
    from prysm.core.plan import Profile


def profile(prompt: str) -> Profile:
    return classify([Message("user", prompt)])


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("Write a Python function that reverses a linked list.", "code"),
        ("Fix this:\n```js\nlet x = ;\n```", "code"),
        ("import os\n\ndef walk(root):\n    ...", "code"),
        ("Solve for x in the equation 3x + 10 = 5(x - 2).", "math"),
        ("What is 17 * 23?", "math"),
        ("What is $\\frac{3}{4} + \\frac{1}{8}$?", "math"),
        ("There are 4 houses in a row. Each person has a different pet. Who lives in house 2?", "reasoning"),
        ("All bloops are razzies. All razzies are lazzies. Are all bloops lazzies?", "reasoning"),
        ("If no florps are glibs and some zargs are glibs, are some zargs not florps?", "reasoning"),
        ("Every zib is a zob. Tim is a zib. Is Tim a zob?", "reasoning"),
        ("Are all mammals warm-blooded?", "factual"),
        ("What are the pros and cons of microservices versus a monolith?", "analysis"),
        ("Write a short story about a lighthouse keeper.", "writing"),
        ("Напиши рассказ о море", "writing"),
        ("Translate 'good morning' into French.", "translation"),
        ("Translate 'good morning, how are you today my friend?' into Japanese.", "translation"),
        ("Übersetze ins Englische: Der Hund schläft auf dem Sofa.", "translation"),
        ("Traduisez en espagnol : Bonjour le monde", "translation"),
        ("Traduci in inglese: Il cane dorme.", "translation"),
        ("Vertaal naar het Engels: De hond slaapt.", "translation"),
        ("Przetłumacz na angielski: Pies śpi.", "translation"),
        ("Översätt till engelska: Hunden sover.", "translation"),
        ("请翻译这句话", "translation"),
        ('How do you say "thank you very much" in German?', "translation"),
        ("What is the French word for cheese?", "translation"),
        ("What does 'Schadenfreude' mean in English?", "translation"),
        ("What does it mean in English law?", "factual"),
        ("¿Cuál es la capital de Perú?", "factual"),
        ("A train leaves at 3pm going 60 mph. When does it arrive 180 miles away?", "math"),
        ("What does git rebase do?", "code"),
        ("Design a distributed rate limiter and prove its correctness.", "code"),
        ("Extract all dates from the following text: we met on 3 May.", "extraction"),
        ("Summarize the following article.", "extraction"),
        ("Who wrote Hamlet?", "factual"),
        ("What is the capital of France?", "factual"),
        ("Hello, how are you?", "chat"),
        ("thanks", "chat"),
        ("ok", "chat"),
        ("", "chat"),
    ],
)
def test_a_prompt_is_given_its_task(prompt: str, task: str) -> None:
    assert profile(prompt).task == task


@pytest.mark.parametrize(
    "prompt",
    [
        "hi",
        "Hello, how are you today?",
        "2+2",
        "What is 17 * 23?",
        "What is the capital of France?",
        "Who is the president of Brazil?",
        "How many continents are there?",
        "Define entropy.",
        "",
    ],
)
def test_greetings_lookups_and_sums_are_trivial(prompt: str) -> None:
    assert profile(prompt).difficulty == "trivial"


@pytest.mark.parametrize(
    "prompt",
    [
        "A baker makes 24 rolls a day and sells each for $3. If a quarter are left, how much does she earn a week?",
        "Tom has twice as many marbles as Ann. Together they have 36. How many marbles does Tom have?",
        "Write a Python function that reverses a linked list.",
        "Summarize the plot of Macbeth in three sentences.",
    ],
)
def test_word_problems_and_everyday_requests_are_normal(prompt: str) -> None:
    assert profile(prompt).difficulty == "normal"


@pytest.mark.parametrize("prompt", ["Prove that sqrt(2) is irrational", "Explain why the sky is blue"])
def test_few_words_that_ask_for_thought_are_not_trivial(prompt: str) -> None:
    assert profile(prompt).difficulty != "trivial"


@pytest.mark.parametrize(
    "prompt",
    [
        (
            "Design a distributed rate limiter that handles a million requests per second in five regions, explain "
            "its consistency tradeoffs and failure modes, and compare two alternatives without a database."
        ),
        (
            "Let $f(x)$ be a polynomial of degree 4 with integer coefficients such that $f(1) = f(2) = f(3) = 7$. "
            "Find the smallest possible value of $|f(0)|$ and prove that no smaller value is possible."
        ),
        (
            "Implement a lock-free concurrent hash map in Rust without unsafe code, prove that it is linearizable, "
            "and analyze its performance under contention."
        ),
    ],
)
def test_long_prompts_with_constraints_and_olympiad_mathematics_are_hard(prompt: str) -> None:
    found = profile(prompt)
    assert (found.difficulty, found.words >= 20) == ("hard", True)


@pytest.mark.parametrize(
    "prompt",
    [
        "1. Write a poem\n2. Translate it into French",
        "Summarise this article and then translate it into German.",
        "What is the capital of France? Who wrote Hamlet? When did Rome fall?",
        "1. Write a poem about rain. 2. Translate it into French.",
        "(1) Summarize the text. (2) Extract the names.",
        "1. Name the capital of Peru\n2. Solve x + 2 = 5\n3. Explain osmosis",
        "1. The capital of France\n2. 15% of 80\n3. A synonym for happy",
        "a) Define entropy.\nb) Give an example.\nc) Compute it for a fair coin.",
        "Which is older, the Eiffel Tower or the Brooklyn Bridge?",
        "Explain quantum computing and write a Python program that simulates a qubit.",
        "Describe photosynthesis and compose a haiku about leaves.",
        "Translate 'hello' to French and write a poem about it.",
        "What is the boiling point of water and who discovered oxygen?",
        "When did Rome fall and how tall is Mount Everest?",
        "Lake Baikal and Lake Victoria are what kind of lakes?",
        "Marie Curie and Ada Lovelace were both scientists. Which of them was born first?",
        "What is the ratio of the heights of the Eiffel Tower, the Tokyo Skytree and the Taj Mahal?",
    ],
)
def test_several_tasks_in_one_prompt_are_compound(prompt: str) -> None:
    assert profile(prompt).compound
    assert profile(prompt).signals["compound"] is True


@pytest.mark.parametrize(
    "prompt",
    [
        "Who wrote Hamlet?",
        "Can you help me? I feel lost.",
        "Which film, shot in black and white, was inspired by a play?",
        "When you are done with the list, what is left?",
        "Which World Cup final did the Brazilian team lose?",
        "Which of these is a mammal?\nA) trout\nB) whale\nC) eagle",
        "Which of these is prime?\n1. 4\n2. 7\n3. 9",
        "What is the difference between TCP and UDP?",
        "Translate 'good morning, how are you today my friend?' into Japanese.",
        'Translate "I love you. Do you love me? What is your name?" to German',
        'Write a story that begins with "Who are you? What do you want?"',
        "What is a qubit and how does it work?",
        "Explain recursion and give an example.",
        "Write a function and explain how it works.",
        "Here is my recipe:\n1. Add flour\n2. Mix eggs\n3. Bake\nIs it right?",
        "Write a Python function with these requirements:\n1. It takes a list\n2. It returns the sum",
        "Provide a detailed plan and give three examples.",
        "A farmer has 17 sheep and buys 5 more. How many sheep does he have?",
    ],
)
def test_one_task_is_not_compound(prompt: str) -> None:
    assert not profile(prompt).compound


def test_the_last_user_message_decides_and_the_system_prompt_does_not() -> None:
    messages = [
        Message("system", "Translate everything into French."),
        Message("user", "Translate 'hello'."),
        Message("assistant", "bonjour"),
        Message("user", "Write a Python function that sorts a list."),
    ]
    assert classify(messages).task == "code"


def test_prompt_tokens_count_every_message() -> None:
    one = classify([Message("user", "hello there")])
    two = classify([Message("system", "word " * 400), Message("user", "hello there")])
    assert two.prompt_tokens > one.prompt_tokens + 300


@pytest.mark.parametrize(
    ("prompt", "low", "high"),
    [("The quick brown fox jumps over the lazy dog.", 9, 13), ("今日は天気がいいですね", 7, 14), ("", 0, 0)],
)
def test_the_token_estimate_is_close(prompt: str, low: int, high: int) -> None:
    assert low <= profile(prompt).prompt_tokens <= high


@pytest.mark.parametrize(
    "line", ["plain words on a line\n", "    indented  words here\n", "one paragraph\n\n", "\n\n\n\n"]
)
def test_the_words_of_a_long_prompt_are_counted_closely(line: str) -> None:
    prompt = line * 100
    assert profile(prompt).words == pytest.approx(len(prompt.split()), rel=0.02, abs=1)


def test_signals_explain_with_names_and_numbers() -> None:
    signals = profile("Write a Python function. Does it handle 3 cases?").signals
    assert signals["code"] is True
    assert signals["words"] == 9
    assert signals["question_marks"] == 1
    assert signals["numbers"] == 1
    assert "translation" not in signals


def test_signals_name_the_signs_that_spoke_most() -> None:
    signals = profile("1. Who wrote Hamlet?\n2. Translate 'good morning' into French.").signals
    assert "@items" in str(signals["compound_signs"]).split()
    assert str(profile("Who wrote Hamlet?").signals["signs"]).split()[0] == "who_wrote"


@given(st.text())
def test_signals_are_json_and_hold_at_most_a_few_words_of_the_prompt(prompt: str) -> None:
    signals = dict(profile(prompt).signals)
    assert json.loads(json.dumps(signals)) == signals
    assert len(str(signals.get("signs", "")).split()) <= 3


@pytest.mark.parametrize("unit", ["a ", "?", "1. do this\n", "(", "write ", "A b C ", "\n", "١", "what is "])
def test_two_megabytes_take_bounded_time(unit: str) -> None:
    prompt = unit * (2_000_000 // len(unit))
    started = time.process_time()
    found = profile(prompt)
    assert time.process_time() - started < 3  # an expression that backtracks takes minutes
    assert found.prompt_tokens > 10_000


@given(st.text())
def test_any_text_has_a_profile_in_range(prompt: str) -> None:
    found = profile(prompt)
    assert found.task in TASKS
    assert 0 <= found.difficulty_score <= 100
    assert found.words >= 0
    assert found.prompt_tokens >= (1 if prompt else 0)


def test_lone_surrogates_and_nul_are_text_too() -> None:
    assert profile("\ud800 \x00 what is this?").words == 5


def test_no_message_at_all_is_chat() -> None:
    assert classify([]).task == "chat"


@pytest.mark.parametrize(
    ("message", "toolbox", "more"),
    [
        (Message("user", (TextPart("Look."), ImagePart(url="https://a/b.png"))), None, 1000),
        (Message("user", (TextPart("Look."), ImagePart(url="https://a/b.png", detail="low"))), None, 85),
        (Message("assistant", "Look.", (ToolCall("c1", "look", "x" * 396),)), None, 100),
        (Message("user", "Look."), Toolbox((Tool("look", "x" * 100, {"title": "x" * 284}),)), 100),
    ],
)
def test_what_is_not_text_counts_as_tokens(message: Message, toolbox: Toolbox | None, more: int) -> None:
    plain = profile("Look.").prompt_tokens
    assert classify([message], toolbox).prompt_tokens == plain + more
