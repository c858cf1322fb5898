"""Level 6: whether a text is the one that a record committed to."""

from __future__ import annotations

import hmac
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from prysm.proof.defect import Defect
from prysm.proof.document import NoReceipt, decoded, load
from prysm.proof.hashing import SALT_BYTES, commitment
from prysm.proof.jcs import jcs
from prysm.proof.prompt import normal_form
from prysm.proof.record import read_record
from prysm.proof.report import OPENINGS, Unchecked, checked, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prysm.proof.hashing import Encoding
    from prysm.proof.report import Check

ALGORITHM = "HMAC-SHA256"
LABELS = ("prompt", "answer")


def check_openings(
    payload: bytes, openings: Mapping[str, Any] | None, texts: Mapping[str, bytes] | None
) -> tuple[Check, ...]:
    """One check for each opening and each text.

    `openings` is the object that came with the answer, or the whole answer around it. `texts` are as received: an
    answer's words in UTF-8; JSON, in any spelling, where the record committed to JSON. A prompt may be a whole request
    body: it is held against its normal form, too.
    """
    if openings is None:
        return (checked("opening", OPENINGS, _no_openings),)
    found, given = openings_of(openings), {**_own_text(openings), **(texts or {})}
    labels = [label for label in LABELS if label in found or label in (texts or {})]
    if not labels:
        return (checked("opening", OPENINGS, _no_openings),)
    return tuple(
        checked(f"opening:{label}", OPENINGS, partial(_open, payload, label, found, given)) for label in labels
    )


def verify_opening(payload: bytes, label: str, opening: Mapping[str, str], data: bytes) -> Check:
    """Check that `data` is the very bytes the record committed to under `label` ("prompt" or "answer")."""
    return checked(f"opening:{label}", OPENINGS, lambda: _compare(payload, label, opening, lambda _: [data]))


def openings_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The openings in an answer of any surface, or the object itself when it is them."""
    found = given["prysm"].get("openings") if isinstance(given.get("prysm"), dict) else given
    return found if isinstance(found, dict) else {}


def _no_openings() -> str:
    raise Unchecked("no openings were given: they come with the answer, to its caller alone")


def _open(payload: bytes, label: str, openings: Mapping[str, Any], texts: Mapping[str, bytes]) -> str:
    if label not in openings:
        raise Defect("a text was given, and the openings hold none for it")
    if label not in texts:
        raise Unchecked(f"the {label} itself was not given")
    given = texts[label]
    return _compare(payload, label, openings[label], lambda enc: _as_committed(label, enc, given))


def _as_committed(label: str, enc: str, given: bytes) -> Iterator[bytes]:
    """What a text can have been committed to as: a prompt as it was given, or in its normal form."""
    if enc != "jcs":
        yield given
        return
    try:
        value = load(given)
    except NoReceipt:
        raise Defect("the text is to be JSON") from None
    yield jcs(value)
    if label == "prompt":
        yield jcs(normal_form(value))


def _compare(payload: bytes, label: str, opening: Any, committed: Callable[[Encoding], Iterable[bytes]]) -> str:
    entry = read_record(payload)["commit"].get(label)
    if entry is None:
        raise Defect(f"the record commits to no {quoted(label)}")
    enc: Any = entry["enc"]
    if entry["alg"] != ALGORITHM or enc not in {"utf8", "jcs"}:
        raise Defect(f"unknown commitment {quoted(entry['alg'])} over {quoted(enc)}")
    salt = _salt(opening, enc)
    found = (commitment(salt, label, enc, data) for data in committed(enc))
    if not any(hmac.compare_digest(each.encode(), entry["c"].encode()) for each in found):
        raise Defect("another text was committed to")
    return "this is the text that was committed to"


def _salt(opening: Any, enc: str) -> bytes:
    if not isinstance(opening, dict):
        raise Defect("the opening is no object")
    if opening.get("enc") != enc:
        raise Defect(f"the record committed to {enc}, the opening says {quoted(opening.get('enc'))}")
    if "salt" not in opening:
        raise Defect("the opening has no salt")
    salt = decoded(opening["salt"], "the salt")
    if len(salt) != SALT_BYTES:
        raise Defect(f"a salt has {SALT_BYTES} bytes, this one has {len(salt)}")
    return salt


def _own_text(answer: Mapping[str, Any]) -> dict[str, bytes]:
    """The answer's text where the answer came in OpenAI's form; nothing where it did not."""
    match answer.get("choices"):
        case [{"message": dict()}, *_] as choices:
            pass
        case _:
            return {}
    messages = [choice["message"] for choice in choices if isinstance(choice, dict) and "message" in choice]
    opening = openings_of(answer).get("answer")
    if isinstance(opening, dict) and opening.get("enc") == "jcs":
        return {"answer": _dumped([_form(message) for message in messages])}
    content = messages[0].get("content")
    return {"answer": content.encode(errors="surrogatepass")} if isinstance(content, str) else {}


def _dumped(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b""  # opens nothing


def _form(message: Any) -> Any:
    """What is committed to of a message: thoughts and a provider's own fields are not."""
    if not isinstance(message, dict):
        return message
    form = {"role": "assistant", "content": message.get("content"), "refusal": message.get("refusal")}
    return form | ({"tool_calls": message["tool_calls"]} if message.get("tool_calls") else {})
