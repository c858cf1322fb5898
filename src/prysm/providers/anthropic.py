"""The Anthropic Messages format. https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.core.chat import TextDelta, ThinkingDelta, ToolCallDelta
from prysm.core.content import Thinking, ToolCall
from prysm.providers.adapter import Adapter, Draft
from prysm.providers.anthropic_answer import assemble, completion, object_text, refusal, usage
from prysm.providers.anthropic_request import request
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import mapping, optional, string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.chat import Completion, ModelCall, Usage

VERSION = "2023-06-01"


class AnthropicDraft(Draft):
    """A streamed answer: `message_start`, block after block, `message_delta` with the stop reason, `message_stop`.

    `_block` is the one being written, `_written` its thoughts or arguments so far, `_seal` the thought's signature.
    """

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._thinking: list[Thinking] = []
        self._calls: list[ToolCall] = []
        self._block: dict[str, Any] = {}
        self._written: list[str] = []
        self._seal: str | None = None

    def add(self, chunk: dict[str, Any]) -> None:
        """Take one event; kinds that we do not know are skipped, as Anthropic's versioning asks."""
        match chunk.get("type"):
            case "content_block_delta":
                self._delta(mapping(chunk.get("delta"), "delta"))
            case "content_block_start":
                self._start(mapping(chunk.get("content_block"), "content_block"))
            case "content_block_stop":
                self._stop()
            case "message_start":
                self._message = mapping(chunk.get("message"), "message")
                self._count(self._message)
            case "message_delta":
                self._finish(chunk)
            case "message_stop":
                self.done = True
            case "error":
                check_error(chunk)

    def _start(self, block: dict[str, Any]) -> None:
        self._stop()
        self._block, self._written, self._seal = block, [], None
        match block.get("type"):
            case "text":
                self.said(string(block.get("text", ""), "text"))
            case "tool_use":
                id_, name = string(block.get("id"), "id"), string(block.get("name"), "name")
                self.brought(ToolCallDelta(len(self._calls), "", id_, name))
            case "redacted_thinking":
                self.brought(ThinkingDelta(string(block.get("data"), "data"), redacted=True))

    def _delta(self, delta: dict[str, Any]) -> None:
        match delta.get("type"):
            case "text_delta":
                self.said(string(delta.get("text"), "text"))
            case "input_json_delta":
                self._argue(string(delta.get("partial_json"), "partial_json"))
            case "thinking_delta":
                self._think(string(delta.get("thinking"), "thinking"))
            case "signature_delta":
                self._seal = string(delta.get("signature"), "signature")
                self.brought(ThinkingDelta("", self._seal))

    def _think(self, text: str) -> None:
        self._written.append(text)
        self.brought(ThinkingDelta(text))

    def _argue(self, arguments: str) -> None:
        """Add to the tool call being written; those of Anthropic's own tools are no part of the answer."""
        if arguments and self._block.get("type") == "tool_use":
            self._written.append(arguments)
            self.brought(ToolCallDelta(len(self._calls), arguments))

    def _stop(self) -> None:
        """Keep the block that ends."""
        match self._block.get("type"):
            case "tool_use":
                if not self._written:  # a tool that takes nothing may be called without a word
                    self._argue(object_text(self._block.get("input")))
                self._calls.append(ToolCall(self._block["id"], self._block["name"], "".join(self._written)))
            case "thinking":
                self._thinking.append(Thinking("".join(self._written), self._seal))
            case "redacted_thinking":
                self._thinking.append(Thinking(self._block["data"], redacted=True))
        self._block = {}

    def _finish(self, chunk: dict[str, Any]) -> None:
        self._stop()
        self._message = self._message | mapping(chunk.get("delta"), "delta")
        self._count(chunk)
        if not self.text and (why := refusal(self._message)):
            self.brought(TextDelta(why, refusal=True))

    def _count(self, holder: dict[str, Any]) -> None:
        block = optional(holder.get("usage"))
        self._usage |= {name: value for name, value in block.items() if value is not None}

    def told(self) -> Usage | None:
        """The tokens of `message_start`, and of every delta since."""
        return usage(self._usage) if self._usage else None

    def completion(self) -> Completion:
        """Close the draft; a stream without `message_stop` was cut."""
        if not self.done or self._message.get("stop_reason") is None:
            raise Unusable("truncated", "ended its stream before the answer was finished; try again")
        return assemble(self._message | {"usage": self._usage}, self.text, self._thinking, self._calls)


class AnthropicProvider(Adapter):
    """`POST {base_url}/messages`."""

    draft = AnthropicDraft

    @staticmethod
    def headers(key: str | None) -> Mapping[str, str]:
        """Carry the key and the version of the format."""
        return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}

    @staticmethod
    def path(call: ModelCall, *, stream: bool) -> str:  # noqa: ARG004 - one path for every call of this format
        """Return the one path of this format."""
        return "/messages"

    @staticmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:
        """Write a Messages request."""
        return request(call, stream=stream)

    @staticmethod
    def from_wire(data: dict[str, Any]) -> Completion:
        """Read a `message`."""
        return completion(data)
