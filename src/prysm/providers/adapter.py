"""What all wire formats share: one call out, one `Completion` back, whole or streamed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from prysm.core.chat import TextDelta
from prysm.providers.failures import Unusable
from prysm.providers.fields import mapping
from prysm.providers.frame import Frame
from prysm.providers.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    import httpx

    from prysm.core.chat import Completion, ModelCall, Piece, Usage
    from prysm.core.embedding import Embed
    from prysm.core.provider import ProviderSpec
    from prysm.errors import ProviderError
    from prysm.providers.embeddings import EmbeddingFormat

MOST_FRAMES = 3
"""Chunks of a stream that are looked at for what the others may have in common with them."""


class Draft(ABC):
    """A streamed answer while it arrives. A wire format's `add` says what each chunk brings; the pieces gather here.

    Texts that come together are joined, so that one network read is one piece wherever possible.
    """

    text_key: ClassVar[bytes] = b""
    """Under which key chunks have their text, in a format where most differ in nothing else."""

    done = False
    _frame: Frame | None = None
    _frames = MOST_FRAMES
    _alone: str | None = None

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._fresh: list[Piece] = []
        self._unsent: list[str] = []

    @abstractmethod
    def add(self, chunk: dict[str, Any]) -> None:
        """Take one chunk; raise `Unusable`."""

    @abstractmethod
    def completion(self) -> Completion:
        """Close the draft; raise `Unusable` when the provider never said that it was finished."""

    @abstractmethod
    def told(self) -> Usage | None:
        """The tokens that the provider told of so far."""

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._texts)

    def said(self, text: str) -> None:
        """Add text of the answer."""
        if text:
            self._texts.append(text)
            self._unsent.append(text)

    def alike(self, event: bytes) -> list[Piece] | None:
        """Take a chunk, all that a read brought, if it is like an earlier one but for its text; give what came."""
        if self._frame is None or (text := self._frame.text(event)) is None:
            return None
        if not text:
            return []
        self._texts.append(text)
        return [TextDelta(text)]

    def unlike(self, events: list[bytes]) -> Iterator[bytes]:
        """Take the chunks that are like an earlier one but for their text; give the others to be added, in order."""
        alike = 0
        if self._frame is not None and len(events) > 1:
            alike, text = self._frame.texts(events)
            self.said(text)
        for i, event in enumerate(events[alike:], alike + 1):
            one = None if self._frame is None else self._frame.text(event)
            if one is not None:
                self.said(one)
                continue
            yield event
            if self._alone and self._frames:
                self._frames -= 1
                self._frame = Frame.around(event, self.text_key, self._alone)
                yield from self.unlike(events[i:])
                return

    def brought(self, piece: Piece) -> None:
        """Add what is not plain text; the text before it keeps its place."""
        self._flush()
        self._fresh.append(piece)

    def take(self) -> list[Piece]:
        """What came since the last time, in order."""
        self._flush()
        fresh, self._fresh = self._fresh, []
        return fresh

    def _flush(self) -> None:
        if self._unsent:
            self._fresh.append(TextDelta("".join(self._unsent)))
            self._unsent.clear()


class Adapter(ABC):
    """A `Provider` over HTTP. A wire format is a subclass: pure functions, no I/O."""

    draft: ClassVar[Callable[[], Draft]]
    embeddings: ClassVar[EmbeddingFormat | None] = None
    end_of_stream: ClassVar[bytes | None] = None

    def __init__(self, spec: ProviderSpec, transport: httpx.AsyncBaseTransport) -> None:
        self._wire = Wire(spec, transport, self.headers(spec.api_key))

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._wire.spec.id

    @staticmethod
    @abstractmethod
    def headers(key: str | None) -> Mapping[str, str]:
        """The headers that every request carries."""

    @staticmethod
    @abstractmethod
    def path(call: ModelCall, *, stream: bool) -> str:
        """What follows the provider's base URL."""

    @staticmethod
    @abstractmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:
        """Write the request body; raise `Unusable` for what this format cannot say."""

    @staticmethod
    @abstractmethod
    def from_wire(data: dict[str, Any]) -> Completion:
        """Read an answer's body; raise `Unusable` when it is not a whole answer."""

    async def complete(self, call: ModelCall) -> Completion:
        """Answer in one piece, by text or, where they are asked for, by vectors."""
        if call.embed is not None:
            return await self._embed(call, call.embed)
        try:
            body = self.to_wire(call, stream=False)
            data = await self._wire.post_json(self.path(call, stream=False), body)
            return self.from_wire(mapping(data, "body"))
        except Unusable as unusable:
            raise self._named(unusable) from None

    async def _embed(self, call: ModelCall, embed: Embed) -> Completion:
        form = self.embeddings
        if form is None:
            raise self._wire.fail("rejected", "makes no embeddings; choose another model")
        try:
            body = form.request(call, embed)
            data = await self._wire.post_json(form.path(call), body)
            return form.answer(mapping(data, "body"), embed)
        except Unusable as unusable:
            raise self._named(unusable) from None

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written: what each network read brought, then the `Completion`."""
        try:
            body = self.to_wire(call, stream=True)
        except Unusable as unusable:
            raise self._named(unusable) from None
        draft = type(self).draft()
        reads = await self._wire.post_sse(self.path(call, stream=True), body)
        try:
            while not draft.done and (read := await reads.next()) is not None:
                for piece in self._take(draft, reads.events(read)):
                    yield piece
            if draft.done:
                await reads.drain()
            completion = draft.completion()
        except BaseException as error:
            if (told := draft.told()) is not None:
                call.broken.append(told)
            if isinstance(error, Unusable):
                raise self._named(error) from None
            raise
        finally:
            await reads.aclose()
        yield completion

    def _take(self, draft: Draft, events: list[bytes]) -> list[Piece]:
        end = self.end_of_stream
        if end is not None and end in events:
            draft.done = True
            events = events[: events.index(end)]
        if len(events) == 1 and (pieces := draft.alike(events[0])) is not None:
            return pieces
        for event in draft.unlike(events):
            draft.add(mapping(self._wire.decode(event), "event"))
        return draft.take()

    def _named(self, unusable: Unusable) -> ProviderError:
        """Make the error that the caller raises: with the provider's name."""
        return self._wire.fail(unusable.kind, unusable.why)
