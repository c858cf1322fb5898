"""An answer in the OpenAI format while it arrives; a whole one is read as a stream of one chunk.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.core.chat import Completion, TextDelta, ThinkingDelta
from prysm.core.content import Thinking
from prysm.providers.adapter import Draft
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import label, mapping, optional, sequence
from prysm.providers.logprobs import of_openai, whole
from prysm.providers.openai_answer import UNKNOWN_FINISH, Beside, finish, refused, said, thought, usage
from prysm.providers.openai_tool_calls import ToolCalls

if TYPE_CHECKING:
    from prysm.core.chat import FinishReason, TokenLogprob, Usage

MORE = ("refusal", "tool_calls", "function_call", "reasoning_content", "reasoning", "audio", "annotations")
"""What may stand beside the text of a message, or of a delta."""


class OpenAIDraft(Draft):
    """A streamed answer: deltas, a finish reason, a chunk with the usage, `[DONE]`."""

    text_key = b"content"

    _finish: FinishReason | None = None
    _tier: str | None = None
    _refused = False
    _calls: ToolCalls | None = None
    _beside: Beside | None = None

    def __init__(self) -> None:
        super().__init__()
        self._meta: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._thoughts: list[str] = []
        self._logprobs: list[TokenLogprob | None] = []

    def add(self, chunk: dict[str, Any]) -> None:
        """Take one `chat.completion.chunk`."""
        self._open(chunk)
        choices = sequence(chunk.get("choices"), "choices")
        self._alone = _text_alone(choices[0]) if len(choices) == 1 and not chunk.get("usage") else None
        if self._alone is not None:
            self.said(self._alone)
            return
        for choice in choices:
            if mapping(choice, "choices").get("index", 0) == 0:
                self._choice(choice, optional(choice.get("delta")))

    def add_whole(self, data: dict[str, Any]) -> None:
        """Take a `chat.completion`; raise `Unusable` for one that says nothing or does not say why it ended."""
        self._open(data)
        choices = sequence(data.get("choices"), "choices")
        choice = mapping(choices[0] if choices else None, "choices")
        message = mapping(choice.get("message"), "message")
        if isinstance(calls := message.get("tool_calls"), list):
            message = message | {
                "tool_calls": [mapping(x, "tool_calls") | {"index": i} for i, x in enumerate(calls)]
            }
        self._choice(choice, message)
        if self._finish is None:
            raise Unusable("no_answer", UNKNOWN_FINISH)
        silent = (
            message.get("content") is None and not self._refused and self._calls is None and self._beside is None
        )
        if silent and self._finish == "stop":
            raise Unusable("no_answer", "finished without an answer; try another model")

    def told(self) -> Usage | None:
        """The tokens of the last chunk that had them."""
        return usage(self._usage, self._tier) if self._usage else None

    def completion(self) -> Completion:
        """Close the draft; a stream that ended before its finish reason was cut."""
        if self._finish is None:
            raise Unusable("truncated", "ended its stream before the answer was finished; try again")
        calls = () if self._calls is None else self._calls.whole()
        if self._finish == "tool_calls" and not calls:
            raise Unusable("no_answer", "ended its answer for a tool call that it did not send; try another model")
        return Completion(
            text=self.text,
            # Some servers say "stop" although they want a tool run.
            finish_reason="tool_calls" if calls and self._finish == "stop" else self._finish,
            usage=usage(self._usage, self._tier),
            served_model=label(self._meta.get("model")),
            provider_request_id=label(self._meta.get("id")),
            system_fingerprint=label(self._meta.get("system_fingerprint")),
            tool_calls=calls,
            thinking=(Thinking("".join(self._thoughts)),) if self._thoughts else (),
            refused=self._refused,
            logprobs=whole(self._logprobs) if self._logprobs else None,
            own=None if self._beside is None else self._beside.fields(),
            service_tier=self._tier,
        )

    def _open(self, chunk: dict[str, Any]) -> None:
        if chunk.get("error") is not None:
            check_error(chunk)
        if not self._meta:
            self._meta = chunk
        self._tier = label(chunk.get("service_tier")) or self._tier
        if told := chunk.get("usage"):
            self._usage = optional(told) or self._usage

    def _choice(self, choice: dict[str, Any], delta: dict[str, Any]) -> None:
        if (text := _only_text(choice, delta)) is not None:
            self.said(text)
        elif delta or choice.get("logprobs"):
            self._delta(choice, delta)
        if choice.get("finish_reason") is not None:
            self._finish = finish(choice["finish_reason"])

    def _delta(self, choice: dict[str, Any], delta: dict[str, Any]) -> None:
        if thoughts := thought(delta):
            self._thoughts.append(thoughts)
            self.brought(ThinkingDelta(thoughts))
        if choice.get("logprobs") or delta.get("refusal") is not None:
            self._told(said(delta), refused(delta), of_openai(choice))
        else:
            self.said(said(delta))
        if calls := delta.get("tool_calls"):
            for call in sequence(calls, "tool_calls"):
                self._call(mapping(call, "tool_calls"))
        elif legacy := delta.get("function_call"):  # the one call of servers from before there were several
            self._call({"index": 0, "function": legacy})
        if delta.get("audio") or delta.get("annotations"):
            self._beside = self._beside or Beside()
            self._beside.add(delta)

    def _told(self, text: str, refusal: str, tokens: list[TokenLogprob | None]) -> None:
        self._logprobs += tokens
        known = whole(tokens) or ()
        if known and not refusal:
            self._texts.append(text)
            self.brought(TextDelta(text, logprobs=known))
        else:
            self.said(text)
        if refusal:
            self._refused = True
            self._texts.append(refusal)
            self.brought(TextDelta(refusal, refusal=True, logprobs=known))

    def _call(self, delta: dict[str, Any]) -> None:
        answer_id = f"{self._meta.get('id')}/{self._meta.get('created')}"
        self._calls = self._calls or ToolCalls()
        if (piece := self._calls.add(delta, answer_id)) is not None:
            self.brought(piece)


def _text_alone(choice: object) -> str | None:
    """What a choice says if it brings nothing else, as nearly every chunk's does."""
    if not isinstance(choice, dict) or choice.get("finish_reason") is not None or choice.get("index", 0) != 0:
        return None
    delta = choice.get("delta")
    return _only_text(choice, delta) if isinstance(delta, dict) else None


def _only_text(choice: dict[str, Any], delta: dict[str, Any]) -> str | None:
    """The text of a delta, or of a message, that brings nothing beside it."""
    text = delta.get("content")
    if not isinstance(text, str) or (len(delta) > 1 and any(map(delta.get, MORE))) or choice.get("logprobs"):
        return None
    return text
