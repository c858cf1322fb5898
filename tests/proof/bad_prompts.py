"""Level 6: JSON that is not the prompt that was committed to, however near it comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.proof.defects import bad
from tests.proof.good_prompts import CALLS, CALLS_GIVEN, asked

if TYPE_CHECKING:
    from tests.proof.made import Case


def _messages(content: Any, **more: Any) -> list[Any]:
    return [{"role": "user", "content": content} | more]


@bad(6, "opening:prompt", "half a character")
def prompt_with_half_a_character() -> Case:
    """The text has half a character where the true one has U+FFFD, which some encoders put in its place."""
    return asked(_messages("\ufffd"), '[{"role": "user", "content": "\\ud800"}]')


@bad(6, "opening:prompt", "beyond 53 bits")
def prompt_with_an_integer_beyond_53_bits() -> Case:
    """An integer that readers with doubles take for its neighbour, which was committed to."""
    return asked([9007199254740992.0], "[9007199254740993]")


@bad(6, "opening:prompt", "beyond a double")
def prompt_with_a_number_beyond_a_double() -> Case:
    """1e400 is infinite to readers with doubles, and some write that as null, which was committed to."""
    return asked([None], "[1e400]")


@bad(6, "opening:prompt", "another text was committed to")
def prompt_under_another_name() -> Case:
    """The same words by a speaker with another name."""
    return asked(_messages("Hello", name="ann"), json.dumps(_messages("Hello", name="bob")))


@bad(6, "opening:prompt", "another text was committed to")
def prompt_of_another_role() -> Case:
    """The same words by the system."""
    return asked(_messages("Hello"), '[{"role": "system", "content": "Hello"}]')


@bad(6, "opening:prompt", "another text was committed to")
def prompt_with_other_arguments_of_a_tool() -> Case:
    """The same conversation but for the arguments of a tool's call."""
    return asked(CALLS, json.dumps(CALLS_GIVEN).replace("Paris", "Lyon"))


@bad(6, "opening:prompt", "another text was committed to")
def prompt_with_another_image() -> Case:
    """The same words beside another image."""
    image = {"type": "image_url", "image_url": {"url": "https://images.test/1.png"}}
    other = json.dumps(_messages([image])).replace("1.png", "2.png")
    return asked(_messages([image]), other)


@bad(6, "opening:prompt", "another text was committed to")
def prompt_with_a_message_more() -> Case:
    """A message was added that fields unknown to the format must not hide."""
    return asked(_messages("Hello"), json.dumps({"messages": [*_messages("Hello"), *_messages("")]}))


@bad(6, "opening:prompt", "another text was committed to")
def prompt_that_is_an_empty_object() -> Case:
    """Nothing was asked in it."""
    return asked(_messages("Hello"), "{}")


@bad(6, "opening:prompt", "another text was committed to")
def inputs_in_another_order() -> Case:
    """The inputs of an embedding changed places."""
    return asked(["one", "two"], '{"input": ["two", "one"]}')


@bad(6, "opening:prompt", "another text was committed to")
def text_of_a_number_for_the_number() -> Case:
    """A token's number was written as a string."""
    return asked([[1, 2]], '{"input": ["1", 2]}')
