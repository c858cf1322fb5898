"""Tool calls in the OpenAI format, gathered from the deltas of a stream or the list of a whole message.

https://platform.openai.com/docs/guides/function-calling#streaming
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from prysm.core.chat import ToolCallDelta
from prysm.core.content import ToolCall
from prysm.providers.failures import Unusable
from prysm.providers.fields import optional

DIGEST_CHARS = 12


@dataclass(slots=True)
class _Delta:
    """One delta, read. `text` is None where it adds nothing to the arguments."""

    index: int | None
    id: str | None
    name: str | None
    text: str | None
    custom: bool
    signature: str | None


@dataclass(slots=True)
class _Call:
    """A call while it arrives; `id` is settled when the caller is first told of it."""

    place: int
    custom: bool
    given: str | None = None
    id: str = ""
    name: str | None = None
    signature: str | None = None
    texts: list[str] = field(default_factory=list)


class ToolCalls:
    """The tool calls of one answer, in the order in which they began.

    Servers leave out the index, or give every call the same; they leave out ids, or repeat them and the name on every
    delta. What begins a call is its name.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def add(self, delta: dict[str, Any], answer_id: str) -> ToolCallDelta | None:
        """Take a delta, or a whole call; return what is new to the caller.

        `answer_id` tells this answer from others: ids that a server leaves out are made of it.
        """
        read = _read(delta)
        call = self._call(read)
        call.given = call.given or read.id
        call.name = call.name or read.name
        call.signature = call.signature or read.signature
        if read.text is not None:
            call.texts.append(read.text)
        if call.name is None:
            return None
        if call.id:
            return ToolCallDelta(call.place, read.text or "", custom=call.custom, signature=read.signature)
        call.id = self._free_id(call.given) or _made_id(answer_id, call.place, call.name)
        return ToolCallDelta(
            call.place, "".join(call.texts), call.id, call.name, call.custom, signature=call.signature
        )

    def whole(self) -> tuple[ToolCall, ...]:
        """Every call; raise `Unusable` for one without a name or arguments."""
        return tuple(_whole(call) for call in self._calls)

    def _free_id(self, given: str | None) -> str | None:
        """The id that was given, unless another call has it: results are told apart by it."""
        return None if any(call.id == given for call in self._calls) else given

    def _call(self, read: _Delta) -> _Call:
        """Find the call that the delta continues, or begin one."""
        if read.index is not None:
            known = self._at.get(read.index)
        else:
            known = next((call for call in self._calls if read.id and call.given == read.id), None)
            if known is None and self._calls and read.name is None:
                known = self._calls[-1]
        if known is None or _begins_another(known, read):
            known = _Call(len(self._calls), read.custom)
            self._calls.append(known)
        if read.index is not None:
            self._at[read.index] = known
        return known


def _read(delta: dict[str, Any]) -> _Delta:
    custom = delta.get("type") == "custom" or "custom" in delta
    body = optional(delta.get("custom" if custom else "function"))
    name, text, index = body.get("name"), body.get("input" if custom else "arguments"), delta.get("index")
    google = optional(optional(delta.get("extra_content")).get("google"))
    return _Delta(
        index=index if type(index) is int else None,
        id=_text(delta.get("id")),
        name=_written(name) or None,
        text=_written(text),
        custom=custom,
        signature=_text(google.get("thought_signature")),
    )


def _written(value: object) -> str | None:
    """Text that the model wrote, if it is there; raise `Unusable` for anything else in its place."""
    if value is None or isinstance(value, str):
        return value
    raise Unusable("no_answer", "sent a tool call whose name or arguments are not text; try another model")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _begins_another(call: _Call, read: _Delta) -> bool:
    """Whether a delta with the index of a call begins one of its own: some servers number every call 0."""
    if call.name is None or read.name is None:
        return False
    if call.given is not None and read.id is not None:
        return call.given != read.id
    return bool(read.text and read.text.strip()) and _ended("".join(call.texts))


def _ended(arguments: str) -> bool:
    """Whether arguments are whole, so that nothing can follow."""
    if not arguments.rstrip().endswith("}"):
        return False
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return False
    return True


def _made_id(answer_id: str, place: int, name: str) -> str:
    text = f"{answer_id}\x1f{place}\x1f{name}".encode("utf-8", "surrogatepass")
    return f"call_{place}_{hashlib.sha256(text).hexdigest()[:DIGEST_CHARS]}"


def _whole(call: _Call) -> ToolCall:
    if call.name is None or not call.texts:
        raise Unusable("no_answer", "sent a tool call without a name or without arguments; try another model")
    return ToolCall(call.id, call.name, "".join(call.texts), call.custom, call.signature)
