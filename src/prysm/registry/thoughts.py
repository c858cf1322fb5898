"""Whose thoughts a conversation holds, and which of them the next answer cannot do without.

A provider reads the thoughts of the tool loop that is still going on: those behind the last thing a user said. Earlier
ones are read by none, and ignored where they are sent:
https://platform.claude.com/docs/en/build-with-claude/extended-thinking, "Extended thinking with tool use".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.core.content import TextPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message
    from prysm.core.content import Thinking
    from prysm.core.provider import WireFormat


def is_sealed(thought: Thinking) -> bool:
    """Whether its provider alone can read or check it."""
    return thought.signature is not None or thought.redacted


def is_foreign(kind: WireFormat, thought: Thinking) -> bool:
    """Whether a format has no place for the thought: Anthropic's are all sealed, the others say theirs in the open."""
    return is_sealed(thought) != (kind == "anthropic")


def loop_start(messages: Sequence[Message]) -> int:
    """Where the tool loop that is still going on begins: the index behind the last thing a user said."""
    return next((i for i in range(len(messages), 0, -1) if _speaks(messages[i - 1])), 0)


def _speaks(message: Message) -> bool:
    if message.role != "user":
        return False
    if isinstance(message.content, str):
        return bool(message.content)
    return any(not isinstance(part, TextPart) or part.text for part in message.content)


def without_foreign(kind: WireFormat, messages: Sequence[Message]) -> Sequence[Message]:
    """The messages for a format, without the thoughts it has no place for and without turns that held nothing else."""
    for message in messages:
        if message.thinking:
            break
    else:
        return messages
    kept = [_at_home(kind, message) for message in messages]
    return [message for message in kept if message is not None]


def _at_home(kind: WireFormat, message: Message) -> Message | None:
    own = tuple(thought for thought in message.thinking if not is_foreign(kind, thought))
    if len(own) == len(message.thinking):
        return message
    return replace(message, thinking=own) if own or message.content or message.tool_calls else None
