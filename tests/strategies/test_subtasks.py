"""A prompt taken apart: by its own list, or by a model's plan that holds water."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.classify.listed import MAX_PARTS
from prysm.strategies.subtasks import Parts, Subtask, enumerated, planned


def tasks(parts: Parts | str | None) -> list[str]:
    assert isinstance(parts, Parts)
    return [subtask.task for subtask in parts.subtasks]


@pytest.mark.parametrize(
    "prompt",
    [
        "1. Write a haiku.\n2. What is 17 * 23?",
        "1) Write a haiku.\n2) What is 17 * 23?",
        "(1) Write a haiku.\n(2) What is 17 * 23?",
        "a) Write a haiku.\nb) What is 17 * 23?",
        "- Write a haiku.\n- What is 17 * 23?",
        "• Write a haiku.\n\n• What is 17 * 23?\n",
    ],
)
def test_a_list_of_tasks_is_its_own_plan(prompt: str) -> None:
    parts = enumerated(prompt)
    assert tasks(parts) == ["Write a haiku.", "What is 17 * 23?"]
    assert parts is not None
    assert (parts.literal, parts.preamble, parts.waves()) == (True, "", [[0, 1]])


def test_what_is_said_before_the_list_belongs_to_every_part() -> None:
    parts = enumerated("For a class of ten-year-olds:\n1. Explain tides.\n2. Explain waves.")
    assert parts is not None
    assert parts.preamble == "For a class of ten-year-olds:"


def test_a_clause_that_begins_with_that_points_to_nothing_before_it() -> None:
    tide = "Write a function that prints the tides."
    assert tasks(enumerated(f"1. Explain tides.\n2. {tide}")) == ["Explain tides.", tide]


def test_an_indented_line_belongs_to_its_item() -> None:
    assert tasks(enumerated("1. Explain\n   tides.\n2. Explain waves.")) == ["Explain\n   tides.", "Explain waves."]


@pytest.mark.parametrize(
    "prompt",
    [
        "Tell me about the sea.",
        "1. Write a haiku.",
        "1. Write a poem.\n2. Then translate it into French.",
        "1. Solve x + 2 = 5.\n2. Double the result.",
        "1. Solve x + 2 = 5.\n2. Add 3 to the answer of part 1.",
        "1. Write a poem.\n2. Count the words in the above.",
        "1. Write a poem.\n2. Translate that into French.",
        "1. Name a sea.\n2. Explain that.",
        "1. Draft a plan.\n2. List what step 1 costs.",
        "Compare these for a web service:\n- Python\n- Rust",
        "1. Write a haiku.\n2. What is 17 * 23?\n\nAnswer both in French.",
        "1. Write a haiku.\n2. What is 17 * 23?\nAnswer in French.",
        "".join(f"{i}. Write a haiku.\n" for i in range(1, MAX_PARTS + 2)),
        "1.\n2.\n",
        "",
    ],
)
def test_what_is_no_list_of_tasks_that_stand_alone_is_left_to_a_model(prompt: str) -> None:
    assert enumerated(prompt) is None


@given(st.text(alphabet=st.sampled_from("1.2) -a\n\tWrite?"), max_size=200))
def test_any_prompt_can_be_looked_at(prompt: str) -> None:
    parts = enumerated(prompt)
    assert parts is None or all(task.strip() for task in tasks(parts))


def plan(*entries: Any) -> str:
    return orjson.dumps({"subtasks": list(entries)}).decode()


def part(task: str, *needs: Any) -> dict[str, Any]:
    return {"task": task, "needs": list(needs)}


def test_a_models_plan_is_read_through_what_it_says_around_it() -> None:
    parts = planned(f"Here you are:\n```json\n{plan(part('Find x'), part('Plot it', 0, 0))}\n```\nDone.")
    assert isinstance(parts, Parts)
    assert (parts.subtasks, parts.literal) == ((Subtask("Find x"), Subtask("Plot it", (0,))), False)


def test_parts_run_in_waves_as_soon_as_what_they_need_is_there() -> None:
    parts = planned(plan(part("one"), part("two"), part("three", 0), part("four", 2, 1), part("five", 1)))
    assert isinstance(parts, Parts)
    assert parts.waves() == [[0, 1], [2, 4], [3]]


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ("I cannot.", "one JSON object"),
        ("{}", "one JSON object"),
        ('{"subtasks": 3}', "one JSON object"),
        ('{"subtasks": [', "one JSON object"),
        ("[1, 2]", "one JSON object"),
        ("{" * 100_000 + "}" * 100_000, "one JSON object"),
        (plan(part("one")), "between 2 and 6"),
        (plan(*(part(f"task {i}") for i in range(7))), "between 2 and 6"),
        (plan(part("one"), part(" ")), "Sub-task 1 has no text"),
        (plan(part("one"), "two"), "Sub-task 1 has no text"),
        (plan(part("one"), {"task": 2}), "Sub-task 1 has no text"),
        (plan(part("one", 1), part("two", 0)), "'needs' of sub-task 0"),
        (plan(part("one"), part("two", 1)), "'needs' of sub-task 1"),
        (plan(part("one"), part("two", -1)), "'needs' of sub-task 1"),
        (plan(part("one"), {"task": "two", "needs": [True]}), "'needs' of sub-task 1"),
        (plan(part("one"), {"task": "two", "needs": None}), "'needs' of sub-task 1"),
        (plan(part("Write a haiku"), part("write a HAIKU")), "Sub-task 1 repeats"),
    ],
)
def test_a_plan_that_does_not_hold_water_is_refused_with_the_reason(reply: str, complaint: str) -> None:
    refused = planned(reply)
    assert isinstance(refused, str)
    assert complaint in refused


def test_tasks_that_share_their_context_are_not_one_task_said_twice() -> None:
    about = "the history of the lighthouse on the northern cape, for readers of ten years,"
    assert len(tasks(planned(plan(part(f"Summarise {about} please"), part(f"Translate {about} into French"))))) == 2


def test_a_task_may_leave_out_what_it_needs_when_it_needs_nothing() -> None:
    assert len(tasks(planned(plan({"task": "one"}, {"task": "two"})))) == 2


@pytest.mark.parametrize("hostile", ["{" * 200_000, "{}" * 100_000, '{"subtasks": ' + "[" * 100_000])
def test_a_hostile_reply_costs_no_time(hostile: str) -> None:
    began = time.perf_counter()
    assert isinstance(planned(hostile), str)
    assert time.perf_counter() - began < 0.5


@given(st.recursive(st.none() | st.booleans() | st.integers(-2, 8) | st.text(max_size=5), st.lists, max_leaves=20))
def test_any_json_is_a_plan_or_a_complaint(value: Any) -> None:
    assert isinstance(planned(orjson.dumps({"subtasks": value}).decode()), str | Parts)
