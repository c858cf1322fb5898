"""Whether an answer is what the caller asked for: calls of the tools there are, JSON in the format that was named.

What fits is read into one spelling, so that equal answers are seen to be equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prysm.core.run import Value
from prysm.core.tools import NamedTool
from prysm.errors import ProviderError
from prysm.scoring.json_values import fields, parsed, spelled
from prysm.scoring.schema import flaw
from prysm.strategies.prompts import fence, with_material

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Completion, Message, ModelCall
    from prysm.core.content import ToolCall
    from prysm.core.model import Model
    from prysm.core.tools import ResponseFormat, Tool, Toolbox

_REPAIR = """\
You answered this already. Your answer, repeated between the markers {nonce}, cannot be used. {why}
{said}
Answer again without this mistake, and do not mention it."""
WANTED = "the tools or the response_format of the request"
BETTER_ASKED = "Ask again, simplify the schema, or name a model that is better at it."
_ONLY_JSON = "Reply with one JSON value as the format describes it: no other text, no code fence."


class Unfit(ProviderError):
    """A model gave an answer that is not what was asked for. `stage` is its call; `said` and `why` are for it alone."""

    code = "invalid_output"

    def __init__(self, model: Model, stage: int, said: str, why: str) -> None:
        super().__init__(
            "invalid_output",
            f"The answer of {model.id} does not fit {WANTED}. {BETTER_ASKED}",
        )
        self.stage = stage
        self.said = said
        self.why = why


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says as data, None where it is plain text; and what is wrong with it, None where nothing is."""

    value: Value | None = None
    flaw: str | None = None


def read(call: ModelCall, done: Completion, *, seen: bool = False) -> Reading:
    """Hold an answer against what its call asked for; one that was cut, filtered or refused is passed on as it is.

    An answer that the caller has `seen` cannot be taken back, so it is held only to what was promised: the schema of a
    tool that does not insist on it (`strict`) is a hint to the model.
    """
    whole = done.finish_reason in {"stop", "tool_calls"} and not done.refused and done.stop_sequence is None
    if done.tool_calls:
        why = _calls_flaw(done.tool_calls, call.toolbox, lenient=seen) if whole else None
        return Reading(calls_value(done.tool_calls, call.toolbox), why)
    if not whole:
        return Reading()
    missing = _missing_call(call.toolbox)
    if missing is not None or call.response_format is None:
        return Reading(flaw=missing)
    return _json(done.text, call.response_format)


def told(done: Completion) -> str:
    """An answer in full as text, its calls too."""
    return "\n".join(filter(None, (done.text, *(f"{made.name}({made.arguments})" for made in done.tool_calls))))


def repair(messages: Sequence[Message], unfit: Unfit, nonce: str) -> tuple[Message, ...]:
    """What a model is told whose answer did not fit: what it said, and what is wrong with that."""
    return with_material(messages, _REPAIR.format(nonce=nonce, why=unfit.why, said=fence([unfit.said], nonce)))


def calls_value(calls: Sequence[ToolCall], box: Toolbox | None) -> Value:
    """Calls in one spelling: their order does not count, nor whether a default was left out."""
    written: list[str] = []
    parts: list[str] = []
    for made in calls:
        try:
            said = made.arguments if made.custom else filled(made, box)
        except ValueError:
            said = made.arguments
        written.append(f"{made.name}({spelled(said)})")
        parts.extend(fields(said, made.name))
    return Value("call", "; ".join(sorted(written)), frozenset(parts))


def filled(made: ToolCall, box: Toolbox | None) -> dict[str, Any]:
    """A call's arguments, with the defaults of those that its model left out; raises `ValueError` as `arguments`."""
    return {**_defaults(box.find(made.name) if box else None), **arguments(made)}


def arguments(made: ToolCall) -> dict[str, Any]:
    """A call's arguments, none where its model wrote none; raises `ValueError` for what is no JSON object."""
    found = parsed(made.arguments or "{}")
    if not isinstance(found, dict):
        raise ValueError  # noqa: TRY004 - what is no object is no JSON of arguments either
    return found


def call_flaw(made: ToolCall, box: Toolbox, *, lenient: bool = False) -> str | None:
    """What is wrong with one call, if anything."""
    tool = box.find(made.name)
    if tool is None:
        return f"There is no tool '{made.name[:64]}': there are {_names(box)}."
    if tool.custom or made.custom:
        return None
    try:
        found = arguments(made)
    except ValueError:
        return f"The arguments of {tool.name} must be one JSON object."
    if tool.parameters is None or (lenient and not tool.strict):
        return None
    why = flaw(found, tool.parameters)
    return why and f"The arguments of {tool.name} do not fit its schema: {why}."


def _calls_flaw(calls: Sequence[ToolCall], box: Toolbox | None, *, lenient: bool) -> str | None:
    if box is None or box.choice == "none":
        return "Call no tool: answer in words."
    if isinstance(box.choice, NamedTool) and any(made.name != box.choice.name for made in calls):
        return f"Call the tool {box.choice.name} and no other."
    if box.parallel is False and len(calls) > 1:
        return "Call one tool at a time."
    return next((why for made in calls if (why := call_flaw(made, box, lenient=lenient))), None)


def _missing_call(box: Toolbox | None) -> str | None:
    if box is not None and isinstance(box.choice, NamedTool):
        return f"Call the tool {box.choice.name}."
    if box is not None and box.choice == "required":
        return f"Call at least one of the tools {_names(box)}."
    return None


def _json(text: str, wanted: ResponseFormat) -> Reading:
    try:
        value = parsed(text)
    except ValueError:
        return Reading(flaw=f"It is not JSON. {_ONLY_JSON}")
    if wanted.schema is None and not isinstance(value, dict):
        return Reading(flaw=f"It is no JSON object. {_ONLY_JSON}")
    if wanted.schema is not None and (why := flaw(value, wanted.schema)) is not None:
        return Reading(flaw=f"It does not fit the schema: {why}. {_ONLY_JSON}")
    return Reading(Value("json", spelled(value), frozenset(fields(value))))


def _names(box: Toolbox) -> str:
    return ", ".join(tool.name for tool in box.tools)


def _defaults(tool: Tool | None) -> dict[str, Any]:
    """What a schema says its arguments are where they are left out."""
    described = tool.parameters.get("properties") if tool and tool.parameters else None
    if not isinstance(described, dict):
        return {}
    return {name: one["default"] for name, one in described.items() if isinstance(one, dict) and "default" in one}
