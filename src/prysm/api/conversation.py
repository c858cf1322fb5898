"""The turns of a conversation as OpenAI's chat completions take them, and as we know them.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from prysm.api.calls import AnyBlock, CallId, CallName, Calls, FunctionCall  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.parse import Strict
from prysm.api.parts import InputPart, SpokenPart  # noqa: TC001 - pydantic reads annotations at run time
from prysm.core.chat import Message
from prysm.core.content import Thinking, ToolCall
from prysm.errors import InvalidRequest, UnsupportedParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.content import Content

MAX_MESSAGES = 2048

Speaker: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]


class SystemMessage(Strict):
    """What the developer of an application says."""

    role: Literal["system", "developer"]
    content: str | list[InputPart]
    name: Speaker | None = None

    def message(self, _: int, __: dict[str, str]) -> Message:
        """The turn in our vocabulary."""
        said = self.content
        return Message(self.role, said if isinstance(said, str) else _content(said), (), None, self.name)


class UserMessage(Strict):
    """What a user says and shows."""

    role: Literal["user"]
    content: str | list[InputPart]
    name: Speaker | None = None

    def message(self, _: int, __: dict[str, str]) -> Message:
        """The turn in our vocabulary."""
        said = self.content
        return Message("user", said if isinstance(said, str) else _content(said), (), None, self.name)


class AssistantMessage(Strict):
    """What a model said, called and thought: an answer's message can be sent back as it came."""

    role: Literal["assistant"]
    content: str | list[SpokenPart] | None = None
    refusal: str | None = None
    name: Speaker | None = None
    tool_calls: Calls | None = None
    function_call: FunctionCall | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[AnyBlock] | None = None
    annotations: list[Any] | None = None
    """Where an answer of a web search came from; no API takes it back, and clients send it along."""
    parsed: Any = None
    """What OpenAI's client read off the content, and sends along with it."""
    audio: dict[str, Any] | None = None

    def message(self, i: int, calls: dict[str, str]) -> Message:
        """The turn in our vocabulary; its calls join `calls`."""
        if self.audio is not None:
            raise UnsupportedParameter(
                f"'messages[{i}].audio' cannot be sent back: give what was said as its content.",
                param=f"messages[{i}].audio",
            )
        said = self._calls(i)
        calls.update({call.id: call.name for call in said})
        content = self.content if self.content is not None else self.refusal
        if content is None and not said:
            raise InvalidRequest(
                f"'messages[{i}].content': give text or tool_calls.", param=f"messages[{i}].content"
            )
        return Message(
            "assistant", _content(content or ""), tool_calls=said, name=self.name, thinking=self._thoughts()
        )

    def _calls(self, i: int) -> tuple[ToolCall, ...]:
        """Its calls; one in OpenAI's older spelling has no id, and is given one."""
        if self.function_call is None:
            return tuple([call.call() for call in self.tool_calls or ()])
        return (ToolCall(f"call_{i}", self.function_call.name, self.function_call.arguments),)

    def _thoughts(self) -> tuple[Thinking, ...]:
        """Its thoughts; sealed blocks say the same as the open text beside them, and more."""
        if self.thinking_blocks:
            return tuple([block.thought() for block in self.thinking_blocks])
        return (Thinking(self.reasoning_content),) if self.reasoning_content else ()


class ToolMessage(Strict):
    """What a tool answered. `name` is what the call says already."""

    role: Literal["tool"]
    content: str | list[InputPart]
    tool_call_id: CallId
    name: CallName | None = None

    def message(self, i: int, calls: dict[str, str]) -> Message:
        """The turn in our vocabulary."""
        if self.tool_call_id not in calls:
            raise InvalidRequest(
                f"'messages[{i}].tool_call_id' answers no call: give the id of a tool call of an earlier message.",
                param=f"messages[{i}].tool_call_id",
            )
        return Message("tool", _content(self.content), tool_call_id=self.tool_call_id)


class FunctionMessage(Strict):
    """What a function answered, in OpenAI's older spelling."""

    role: Literal["function"]
    content: str | None
    name: CallName

    def message(self, i: int, calls: dict[str, str]) -> Message:
        """The turn in our vocabulary: the answer to the latest call of that name."""
        found = next((id_ for id_, name in reversed(calls.items()) if name == self.name), None)
        if found is None:
            raise InvalidRequest(
                f"'messages[{i}].name' answers no call: give the name of an earlier message's function_call.",
                param=f"messages[{i}].name",
            )
        return Message("tool", self.content or "", tool_call_id=found)


AnyMessage: TypeAlias = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage, Field(discriminator="role")
]
Turns: TypeAlias = Annotated[list[AnyMessage], Field(min_length=1, max_length=MAX_MESSAGES)]


def conversation(turns: Sequence[AnyMessage]) -> tuple[Message, ...]:
    """The turns in our vocabulary. Raises `InvalidRequest` for an answer to a call that nobody made."""
    calls: dict[str, str] = {}
    return tuple([turn.message(i, calls) for i, turn in enumerate(turns)])


def _content(content: str | Sequence[InputPart] | Sequence[SpokenPart]) -> Content:
    return content if isinstance(content, str) else tuple([part.part() for part in content]) or ""


def prompt_or_messages(prompt: str | None, turns: Sequence[AnyMessage] | None) -> tuple[Message, ...]:
    """Exactly one of the two ways to say what is asked."""
    if (prompt is None) == (turns is None):
        raise InvalidRequest(
            "Give either 'prompt' (a string) or 'messages' (a list), and not both.", param="messages"
        )
    return (Message("user", prompt),) if prompt is not None else conversation(turns or ())
