"""An answer as OpenAI's Responses API writes it: the settings it was asked with, its items, and the `prysm` block.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from prysm.api import choices, problems, render
from prysm.api.responses_output import INCOMPLETE, call_item, message_item, status_of, thought_item
from prysm.core.masking import masked_text
from prysm.errors import InvalidRequest, RateLimited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from pydantic import BaseModel

    from prysm.api.responses_body import ResponsesBody
    from prysm.core.chat import Completion
    from prysm.errors import PrysmError
    from prysm.gateway import Answer

PREFIX: Mapping[str, str] = MappingProxyType(
    {"reasoning": "rs", "message": "msg", "function_call": "fc", "custom_tool_call": "ctc"}
)
Kind: TypeAlias = Literal["thought", "message", "call"]
Slot: TypeAlias = tuple[Kind, int]
"""Which part of an answer an item holds: its i-th thought, its message, its i-th call."""


def response_id(request_id: UUID) -> str:
    """The id of a response: that of its run, in OpenAI's manner."""
    return f"resp_{request_id.hex}"


class ResponseObject:
    """One response from its first event to its last. Items keep the place where a stream showed them first."""

    def __init__(self, body: ResponsesBody, request_id: UUID, *, stored: bool) -> None:
        self.model = body.model
        self.slots: list[Slot] = []
        self.shows_logprobs = body.wants_logprobs
        self._request_id = request_id
        self._whole: dict[str, Any] | None = None
        self._head = {
            "id": response_id(request_id),
            "object": "response",
            "created_at": int(time.time()),
            **_echo(body),
            "store": stored,
        }

    def begun(self) -> dict[str, Any]:
        """The response before anything was said."""
        return self._object("in_progress")

    def finished(self, answer: Answer) -> dict[str, Any]:
        """The response with all that the model said, and its receipt."""
        if self._whole is None:
            self._whole = self._finished(answer)
        return self._whole

    def failed(self, error: PrysmError) -> dict[str, Any]:
        """The response of a run that failed: what it said before is not an answer."""
        message, param = masked_text(error.message), problems.param_of(error)
        shown = {"code": _error_code(error), "message": message, "type": error.type, "param": param}
        prysm = {"request_id": str(self._request_id), **problems.envelope(error)}
        return self._object("failed") | {"error": shown, "prysm": prysm}

    def items(self, done: Completion) -> list[tuple[int, Slot, dict[str, Any]]]:
        """What the answer holds: for each item its place in the output, which part it is, and the item."""
        parts = list(_slots(done))
        for slot in parts:
            self.place(slot)
        return [(i, slot, self._item(i, slot, done)) for i, slot in enumerate(self.slots) if slot in parts]

    def place(self, slot: Slot) -> int:
        """Where a part of the answer stands in the output."""
        if slot not in self.slots:
            self.slots.append(slot)
        return self.slots.index(slot)

    def item_id(self, kind: str, index: int) -> str:
        """The id of the item at a place."""
        return f"{PREFIX[kind]}_{self._request_id.hex}{index:04x}"

    def _item(self, index: int, slot: Slot, done: Completion) -> dict[str, Any]:
        kind, i = slot
        if kind == "thought":
            item = thought_item(done.thinking[i])
        elif kind == "call":
            item = call_item(done.tool_calls[i], status_of(done))
        else:
            item = message_item(done, told=self.shows_logprobs)
        return {"id": self.item_id(item["type"], index)} | item

    def _finished(self, answer: Answer) -> dict[str, Any]:
        chosen = answer.verdict.candidate
        self.model = chosen.model.id
        reason = INCOMPLETE.get(chosen.completion.finish_reason)
        return self._object(status_of(chosen.completion)) | {
            "completed_at": None if reason else int(time.time()),
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [item for _, _, item in self.items(chosen.completion)],
            "usage": usage(answer),
            "service_tier": chosen.completion.service_tier or self._head["service_tier"],
            "prysm": render.block(answer),
        }

    def _object(self, status: str) -> dict[str, Any]:
        return self._head | {
            "status": status,
            "model": self.model,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "output": [],
            "usage": None,
        }


def _slots(done: Completion) -> Iterator[Slot]:
    """The parts of an answer. Without a call there is a message, if an empty one: an answer says something."""
    yield from (("thought", i) for i in range(len(done.thinking)))
    if done.text or not done.tool_calls:
        yield "message", 0
    yield from (("call", i) for i in range(len(done.tool_calls)))


def usage(answer: Answer) -> dict[str, Any]:
    """Tokens of every call. Parts that no provider told are 0: this API has no word for unknown."""
    spent = choices.usage(answer)
    read, written = spent.get("prompt_tokens_details", {}), spent.get("completion_tokens_details", {})
    return {
        "input_tokens": spent["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": read.get("cached_tokens", 0),
            "cache_write_tokens": read.get("cache_write_tokens", 0),
        },
        "output_tokens": spent["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": written.get("reasoning_tokens", 0)},
        "total_tokens": spent["total_tokens"],
    }


def _error_code(error: PrysmError) -> str:
    """OpenAI's list is a closed one; our own code stands in `prysm`."""
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, InvalidRequest) else "server_error"


def _echo(body: ResponsesBody) -> dict[str, Any]:
    """The settings of the request, with OpenAI's defaults only where they say what was done."""
    text, thinking = body.text, body.reasoning
    return {
        "background": False,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": None,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "prompt_cache_key": body.prompt_cache_key,
        "prompt_cache_retention": body.prompt_cache_retention,
        "reasoning": {"effort": thinking and thinking.effort, "summary": thinking and thinking.summary},
        "safety_identifier": body.safety_identifier,
        "service_tier": body.service_tier,
        "temperature": body.temperature,
        "text": {"format": {"type": "text"}} | (_sent(text) if text else {}),
        "tool_choice": _choice(body),
        "tools": [_sent(tool) for tool in body.tools or ()],
        "top_logprobs": body.top_logprobs,
        "top_p": body.top_p,
        "truncation": "disabled",
        "user": body.user,
    }


def _choice(body: ResponsesBody) -> Any:
    choice = body.tool_choice
    return _sent(choice) if choice is not None and not isinstance(choice, str) else choice or "auto"


def _sent(part: BaseModel) -> dict[str, Any]:
    """A part of the request as it came, less what was null."""
    return {
        name: value
        for name, value in part.model_dump(by_alias=True, exclude_unset=True).items()
        if value is not None
    }
