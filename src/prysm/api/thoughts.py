"""A thought with its provider's seal, wrapped so that clients of the Responses API can carry it back unread.

The wrapping keeps nothing secret from the caller, whose thought it is: it keeps text and seal together. Whether they
belong together is the provider's to check.
"""

from __future__ import annotations

import base64

import orjson

from prysm.core.content import Thinking
from prysm.errors import UnsupportedParameter

OURS = "prysm1."


def wrapped(thought: Thinking) -> str | None:
    """The thought as `encrypted_content`; None for one in the open, which its summary says whole."""
    if thought.signature is None and not thought.redacted:
        return None
    told = [thought.text, thought.signature, thought.redacted]
    return OURS + base64.urlsafe_b64encode(orjson.dumps(told)).decode()


def opened(text: str, param: str) -> Thinking:
    """The thought in an `encrypted_content`; raises `UnsupportedParameter` for what was not wrapped here."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(text.removeprefix(OURS))) if text.startswith(OURS) else None
    except ValueError:
        found = None
    match found:
        case [str() as told, (str() | None) as signature, bool() as redacted]:
            return Thinking(told, signature, redacted)
    raise UnsupportedParameter(
        f"'{param}.encrypted_content' was not made by this gateway, so no model here can read it: leave the item out.",
        param=f"{param}.encrypted_content",
    )
