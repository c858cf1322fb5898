"""The Gemini generateContent format. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from prysm.core.chat import Completion, Usage
from prysm.providers.adapter import Adapter
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import count, label, mapping, optional, sequence, string
from prysm.providers.logprobs import of_gemini, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.chat import FinishReason, Message, ModelCall, TokenLogprob

FINISH: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
}


class GeminiDraft:
    """A streamed answer: each chunk is a response, the last one has the finish reason, no `[DONE]` follows."""

    def __init__(self) -> None:
        self.done = False
        self._texts: list[str] = []
        self._finish: FinishReason | None = None
        self._last: dict[str, Any] = {}
        self._logprobs: list[TokenLogprob | None] = []

    def add(self, chunk: dict[str, Any]) -> str:
        """Take one `GenerateContentResponse`."""
        check(chunk)
        self._last |= chunk
        if not chunk.get("candidates"):
            return ""
        candidate = _candidate(chunk)
        if candidate.get("finishReason") is not None:
            self._finish = finish(candidate["finishReason"])
        if "logprobsResult" in candidate:
            self._logprobs += of_gemini(candidate)
        text = said(candidate)
        self._texts.append(text)
        return text

    def completion(self) -> Completion:
        """Close the draft; a stream that ended before its finish reason was cut."""
        if self._finish is None:
            raise Unusable("truncated", "ended its stream before the answer was finished; try again")
        return _completion(self._last, "".join(self._texts), self._finish, self._logprobs)


class GeminiProvider(Adapter):
    """`POST {base_url}/models/{model}:generateContent`, or `:streamGenerateContent?alt=sse`."""

    draft = GeminiDraft

    @staticmethod
    def headers(key: str | None) -> Mapping[str, str]:
        """Carry the key in a header, never in the URL."""
        return {"x-goog-api-key": key} if key else {}

    @staticmethod
    def path(call: ModelCall, *, stream: bool) -> str:
        """Return the path, which names the model and the method."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/models/{quote(call.model.upstream, safe='')}:{method}"

    @staticmethod
    def to_wire(call: ModelCall, *, stream: bool) -> dict[str, Any]:  # noqa: ARG004 - the path asks for the stream
        """Write a generateContent request; system and developer messages become its one system instruction."""
        system = [message.content for message in call.messages if message.role in {"system", "developer"}]
        body: dict[str, Any] = {
            "contents": [_content(message) for message in call.messages if message.role in {"user", "assistant"}]
        }
        if system:
            body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
        if config := _config(call):
            body["generationConfig"] = config
        return body

    @staticmethod
    def from_wire(data: dict[str, Any]) -> Completion:
        """Read a `GenerateContentResponse`."""
        check(data)
        candidate = _candidate(data)
        return _completion(data, said(candidate), finish(candidate.get("finishReason")), of_gemini(candidate))


def check(data: dict[str, Any]) -> None:
    """Raise `Unusable` for an error in place of an answer, or a prompt that was blocked."""
    check_error(data)
    if optional(data.get("promptFeedback")).get("blockReason"):
        raise Unusable("content_filter", "blocked the prompt; rephrase it or choose another model")


def finish(reason: object) -> FinishReason:
    """Map a finish reason; we send no tools, so the ones about tool calls are not an answer."""
    if isinstance(reason, str) and reason in FINISH:
        return FINISH[reason]
    raise Unusable("malformed", "ended its answer for no reason that we know; try another model")


def said(candidate: dict[str, Any]) -> str:
    """Join the text of a candidate; thoughts are not part of the answer, and a stopped answer may have no parts."""
    parts = optional(candidate.get("content")).get("parts")
    texts = [mapping(part, "parts") for part in sequence([] if parts is None else parts, "parts")]
    return "".join(string(part["text"], "text") for part in texts if "text" in part and not part.get("thought"))


def usage(block: dict[str, Any]) -> Usage:
    """Read token counts; Google counts thoughts beside the candidates, we inside, and leaves out zeros."""
    prompt, total = count(block.get("promptTokenCount")), count(block.get("totalTokenCount"))
    visible, thoughts = count(block.get("candidatesTokenCount")), count(block.get("thoughtsTokenCount"))
    if visible is not None:
        completion: int | None = visible + (thoughts or 0)
    else:
        completion = None if prompt is None or total is None else max(0, total - prompt)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=count(block.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
    )


def _candidate(data: dict[str, Any]) -> dict[str, Any]:
    candidates = sequence(data.get("candidates"), "candidates")
    return mapping(candidates[0] if candidates else None, "candidates")


def _content(message: Message) -> dict[str, Any]:
    return {"role": "model" if message.role == "assistant" else "user", "parts": [{"text": message.content}]}


def _config(call: ModelCall) -> dict[str, Any]:
    sampling = call.sampling
    told = sampling.logprobs or "logprobs" in call.model.capabilities
    fields = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "maxOutputTokens": sampling.max_tokens,
        "stopSequences": list(sampling.stop) or None,
        "seed": sampling.seed,
        "frequencyPenalty": sampling.frequency_penalty,
        "presencePenalty": sampling.presence_penalty,
        "responseLogprobs": told or None,
        "logprobs": sampling.top_logprobs if told else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _completion(
    data: dict[str, Any], text: str, reason: FinishReason, tokens: Sequence[TokenLogprob | None]
) -> Completion:
    return Completion(
        text=text,
        finish_reason=reason,
        usage=usage(optional(data.get("usageMetadata"))),
        served_model=label(data.get("modelVersion")),
        provider_request_id=label(data.get("responseId")),
        logprobs=whole(tokens),
    )
