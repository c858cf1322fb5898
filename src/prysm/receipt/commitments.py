"""What binds a receipt to its texts without showing them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from prysm.core.openai_form import answer_form, message_form
from prysm.core.values import dataclass
from prysm.proof.hashing import commitment
from prysm.receipt.spelling import b64, canonical

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest
    from prysm.core.run import Finished, Verdict
    from prysm.proof.canonical import Json
    from prysm.proof.hashing import Encoding


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one commitment; given to the caller and kept nowhere."""

    enc: Encoding
    salt: str


def commitments(run: Finished, salts: tuple[bytes, bytes]) -> tuple[dict[str, Json], dict[str, Opening]]:
    """HMACs of the messages or inputs, as OpenAI's API writes them, and of the answer; a failed run has none."""
    prompt = canonical(asked(run.request))
    salt, other = salts
    commits: dict[str, Json] = {"prompt": _commit(salt, "prompt", "jcs", prompt), "answer": None}
    openings = {"prompt": Opening("jcs", b64(salt))}
    if run.verdict is not None:
        enc, answer = _answered(run.verdict)
        commits["answer"] = _commit(other, "answer", enc, answer)
        openings["answer"] = Opening(enc, b64(other))
    return commits, openings


def asked(request: ChatRequest) -> Json:
    """What a request asks, in the normal form of docs/proof.md.

    Only objects with names of ours, strings, and the ids of tokens occur, so that `canonical` is RFC 8785.
    """
    if request.embed is not None:
        return request.embed.form()
    return [message_form(message) for message in request.messages]


def _answered(verdict: Verdict) -> tuple[Encoding, bytes]:
    """The answer's bytes: its text where it is text alone, else every choice as OpenAI's API writes messages.

    Of vectors it is the base64 of all their numbers, little-endian float32, in the order of the inputs.
    """
    done = verdict.candidate.completion
    if done.vectors is not None:
        return "utf8", base64.b64encode(done.vectors.data)
    if verdict.others or done.tool_calls or done.refused:
        return "jcs", canonical([answer_form(choice.completion) for choice in verdict.choices])
    return "utf8", done.text.encode()


def _commit(salt: bytes, label: str, enc: Encoding, data: bytes) -> Json:
    return {"enc": enc, "alg": "HMAC-SHA256", "c": commitment(salt, label, enc, data)}
