"""A call as a chat-completions request: everything it holds, or a refusal that names what the format cannot say.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.core.openai_form import message_form
from prysm.core.tools import NamedTool
from prysm.providers.failures import Unusable
from prysm.registry.thoughts import without_foreign
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from prysm.core.chat import ModelCall
    from prysm.core.tools import ResponseFormat, Tool, Toolbox

SAMPLING = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "user")

FIXED = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
"""What models with fixed sampling refuse: https://developers.openai.com/api/docs/guides/reasoning."""


def request(call: ModelCall, *, stream: bool, seals: bool = False) -> dict[str, Any]:
    """Write the body; raise `Unusable` for what the format cannot say.

    Capabilities of the model choose between old and new names. `seals` on tool calls go to who made them: Google.
    """
    if (field := inexpressible("openai", call)) is not None:
        raise Unusable("rejected", f"has no way to say {field}; leave it out or choose another model")
    body: dict[str, Any] = {
        "model": call.model.upstream,
        "messages": _messages(call, seals=seals),
    }
    _sampling(body, call)
    if call.toolbox is not None and call.toolbox.tools:
        body |= _toolbox(call.toolbox)
    if call.response_format is not None:
        body["response_format"] = _response_format(call.response_format)
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return {**call.sampling.own, **body} if call.sampling.own else body


def _messages(call: ModelCall, *, seals: bool) -> list[dict[str, Any]]:
    forms = []
    for message in without_foreign("openai", call.messages):
        form = message_form(message)
        if message.tool_calls and not seals:
            for made in form["tool_calls"]:
                made.pop("extra_content", None)
        if message.role == "developer" and "developer_role" not in call.model.capabilities:
            form["role"] = "system"
        forms.append(form)
    return forms


def _sampling(body: dict[str, Any], call: ModelCall) -> None:
    sampling, model = call.sampling, call.model
    # Where sampling is fixed, only a strategy's wishes and the defaults come here: the planner sends no caller's.
    unsaid = FIXED if "fixed_sampling" in model.capabilities else ()
    for name in SAMPLING:
        value = getattr(sampling, name)
        if value is not None and name not in unsaid:
            body[name] = value
    if sampling.max_tokens is not None:
        new = "max_completion_tokens" in model.capabilities
        body["max_completion_tokens" if new else "max_tokens"] = sampling.max_tokens
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if (effort := _effort(call)) is not None:
        body["reasoning_effort"] = effort
    # Always asked of a model that can tell them: they cost no tokens, and confidence can be calibrated by them.
    if sampling.logprobs or "logprobs" in model.capabilities:
        body["logprobs"] = True
        if sampling.top_logprobs is not None:
            body["top_logprobs"] = sampling.top_logprobs


def _effort(call: ModelCall) -> str | None:
    """Effort in words, which can say no budget but none at all; a model that never thinks need not hear of that.

    Where the caller leaves it open, a model that takes tools only without thinking does not think.
    """
    sampling, able = call.sampling, call.model.capabilities
    if sampling.effort is not None:
        return sampling.effort
    tools = call.toolbox is not None and "tools_without_thinking" in able
    return "none" if tools or (sampling.thinking_tokens == 0 and "reasoning" in able) else None


def _toolbox(box: Toolbox) -> dict[str, Any]:
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in box.tools]}
    if isinstance(box.choice, NamedTool):
        named = box.find(box.choice.name)
        kind = "custom" if named is not None and named.custom else "function"
        fields["tool_choice"] = {"type": kind, kind: {"name": box.choice.name}}
    elif box.choice is not None:
        fields["tool_choice"] = box.choice
    if box.parallel is not None:
        fields["parallel_tool_calls"] = box.parallel
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    kind = "custom" if tool.custom else "function"
    fields = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
        "format": tool.format,
    }
    return {"type": kind, kind: _known(fields)}


def _response_format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    fields = {
        "name": wanted.name,
        "description": wanted.description,
        "schema": wanted.schema,
        "strict": wanted.strict,
    }
    return {"type": "json_schema", "json_schema": _known(fields)}


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
