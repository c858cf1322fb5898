"""Level 6: texts that are not the ones that were committed to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.proof.defects import bad, receipt
from tests.proof.made import b64, commitment, drawn, sealed
from tests.proof.runs import ANSWER, MESSAGES, OPENINGS, SALTS, failed, single

if TYPE_CHECKING:
    from tests.proof.made import Case


def _opened(openings: Case, text: str = ANSWER) -> Case:
    return receipt() | {"openings": OPENINGS | openings, "texts": {"answer": text}}


@bad(6, "opening:answer", "another text was committed to")
def opening_with_wrong_salt() -> Case:
    """The salt is another than the one that was committed with."""
    return _opened({"answer": {"enc": "utf8", "salt": b64(drawn("another salt"))}})


@bad(6, "opening:answer", "another text was committed to")
def opening_with_wrong_text() -> Case:
    """The text is not the one that was committed to."""
    return _opened({}, ANSWER.replace("391", "401"))


@bad(6, "opening:answer", "another text was committed to")
def opening_with_a_line_break_more() -> Case:
    """The text is the right one and a line break, which is another text."""
    return _opened({}, ANSWER + "\n")


@bad(6, "opening:answer", "another text was committed to")
def answer_with_half_a_character() -> Case:
    """The text has half a character where the true one has U+FFFD, which some encoders put in its place."""
    record, bodies = single()
    record["commit"]["answer"]["c"] = commitment(SALTS["answer"], "answer", "utf8", "\ufffd".encode())
    return sealed(record, bodies) | {"openings": OPENINGS, "texts": {"answer": "\ud800"}}


@bad(6, "opening:answer", "committed to utf8")
def opening_under_another_encoding() -> Case:
    """The opening says that the text is canonical JSON; the record committed to plain text."""
    return _opened({"answer": OPENINGS["answer"] | {"enc": "jcs"}})


@bad(6, "opening:answer", "salt")
def opening_with_a_short_salt() -> Case:
    """The salt lost a byte."""
    return _opened({"answer": {"enc": "utf8", "salt": b64(SALTS["answer"][:-1])}})


@bad(6, "opening:answer", "another text was committed to")
def salt_of_the_prompt_for_the_answer() -> Case:
    """The openings of prompt and answer are interchanged."""
    return _opened({"answer": {"enc": "utf8", "salt": OPENINGS["prompt"]["salt"]}})


@bad(6, "opening:answer", "the record commits to no")
def answer_of_a_run_without_one() -> Case:
    """A text is shown as the answer of a run that failed and committed to none."""
    return sealed(*failed()) | {"openings": OPENINGS, "texts": {"answer": ANSWER}}


@bad(6, "opening:prompt", "another text was committed to")
def other_messages_than_were_asked() -> Case:
    """The messages are not those that were committed to."""
    asked = [*MESSAGES[:1], {"role": "user", "content": "What is 17 × 32?"}]
    return receipt() | {"openings": OPENINGS, "texts": {"prompt": json.dumps(asked)}}


@bad(6, "opening:prompt", "stands twice in one object")
def messages_with_a_key_given_twice() -> Case:
    """The messages are right for a reader that takes the last of two contents."""
    asked = json.dumps(MESSAGES).replace('"content"', '"content": "else", "content"', 1)
    return receipt() | {"openings": OPENINGS, "texts": {"prompt": asked}}


@bad(6, "opening:answer", "salt")
def opening_without_salt() -> Case:
    """The opening has no salt."""
    return _opened({"answer": {"enc": "utf8"}})
