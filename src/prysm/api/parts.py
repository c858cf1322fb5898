"""The parts of a turn's content as OpenAI's chat completions take them. Addresses are passed on, never fetched."""

from __future__ import annotations

import binascii
import mimetypes
import re
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from prysm.api.parse import Strict
from prysm.core import content as core

if TYPE_CHECKING:
    from typing import Self

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)
_WEB = ("https://", "http://")
_UNKNOWN_TYPE = "application/octet-stream"


def _base64(text: str) -> str:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        text = ""
    if not text:
        raise PydanticCustomError("base64", "give the bytes in base64 (RFC 4648 §4), padded, without line breaks")
    return text


def _image_address(url: str) -> str:
    if url.lower().startswith(_WEB):
        return url
    media_type, data = _split(url)
    if data is None or not media_type.startswith("image/"):
        raise PydanticCustomError(
            "image_url", "give an http(s) address, or data:image/png;base64,… with the image's own type"
        )
    _base64(data)
    return url


def _file_bytes(text: str) -> str:
    _base64(_split(text)[1] or text)
    return text


def _split(url: str) -> tuple[str, str | None]:
    """Media type and base64 of a data URL (RFC 2397); anything else has no data."""
    found = _DATA_URL.match(url)
    return (found[1].lower(), url[found.end() :]) if found else ("", None)


Base64: TypeAlias = Annotated[str, AfterValidator(_base64)]
ImageAddress: TypeAlias = Annotated[str, AfterValidator(_image_address)]


class CacheBreakpoint(Strict):
    """A place up to which the prompt is worth keeping."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


class _Part(Strict):
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    @property
    def _cache(self) -> core.CacheTtl | None:
        """Half an hour and more is the longer of the two lifetimes that providers have."""
        return "1h" if self.prompt_cache_breakpoint else None


class TextPart(_Part):
    """A piece of text."""

    type: Literal["text"]
    text: str

    def part(self) -> core.TextPart:
        """The part in our vocabulary."""
        return core.TextPart(self.text, self._cache)


class RefusalPart(Strict):
    """A piece of a model's refusal."""

    type: Literal["refusal"]
    refusal: str

    def part(self) -> core.TextPart:
        """The part in our vocabulary: in a conversation a refusal is what the model said."""
        return core.TextPart(self.refusal)


class ImageUrl(Strict):
    """Where an image is, or the image itself as a data URL."""

    url: ImageAddress
    detail: core.ImageDetail | None = None


class ImagePart(_Part):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl

    def part(self) -> core.ImagePart:
        """The part in our vocabulary."""
        url, detail = self.image_url.url, self.image_url.detail
        media_type, data = _split(url)
        if data is None:
            return core.ImagePart(url=url, detail=detail, cache=self._cache)
        return core.ImagePart(data=data, media_type=media_type, detail=detail, cache=self._cache)


class InputAudio(Strict):
    """Sound."""

    data: Base64
    format: Literal["wav", "mp3"]


class AudioPart(Strict):
    """A piece of sound."""

    type: Literal["input_audio"]
    input_audio: InputAudio

    def part(self) -> core.AudioPart:
        """The part in our vocabulary."""
        return core.AudioPart(self.input_audio.data, self.input_audio.format)


class FileFields(Strict):
    """A file's bytes, the id under which its provider keeps it, or its address."""

    file_data: Annotated[str, AfterValidator(_file_bytes)] | None = None
    file_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    file_url: Annotated[str, Field(pattern="^https?://")] | None = None
    filename: Annotated[str, Field(max_length=256)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [self.file_data, self.file_id, self.file_url].count(None) != 2:  # noqa: PLR2004 - one of three is given
            raise PydanticCustomError("file", "give exactly one of file_data, file_id and file_url")
        return self


class FilePart(_Part):
    """A document."""

    type: Literal["file"]
    file: FileFields

    def part(self) -> core.FilePart:
        """The part in our vocabulary; bytes without a media type take the one of the file's name."""
        it = self.file
        if it.file_data is None:
            return core.FilePart(url=it.file_url, file_id=it.file_id, filename=it.filename, cache=self._cache)
        media_type, data = _split(it.file_data)
        return core.FilePart(
            data=data or it.file_data,
            media_type=media_type or mimetypes.guess_type(it.filename or "")[0] or _UNKNOWN_TYPE,
            filename=it.filename,
            cache=self._cache,
        )


InputPart: TypeAlias = Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]
SpokenPart: TypeAlias = Annotated[TextPart | RefusalPart, Field(discriminator="type")]
