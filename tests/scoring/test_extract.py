from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring import final_answer

CHOICE = "Which is a mammal?\nA. trout\nB. whale\nC. eagle"
ASSERTION = "def f(x):\n    return x\nassert f('A b') == ??"


def canonical(text: str, question: str | None = None) -> str | None:
    found = final_answer(text, question)
    return found.canonical if found else None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So we get \\boxed{\\frac{3}{4}}.", "3/4"),
        ("\\boxed{\\sqrt{2}} no wait \\boxed{\\frac{\\sqrt{3}}{2}}", "≈ 0.866025404"),
        ("6 * 7 = 42\n#### 42", "42"),
        ("{final answer: 123}", "123"),
        ("The answer is 3. I first tried 5.\nThe final answer is $1,000.", "1000"),
        ("**Final Answer:** 42", "42"),
        ("La respuesta es 42.", "42"),
        ("答案是42。", "42"),
        ('{"reasoning": "6 * 7", "answer": "42"}', "42"),
        ('```json\n{"reasoning": "a "bad" quote", "answer": 42\n}\n```', "42"),
        ("The answer is Paris.", "paris"),
        ("Paris", "paris"),
    ],
)
def test_a_stated_answer_is_found(text: str, answer: str) -> None:
    assert canonical(text) == answer


@pytest.mark.parametrize(
    "text", ["(B)", "B.", "B", "b) whale", "whale", "The answer is (B).", "**B.** It is a mammal."]
)
def test_a_letter_and_its_option_are_one_answer(text: str) -> None:
    assert canonical(text, CHOICE) == "B"


def test_letters_are_no_answer_when_the_prompt_has_no_options() -> None:
    assert canonical("We tried plan (B) and then went home for the day.", "What did you do?") is None


def test_a_letter_that_is_denied_is_not_the_answer() -> None:
    assert canonical("It is surely not (B)", CHOICE) is None


def test_a_turn_of_phrase_in_an_essay_is_no_answer() -> None:
    essay = (
        "Why do people travel? The answer is simple. "
        + "They look for what home does not give them, and more. " * 40
    )
    assert final_answer(essay, "Discuss why people travel.") is None


def test_what_a_model_asks_itself_afterwards_is_left_out() -> None:
    assert canonical("The answer is (B).\n\nQuestion: next?\nThe answer is (C).", CHOICE) == "B"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Yes, it is.", "yes"), ("No. It was never found.", "no"), ("The answer is true", "yes"), ("not true", "no")],
)
def test_a_polar_question_has_yes_or_no(text: str, answer: str) -> None:
    assert canonical(text, "Is the earth round?") == answer


def test_either_or_is_no_polar_question() -> None:
    assert canonical("Yes and no, it depends on the day of the week.", "Is it red or blue?") is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("He had 5, lost 8, so he has -3 left.", "-3"),
        ("There are 12-3 = 9 apples", "9"),
        ("That makes $1,250.50 in total.", "2501/2"),
    ],
)
def test_a_question_for_a_number_gets_the_last_one(text: str, answer: str) -> None:
    assert canonical(text, "How many apples are left?") == answer


def test_a_number_that_the_question_brought_is_not_its_answer() -> None:
    assert canonical("She won 49 medals in 2000.", "How many medals did she win in 2000?") == "49"


def test_a_percentage_asked_for_needs_no_sign() -> None:
    question = "What percent of 50 is 36?"
    assert canonical("The answer is 72%.", question) == canonical("The answer is 72.", question)


def test_a_program_is_its_last_fenced_block_without_comments() -> None:
    one = canonical("First:\n```python\nx=1\n```\nBetter:\n```python\ny = 2  # two\n```", "Write a python function")
    assert one == canonical("```\ny=2\n```", "Write a python function")


def test_a_long_program_is_found_whole() -> None:
    lines = "\n".join(f"x{i} = {i}" for i in range(800))
    found = final_answer(f"Here it is:\n```python\n{lines}\n```", "Write a python script")
    assert found is not None
    assert found.value.startswith("x0 = 0")


@pytest.mark.parametrize("text", ["'A b'", '"A b"', "A b", '{"answer": "\'A b\'"}'])
def test_what_a_program_prints_keeps_its_case_and_spaces(text: str) -> None:
    assert canonical(text, ASSERTION) == "A b"


def test_a_list_is_spaced_and_quoted_one_way() -> None:
    assert canonical('["a",  1 ]', ASSERTION) == canonical("['a', 1]", ASSERTION) == "['a', 1]"


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\n", "I walked for hours along the river and thought about the year behind me."]
)
def test_a_text_that_states_nothing_has_no_answer(text: str) -> None:
    assert final_answer(text, None) is None


@given(st.text(), st.none() | st.text() | st.sampled_from([CHOICE, ASSERTION, "How many?", "Is it?", "Write code"]))
def test_extraction_never_raises(text: str, question: str | None) -> None:
    final_answer(text, question)


@pytest.mark.parametrize("question", [None, CHOICE, ASSERTION, "How many?", "Is it so?", "Write a python function"])
@pytest.mark.parametrize(
    "unit",
    ["\\boxed{", '"answer": "\\', "answer is ", "```", "{", "1,", "(A) ", "not ", "\\frac{1}{", "- ", "((((", "'"],
)
def test_hostile_text_takes_bounded_time(unit: str, question: str | None) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    final_answer(text, question)
    assert time.process_time() - started < 3  # an expression that backtracks takes minutes


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Sure. Yes, you can mix them safely.", "yes"),
        ("Well, no.", "no"),
        ("It is not true.", "no"),
        ("That's not correct.", "no"),
        ("This isn't false.", "yes"),
        ("Absolutely not.", "no"),
        ("I'd say no, never do that.", "no"),
    ],
)
def test_a_yes_or_no_is_found_after_what_says_neither(text: str, verdict: str) -> None:
    found = final_answer(text, "Is it safe to mix bleach and ammonia?")
    assert found is not None
    assert (found.kind, found.canonical) == ("polar", verdict)


@pytest.mark.parametrize("text", ["Sure! Here is a poem about rain.", "No problem, here is a poem about rain."])
def test_a_readiness_to_help_is_no_verdict(text: str) -> None:
    found = final_answer(text, "Can you write me a poem?")
    assert found is None or found.kind != "polar"
