"""The turns of a conversation as Anthropic's Messages API takes them, and as we know them.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from prysm.api.calls import RedactedBlock
from prysm.api.conversation import MAX_MESSAGES
from prysm.api.in_words import Place
from prysm.api.messages_blocks import (
    Asked,
    Said,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    content_of,
)
from prysm.api.parse import Strict
from prysm.core.chat import Message
from prysm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.content import CacheTtl


class SystemTurn(Strict):
    """What the developer of an application says, at its place in the conversation."""

    role: Literal["system"]
    content: str | Annotated[list[TextBlock], Field(min_length=1)]

    def messages(self, _: int, __: set[str]) -> list[Message]:
        """The turn in our vocabulary."""
        return [Message("system", content_of(self.content))]


class UserTurn(Strict):
    """What a user says and shows, and what the tools answered."""

    role: Literal["user"]
    content: str | Annotated[list[Asked], Field(min_length=1)]

    def messages(self, i: int, calls: set[str]) -> list[Message]:
        """The turn in our vocabulary: what tools answered first, since it has to follow the calls."""
        if isinstance(self.content, str):
            return [Message("user", self.content)]
        for j, block in enumerate(self.content):
            if isinstance(block, ToolResultBlock) and block.tool_use_id not in calls:
                raise InvalidRequest(
                    f"'messages[{i}].content[{j}].tool_use_id' answers no call: give the id of a tool_use block of an "
                    "earlier message.",
                    param=f"messages[{i}].content[{j}].tool_use_id",
                )
        told = [block.message() for block in self.content if isinstance(block, ToolResultBlock)]
        said = [block for block in self.content if not isinstance(block, ToolResultBlock)]
        return [*told, Message("user", content_of(said))] if said else told


class AssistantTurn(Strict):
    """What a model said, called and thought; a last one is the beginning of the answer."""

    role: Literal["assistant"]
    content: str | Annotated[list[Said], Field(min_length=1)]

    def messages(self, _: int, calls: set[str]) -> list[Message]:
        """The turn in our vocabulary; the ids of its calls join `calls`."""
        if isinstance(self.content, str):
            return [Message("assistant", self.content)]
        calls.update(block.id for block in self.content if isinstance(block, ToolUseBlock))
        return [_step(blocks) for blocks in _steps(self.content)]


AnyTurn: TypeAlias = Annotated[SystemTurn | UserTurn | AssistantTurn, Field(discriminator="role")]
Turns: TypeAlias = Annotated[list[AnyTurn], Field(min_length=1, max_length=MAX_MESSAGES)]
System: TypeAlias = str | list[TextBlock]


def conversation(
    system: str | Sequence[TextBlock] | None, turns: Sequence[AnyTurn], cache: CacheTtl | None
) -> tuple[Message, ...]:
    """The conversation in our vocabulary; `cache`: all of it is worth keeping.

    Raises `InvalidRequest` for an answer to a call that nobody made.
    """
    calls: set[str] = set()
    prompt = content_of(system if isinstance(system, str) else list(system)) if system else ""
    said = [Message("system", prompt)] if prompt else []
    for i, turn in enumerate(turns):
        said += turn.messages(i, calls)
    if cache is not None:
        said[-1] = replace(said[-1], cache=cache)
    return tuple(said)


def places(system: str | Sequence[TextBlock] | None, turns: Sequence[AnyTurn]) -> list[Place]:
    """Where each message of `conversation` came from."""
    calls: set[str] = set()
    found = [Place("system")] if conversation(system, (), None) else []
    for i, turn in enumerate(turns):
        made = turn.messages(i, calls)
        found += [Place(f"messages[{i}]", whole=len(made) == 1 and made[0].role == "user")] * len(made)
    return found


def _steps(blocks: Sequence[Said]) -> list[list[Said]]:
    """Stretches of a turn: a thought after anything else begins the next, since its seal holds at its place alone."""
    steps: list[list[Said]] = [[]]
    for block in blocks:
        if _is_thought(block) and steps[-1] and not _is_thought(steps[-1][-1]):
            steps.append([])
        steps[-1].append(block)
    return steps


def _is_thought(block: Said) -> bool:
    return isinstance(block, ThinkingBlock | RedactedBlock)


def _step(blocks: Sequence[Said]) -> Message:
    """A stretch of a turn: its thoughts, then what is said, then the calls."""
    called = [block for block in blocks if isinstance(block, ToolUseBlock)]
    return Message(
        "assistant",
        content_of([block for block in blocks if isinstance(block, TextBlock)]),
        tool_calls=tuple([block.call() for block in called]),
        thinking=tuple([block.thought() for block in blocks if isinstance(block, ThinkingBlock | RedactedBlock)]),
        cache=next((block.kept for block in reversed(called) if block.kept), None),
    )
