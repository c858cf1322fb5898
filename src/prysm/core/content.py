"""What a message can hold beside plain text: images, sound, files, a model's thoughts, tool calls."""

from __future__ import annotations

from typing import Literal, TypeAlias

from prysm.core.values import dataclass

CacheTtl: TypeAlias = Literal["5m", "1h"]
"""How long a provider is asked to keep the prompt up to here. A hint: providers that cache by themselves ignore it."""
ImageDetail: TypeAlias = Literal["auto", "low", "high", "original"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text."""

    text: str
    cache: CacheTtl | None = None


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image: by `url`, which is passed on and never fetched here, or as base64 `data` of `media_type`."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: ImageDetail | None = None
    cache: CacheTtl | None = None


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Sound as base64 `data`; `format` is a file ending: wav, mp3."""

    data: str
    format: str


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document: by `url` or by the provider's `file_id`, or as base64 `data` of `media_type`."""

    url: str | None = None
    file_id: str | None = None
    data: str | None = None
    media_type: str | None = None
    filename: str | None = None
    cache: CacheTtl | None = None


Part: TypeAlias = TextPart | ImagePart | AudioPart | FilePart
Content: TypeAlias = str | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Thinking:
    """A model's thoughts, as it gave them. `signature` is the provider's seal, to be sent back untouched.

    `redacted` thoughts are readable by their provider alone: `text` is its opaque data.
    """

    text: str
    signature: str | None = None
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model wants a tool run. `arguments` is JSON text, exactly as the model wrote it.

    `custom` calls hold free text instead. `signature` is a provider's seal on the thought behind the call (Gemini),
    to be sent back untouched.
    """

    id: str
    name: str
    arguments: str
    custom: bool = False
    signature: str | None = None


def text_of(content: Content) -> str:
    """The text in a message's content; what is not text adds nothing."""
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content if isinstance(part, TextPart))
