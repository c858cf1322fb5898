"""What an assistant's turn holds beside its text: tool calls and thoughts.

https://platform.openai.com/docs/api-reference/chat/create,
https://ai.google.dev/gemini-api/docs/thought-signatures (`extra_content`),
https://docs.litellm.ai/docs/reasoning_content (`thinking_blocks`)
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from prysm.api.parse import Strict
from prysm.core.content import Thinking, ToolCall

MAX_CALLS = 128

CallName: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
CallId: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]


class FunctionCall(Strict):
    """The function that a model called."""

    name: CallName
    arguments: str
    parsed_arguments: Any = None
    """What OpenAI's client read off the arguments, and sends along with them."""


class CustomCall(Strict):
    """The custom tool that a model called."""

    name: CallName
    input: str


class GoogleSeal(Strict):
    """Gemini's seal on the thought behind a call."""

    thought_signature: str | None = None


class ExtraContent(Strict):
    """What Google's OpenAI-compatible API adds to a call."""

    google: GoogleSeal | None = None


class _Call(Strict):
    id: CallId
    index: int | None = None
    """Left by clients that put a stream together; the order of the list says it."""
    extra_content: ExtraContent | None = None

    @property
    def _seal(self) -> str | None:
        google = self.extra_content.google if self.extra_content else None
        return google.thought_signature if google else None


class FunctionToolCall(_Call):
    """A call of a function."""

    type: Literal["function"]
    function: FunctionCall

    def call(self) -> ToolCall:
        """The call in our vocabulary."""
        return ToolCall(self.id, self.function.name, self.function.arguments, signature=self._seal)


class CustomToolCall(_Call):
    """A call of a custom tool."""

    type: Literal["custom"]
    custom: CustomCall

    def call(self) -> ToolCall:
        """The call in our vocabulary."""
        return ToolCall(self.id, self.custom.name, self.custom.input, custom=True, signature=self._seal)


class ThinkingBlock(Strict):
    """A thought with its provider's seal, as an answer of ours carries it."""

    type: Literal["thinking"]
    thinking: str
    signature: str | None = None

    def thought(self) -> Thinking:
        """The thought in our vocabulary."""
        return Thinking(self.thinking, self.signature)


class RedactedBlock(Strict):
    """A thought that its provider alone can read."""

    type: Literal["redacted_thinking"]
    data: str

    def thought(self) -> Thinking:
        """The thought in our vocabulary."""
        return Thinking(self.data, redacted=True)


AnyCall: TypeAlias = Annotated[FunctionToolCall | CustomToolCall, Field(discriminator="type")]
Calls: TypeAlias = Annotated[list[AnyCall], Field(max_length=MAX_CALLS)]
AnyBlock: TypeAlias = Annotated[ThinkingBlock | RedactedBlock, Field(discriminator="type")]
