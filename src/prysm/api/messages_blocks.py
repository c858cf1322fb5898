"""The content blocks of Anthropic's Messages API, and the parts they are here. Addresses are passed on, never fetched.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from prysm.api.bodies import Later  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.calls import CallId, CallName, ExtraContent, RedactedBlock
from prysm.api.parse import Strict
from prysm.api.parts import Base64  # noqa: TC001 - pydantic reads annotations at run time
from prysm.core import content as core
from prysm.core.chat import Message

Address: TypeAlias = Annotated[str, Field(pattern=r"^https?://", max_length=8192)]
Title: TypeAlias = Annotated[str, Field(max_length=500)]


class CacheControl(Strict):
    """A place up to which the prompt is worth keeping: a hint, needless to providers that cache by themselves."""

    type: Literal["ephemeral"]
    ttl: core.CacheTtl | None = None


class Cacheable(Strict):
    """What can end a stretch of the prompt that is worth keeping."""

    cache_control: CacheControl | None = None

    @property
    def kept(self) -> core.CacheTtl | None:
        """How long the prompt up to here is worth keeping."""
        return (self.cache_control.ttl or "5m") if self.cache_control else None


class TextBlock(Cacheable):
    """A piece of text."""

    type: Literal["text"]
    text: str
    citations: Later = None

    def parts(self) -> tuple[core.TextPart]:
        """The block in our vocabulary."""
        return (core.TextPart(self.text, self.kept),)


class ImageBytes(Strict):
    """An image itself."""

    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: Base64


class AtAddress(Strict):
    """Where an image or a PDF is."""

    type: Literal["url"]
    url: Address


class ImageBlock(Cacheable):
    """An image."""

    type: Literal["image"]
    source: Annotated[ImageBytes | AtAddress, Field(discriminator="type")]
    transformations: Later = None

    def parts(self) -> tuple[core.ImagePart]:
        """The block in our vocabulary."""
        if isinstance(self.source, AtAddress):
            return (core.ImagePart(url=self.source.url, cache=self.kept),)
        return (core.ImagePart(data=self.source.data, media_type=self.source.media_type, cache=self.kept),)


class PdfBytes(Strict):
    """A PDF itself."""

    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: Base64


class PlainText(Strict):
    """A document of plain text."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class StoredFile(Strict):
    """A file that Anthropic keeps."""

    type: Literal["file"]
    file_id: Annotated[str, Field(min_length=1, max_length=256)]


class Chunks(Strict):
    """A document in pieces of its author's choice."""

    type: Literal["content"]
    content: str | list[Annotated[TextBlock | ImageBlock, Field(discriminator="type")]]


class Citations(Strict):
    """Whether to cite the document; no other format has a word for it."""

    enabled: Later = None


class DocumentBlock(Cacheable):
    """A document."""

    type: Literal["document"]
    source: Annotated[PdfBytes | PlainText | AtAddress | StoredFile | Chunks, Field(discriminator="type")]
    title: Title | None = None
    context: Later = None
    citations: Citations | None = None

    def parts(self) -> tuple[core.Part, ...]:
        """The block in our vocabulary. One in pieces is what its pieces are, its title before them."""
        if isinstance(self.source, Chunks) and not isinstance(self.source.content, str):
            return self._pieces(self.source.content)
        return (core.FilePart(**self._source(), filename=self.title, cache=self.kept),)

    def _source(self) -> dict[str, str]:
        match self.source:
            case Chunks(content=str() as text) | PlainText(data=text):
                return {"data": base64.b64encode(text.encode()).decode(), "media_type": "text/plain"}
            case PdfBytes(data=data):
                return {"data": data, "media_type": "application/pdf"}
            case AtAddress(url=url):
                return {"url": url, "media_type": "application/pdf"}
            case StoredFile(file_id=file_id):
                return {"file_id": file_id}
        return {}  # pieces are no file

    def _pieces(self, pieces: list[TextBlock | ImageBlock]) -> tuple[core.Part, ...]:
        title = [core.TextPart(f"{self.title}\n\n")] if self.title else []
        parts = (*title, *(part for piece in pieces for part in piece.parts()))
        return (*parts[:-1], replace(parts[-1], cache=self.kept)) if self.kept and parts else parts


Shown: TypeAlias = Annotated[TextBlock | ImageBlock | DocumentBlock, Field(discriminator="type")]


class ToolResultBlock(Cacheable):
    """What a tool answered."""

    type: Literal["tool_result"]
    tool_use_id: CallId
    content: str | list[Shown] = ""
    is_error: bool | None = None
    toolset_name: Later = None

    def message(self) -> Message:
        """The answer, a turn of its own in our vocabulary."""
        return Message(
            "tool",
            content_of(self.content),
            tool_call_id=self.tool_use_id,
            failed=self.is_error is True,
            cache=self.kept,
        )


class ThinkingBlock(Strict):
    """A thought; an empty signature is that of a thought in the open."""

    type: Literal["thinking"]
    thinking: str
    signature: str = ""

    def thought(self) -> core.Thinking:
        """The thought in our vocabulary."""
        return core.Thinking(self.thinking, self.signature or None)


def _writable(value: dict[str, Any]) -> dict[str, Any]:
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise PydanticCustomError("json", "{why}; write it as a string", {"why": str(error)}) from None
    return value


class DirectCaller(Strict):
    """The model itself called the tool."""

    type: Literal["direct"]


class ToolUseBlock(Cacheable):
    """A call of a tool. `extra_content` is Gemini's seal on it, as an answer of ours carries it."""

    type: Literal["tool_use"]
    id: CallId
    name: CallName
    input: Annotated[dict[str, Any], AfterValidator(_writable)]
    caller: DirectCaller | None = None
    toolset_name: Later = None
    extra_content: ExtraContent | None = None

    def call(self) -> core.ToolCall:
        """The call in our vocabulary."""
        google = self.extra_content.google if self.extra_content else None
        seal = google.thought_signature if google else None
        return core.ToolCall(self.id, self.name, orjson.dumps(self.input).decode(), signature=seal)


Said: TypeAlias = Annotated[
    TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock,
    Field(discriminator="type"),
]
Asked: TypeAlias = Annotated[TextBlock | ImageBlock | DocumentBlock | ToolResultBlock, Field(discriminator="type")]


def content_of(blocks: str | list[TextBlock | ImageBlock | DocumentBlock] | list[TextBlock]) -> core.Content:
    """What blocks show: text alone as a string."""
    if isinstance(blocks, str):
        return blocks
    parts = tuple([part for block in blocks for part in block.parts()])
    match parts:
        case ():
            return ""
        case (core.TextPart(text=text, cache=None),):
            return text
    return parts
