"""Tools, the choice among them and the format of the answer, as OpenAI's Responses API takes them.

They say what chat completions say, one level flatter. Tools that OpenAI runs by itself are refused: nothing here runs
tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from prysm.api import tools as chat
from prysm.api.bodies import Later  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.json_schema import Described, JsonObject, JsonObjectFormat, JsonSchema, TextFormat
from prysm.api.parse import Strict
from prysm.core.tools import ResponseFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.tools import Toolbox

MAX_TOOLS = chat.MAX_TOOLS


class FunctionTool(chat.FunctionDefinition):
    """A function and the JSON Schema of its arguments."""

    type: Literal["function"]
    defer_loading: Later = None
    allowed_callers: Later = None
    output_schema: JsonSchema | None = None
    """What the function answers, which no model is told."""
    asynchronous: Annotated[Later, Field(alias="async")] = None

    def nested(self) -> chat.FunctionTool:
        """The tool as chat completions write it."""
        return chat.FunctionTool.model_construct(function=self)


class CustomTool(Strict):
    """A tool that takes free text."""

    type: Literal["custom"]
    name: chat.Name
    description: str | None = None
    format: JsonObject | None = None
    defer_loading: Later = None
    allowed_callers: Later = None
    asynchronous: Annotated[Later, Field(alias="async")] = None

    def nested(self) -> chat.CustomTool:
        """The tool as chat completions write it."""
        custom = chat.CustomDefinition.model_construct(
            name=self.name, description=self.description, format=_grammar(self.format)
        )
        return chat.CustomTool.model_construct(custom=custom)


class NamedChoice(Strict):
    """One tool."""

    type: Literal["function", "custom"]
    name: Annotated[str, Field(min_length=1, max_length=64)]


class AllowedTools(Strict):
    """Some of the tools, and whether one must be called."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedChoice], Field(min_length=1, max_length=MAX_TOOLS)]


class JsonSchemaFormat(Described):
    """JSON that a schema describes."""

    type: Literal["json_schema"]
    definition: Annotated[JsonSchema, Field(alias="schema")]

    def response_format(self) -> ResponseFormat:
        """The format in our vocabulary."""
        return ResponseFormat("json_schema", self.name, self.definition, self.strict, self.description)


AnswerFormat: TypeAlias = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]


class Text(Strict):
    """The format of the answer, and how long-winded it is to be."""

    format: AnswerFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


def _by_type(*known: str) -> Discriminator:
    def kind(item: Any) -> str | None:
        found = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
        return found if found is None or found in known else "other"

    return Discriminator(kind, custom_error_type="kind", custom_error_message="say what it is in 'type'")


def _refuse(item: Any) -> NoReturn:
    kind = {"kind": str(item["type"])[:64]}
    raise PydanticCustomError(
        "later", "{kind} is not taken: no tools run here but your own, of the types function and custom", kind
    )


AnyTool: TypeAlias = Annotated[
    Annotated[FunctionTool, Tag("function")]
    | Annotated[CustomTool, Tag("custom")]
    | Annotated[CustomTool, BeforeValidator(_refuse), Tag("other")],
    _by_type("function", "custom"),
]
Tools: TypeAlias = Annotated[list[AnyTool], Field(max_length=MAX_TOOLS)]
Choice: TypeAlias = (
    Literal["auto", "none", "required"]
    | Annotated[
        Annotated[NamedChoice, Tag("function")]
        | Annotated[NamedChoice, Tag("custom")]
        | Annotated[AllowedTools, Tag("allowed_tools")]
        | Annotated[AllowedTools, BeforeValidator(_refuse), Tag("other")],
        _by_type("function", "custom", "allowed_tools"),
    ]
)


def toolbox(tools: Sequence[AnyTool] | None, choice: Choice | None, parallel: bool | None) -> Toolbox | None:
    """The tools of a request; None when there are none. Raises `InvalidRequest` for a choice of what is not there."""
    return chat.toolbox([tool.nested() for tool in tools or ()], _nested_choice(choice), parallel)


def _nested_choice(choice: Choice | None) -> chat.Choice | None:
    """The choice as chat completions write it."""
    match choice:
        case NamedChoice():
            return _named(choice)
        case AllowedTools():
            allowed = chat.Allowed(mode=choice.mode, tools=[_named(tool) for tool in choice.tools])
            return chat.AllowedTools(type="allowed_tools", allowed_tools=allowed)
    return choice


def _named(choice: NamedChoice) -> chat.FunctionChoice | chat.CustomChoice:
    name = chat.Named(name=choice.name)
    if choice.type == "function":
        return chat.FunctionChoice(type="function", function=name)
    return chat.CustomChoice(type="custom", custom=name)


def _grammar(form: dict[str, Any] | None) -> dict[str, Any] | None:
    """A grammar as chat completions write it."""
    if form is None or form.get("type") != "grammar" or "grammar" in form:
        return form
    return {"type": "grammar", "grammar": {name: value for name, value in form.items() if name != "type"}}
