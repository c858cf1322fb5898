"""What all wire formats share: one call out, one `Completion` back, whole or streamed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from prysm.core.chat import TextDelta
from prysm.providers.failures import Unusable
from prysm.providers.fields import mapping
from prysm.providers.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    import httpx

    from prysm.core.chat import Completion, ModelCall
    from prysm.core.provider import ProviderSpec
    from prysm.providers.sse import SseEvent


class Draft(Protocol):
    """A streamed answer while it arrives."""

    done: bool

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one chunk; return the text it adds. Raise `Unusable`."""
        ...

    def completion(self) -> Completion:
        """Close the draft; raise `Unusable` when the provider never said that it was finished."""
        ...


class Adapter(ABC):
    """A `Provider` over HTTP. A wire format is a subclass: pure functions, no I/O."""

    draft: ClassVar[Callable[[], Draft]]
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
        """Answer in one piece."""
        with self._typed():
            body = self.to_wire(call, stream=False)
        data = await self._wire.post_json(self.path(call, stream=False), body)
        with self._typed():
            return self.from_wire(mapping(data, "body"))

    async def stream(self, call: ModelCall) -> AsyncGenerator[TextDelta | Completion, None]:
        """Answer as it is written: one delta per network read, then the `Completion`."""
        with self._typed():
            body = self.to_wire(call, stream=True)
        draft = type(self).draft()
        async with self._wire.post_sse(self.path(call, stream=True), body) as reads:
            while not draft.done and (events := await reads.next()) is not None:
                text = self._take(draft, events)
                if text:
                    yield TextDelta(text)
            if draft.done:
                await reads.drain()
        with self._typed():
            completion = draft.completion()
        yield completion

    def _take(self, draft: Draft, events: list[SseEvent]) -> str:
        pieces = []
        with self._typed():
            for event in events:
                if event.data == self.end_of_stream:
                    draft.done = True
                    break
                pieces.append(draft.add(mapping(self._wire.decode(event.data), "event")))
        return "".join(pieces)

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except Unusable as verdict:
            raise self._wire.fail(verdict.kind, verdict.why) from None
