"""Items of the Responses API as the turns of a conversation: what a model thought, said and called is one turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prysm.api.in_words import Place
from prysm.api.responses_items import (
    CallOutput,
    CustomCall,
    FunctionCall,
    InputMessage,
    OutputMessage,
    Reasoning,
)
from prysm.core.chat import Message
from prysm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.api.responses_items import AnyItem
    from prysm.core.content import Content, Thinking, ToolCall


def turns(items: Sequence[AnyItem], earlier: Sequence[AnyItem] = ()) -> tuple[Message, ...]:
    """The turns of `earlier` items and of these, in our vocabulary.

    Raises `InvalidRequest` for an answer to a call that nobody made, and for a thought that nothing follows.
    """
    return tuple(_told(items, earlier).messages)


def places(items: Sequence[AnyItem], earlier: Sequence[AnyItem] = ()) -> list[Place]:
    """Where each of the turns came from."""
    return _told(items, earlier).places


def _told(items: Sequence[AnyItem], earlier: Sequence[AnyItem]) -> _Told:
    told = _Told()
    for i, item in enumerate((*earlier, *items), -len(earlier)):
        told.take(f"input[{i}]" if i >= 0 else "previous_response_id", item)
    told.close()
    return told


class _Told:
    """The turns so far, and the model's turn that is being put together."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.places: list[Place] = []
        self._begun_at: str | None = None
        self._known: set[str] = set()
        self._content: Content | None = None
        self._calls: list[ToolCall] = []
        self._thoughts: list[Thinking] = []
        self._thought_at = ""

    def take(self, at: str, item: AnyItem) -> None:
        """Add an item; `at` says where it stands."""
        match item:
            case InputMessage() | CallOutput():
                self.close()
                self.places.append(Place(at, whole=isinstance(item, InputMessage)))
                self.messages.append(self._said(at, item))
                return
            case Reasoning():
                thought = item.thought(at)
                self._thought_at = at
                self._thoughts += [] if thought is None else [thought]
            case OutputMessage():
                if self._content is not None:
                    self.close()
                self._content = item.said()
            case FunctionCall() | CustomCall():
                self._calls.append(item.call())
                self._known.add(item.call_id)
        self._begun_at = self._begun_at or at

    def close(self) -> None:
        """End the model's turn, where one is open."""
        if self._content is not None or self._calls:
            turn = Message("assistant", self._content or "", tuple(self._calls), thinking=tuple(self._thoughts))
            self.messages.append(turn)
            self.places.append(Place(self._begun_at or "input"))
        elif self._thoughts:
            raise InvalidRequest(
                f"'{self._thought_at}': send the message or the call that followed this reasoning, or leave it out.",
                param=self._thought_at,
            )
        self._content, self._calls, self._thoughts, self._begun_at = None, [], [], None

    def _said(self, at: str, item: InputMessage | CallOutput) -> Message:
        if isinstance(item, InputMessage):
            return Message(item.role, item.said())
        if item.call_id not in self._known:
            raise InvalidRequest(
                f"'{at}.call_id' answers no call: send the call as an item before it, or go on from its response "
                "with previous_response_id.",
                param=f"{at}.call_id",
            )
        return Message("tool", item.said(), tool_call_id=item.call_id)
