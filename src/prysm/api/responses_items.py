"""The items of a conversation as OpenAI's Responses API takes them: what was said, called, answered and thought.

https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NoReturn, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from prysm.api.bodies import Later  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.calls import CallId, CallName, ExtraContent  # noqa: TC001
from prysm.api.conversation import MAX_MESSAGES
from prysm.api.parse import Strict
from prysm.api.parts import CacheBreakpoint, FileFields, ImageAddress, ImageUrl, RefusalPart, TextPart
from prysm.api.parts import FilePart as ChatFile
from prysm.api.parts import ImagePart as ChatImage
from prysm.api.thoughts import opened
from prysm.core import content as core
from prysm.core.content import ImageDetail, Thinking, ToolCall

Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]


class InputText(Strict):
    """A piece of text."""

    type: Literal["input_text"]
    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    def part(self) -> core.TextPart:
        """The part in our vocabulary."""
        return TextPart.model_construct(text=self.text, prompt_cache_breakpoint=self.prompt_cache_breakpoint).part()


class InputImage(Strict):
    """An image by address or as a data URL."""

    type: Literal["input_image"]
    image_url: ImageAddress
    detail: ImageDetail | None = None
    file_id: Later = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    def part(self) -> core.ImagePart:
        """The part in our vocabulary."""
        url = ImageUrl.model_construct(url=self.image_url, detail=self.detail)
        return ChatImage.model_construct(image_url=url, prompt_cache_breakpoint=self.prompt_cache_breakpoint).part()


class InputFile(FileFields):
    """A document by address, by its provider's id, or as bytes."""

    type: Literal["input_file"]
    detail: Literal["auto"] | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    def part(self) -> core.FilePart:
        """The part in our vocabulary."""
        return ChatFile.model_construct(file=self, prompt_cache_breakpoint=self.prompt_cache_breakpoint).part()


class OutputText(Strict):
    """A piece of what a model said. Where it came from and how likely it was, no model is told again."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None
    parsed: Annotated[Any, Field(exclude=True)] = None
    """The text as data, which OpenAI's client for Node writes beside it."""

    def part(self) -> core.TextPart:
        """The part in our vocabulary."""
        return TextPart.model_construct(text=self.text).part()


InputPart: TypeAlias = Annotated[InputText | InputImage | InputFile, Field(discriminator="type")]
OutputPart: TypeAlias = Annotated[OutputText | RefusalPart, Field(discriminator="type")]


class _Item(Strict):
    id: Annotated[str, Field(max_length=256)] | None = None
    status: Status | None = None


class InputMessage(_Item):
    """What a user or the developer of an application says."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user"]
    content: str | list[InputPart]
    phase: Later = None

    def said(self) -> core.Content:
        """Its content in our vocabulary."""
        return _content(self.content)


class OutputMessage(_Item):
    """What a model said."""

    type: Literal["message"] = "message"
    role: Literal["assistant"]
    content: str | list[OutputPart]
    phase: Later = None

    def said(self) -> core.Content:
        """Its content in our vocabulary."""
        return _content(self.content)


class _Call(_Item):
    call_id: CallId
    name: CallName
    namespace: Later = None
    caller: Later = None
    asynchronous: Annotated[Later, Field(alias="async")] = None
    extra_content: ExtraContent | None = None
    """Gemini's seal, where an answer of ours carries it."""

    @property
    def _seal(self) -> str | None:
        google = self.extra_content.google if self.extra_content else None
        return google.thought_signature if google else None


class FunctionCall(_Call):
    """A call of a function."""

    type: Literal["function_call"]
    arguments: str
    parsed_arguments: Annotated[Any, Field(exclude=True)] = None
    """The arguments as data, which OpenAI's client for Node writes beside them."""

    def call(self) -> ToolCall:
        """The call in our vocabulary."""
        return ToolCall(self.call_id, self.name, self.arguments, signature=self._seal)


class CustomCall(_Call):
    """A call of a custom tool."""

    type: Literal["custom_tool_call"]
    input: str

    def call(self) -> ToolCall:
        """The call in our vocabulary."""
        return ToolCall(self.call_id, self.name, self.input, custom=True, signature=self._seal)


class CallOutput(_Item):
    """What a tool answered."""

    type: Literal["function_call_output", "custom_tool_call_output"]
    call_id: CallId
    output: str | list[InputPart]
    name: CallName | None = None
    namespace: Later = None
    caller: Later = None

    def said(self) -> core.Content:
        """The answer in our vocabulary."""
        return _content(self.output)


class SummaryText(Strict):
    """A thought, or a summary of it."""

    type: Literal["summary_text"]
    text: str


class ReasoningText(Strict):
    """A thought as it was had."""

    type: Literal["reasoning_text"]
    text: str


class Reasoning(_Item):
    """A thought of the turn that follows."""

    type: Literal["reasoning"]
    summary: list[SummaryText]
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None

    def thought(self, at: str) -> Thinking | None:
        """The thought in our vocabulary, None when it says nothing; raises for a seal that is not ours."""
        if self.encrypted_content is not None:
            return opened(self.encrypted_content, at)
        text = "\n\n".join(part.text for part in (self.content or self.summary))
        return Thinking(text) if text else None


def _kind(item: Any) -> str:
    """Which kind an item is: its `type`, or, for a message, who speaks."""
    found = item if isinstance(item, dict) else getattr(item, "__dict__", {})
    kind = found.get("type") or "message"
    if kind == "message":
        return "assistant" if found.get("role") == "assistant" else "message"
    return kind if isinstance(kind, str) and kind in KNOWN else "other"


def _refuse(item: Any) -> NoReturn:
    kind = {"kind": str(item["type"])[:64]}
    raise PydanticCustomError(
        "later", "items of the type {kind} are not taken; send messages and calls whole", kind
    )


KNOWN = frozenset(
    {"function_call", "custom_tool_call", "function_call_output", "custom_tool_call_output", "reasoning"}
)
AnyItem: TypeAlias = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[OutputMessage, Tag("assistant")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[CustomCall, Tag("custom_tool_call")]
    | Annotated[CallOutput, Tag("function_call_output")]
    | Annotated[CallOutput, Tag("custom_tool_call_output")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[Reasoning, BeforeValidator(_refuse), Tag("other")],
    Discriminator(_kind),
]
Items: TypeAlias = Annotated[list[AnyItem], Field(max_length=MAX_MESSAGES)]


def _content(content: str | list[InputPart] | list[OutputPart]) -> core.Content:
    """Text alone as a string: this API's clients always send parts, and many hosts take parts from users only."""
    if isinstance(content, str):
        return content
    parts = tuple([part.part() for part in content])
    if len(parts) == 1 and isinstance(parts[0], core.TextPart) and parts[0].cache is None:
        return parts[0].text
    return parts or ""
