"""Tools and the choice among them, as OpenAI's chat completions take them.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from prysm.api.json_schema import JsonObject, JsonSchema  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.parse import Strict
from prysm.core.tools import NamedTool, Tool, Toolbox
from prysm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.tools import ToolChoice

MAX_TOOLS = 128
Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class FunctionDefinition(Strict):
    """A function and the JSON Schema of its arguments."""

    name: Name
    description: str | None = None
    parameters: JsonSchema | None = None
    strict: bool | None = None

    def tool(self) -> Tool:
        """The function in our vocabulary."""
        return Tool(self.name, self.description, self.parameters, self.strict)


class FunctionTool(Strict):
    """A tool that takes arguments."""

    type: Literal["function"]
    function: FunctionDefinition

    def tool(self) -> Tool:
        """The tool in our vocabulary."""
        return self.function.tool()


class CustomDefinition(Strict):
    """A tool's name and the grammar of its input."""

    name: Name
    description: str | None = None
    format: JsonObject | None = None


class CustomTool(Strict):
    """A tool that takes free text."""

    type: Literal["custom"]
    custom: CustomDefinition

    def tool(self) -> Tool:
        """The tool in our vocabulary."""
        return Tool(self.custom.name, self.custom.description, custom=True, format=self.custom.format)


class Named(Strict):
    """The name of a tool."""

    name: Annotated[str, Field(min_length=1, max_length=64)]


class FunctionChoice(Strict):
    """One function."""

    type: Literal["function"]
    function: Named

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.name


class CustomChoice(Strict):
    """One custom tool."""

    type: Literal["custom"]
    custom: Named

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.custom.name


class Allowed(Strict):
    """Some of the tools, and whether one must be called."""

    mode: Literal["auto", "required"]
    tools: Annotated[
        list[Annotated[FunctionChoice | CustomChoice, Field(discriminator="type")]],
        Field(min_length=1, max_length=MAX_TOOLS),
    ]


class AllowedTools(Strict):
    """Some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: Allowed


AnyTool: TypeAlias = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]
Tools: TypeAlias = Annotated[list[AnyTool], Field(max_length=MAX_TOOLS)]
Functions: TypeAlias = Annotated[list[FunctionDefinition], Field(max_length=MAX_TOOLS)]
Choice: TypeAlias = (
    Literal["auto", "none", "required"]
    | Annotated[FunctionChoice | CustomChoice | AllowedTools, Field(discriminator="type")]
)
FunctionCallChoice: TypeAlias = Literal["auto", "none"] | Named


def toolbox(
    tools: Sequence[FunctionTool | CustomTool] | None, choice: Choice | None, parallel: bool | None
) -> Toolbox | None:
    """The tools of a request; None when there are none. Raises `InvalidRequest` for a choice of what is not there."""
    known = tuple(tool.tool() for tool in tools or ())
    _unique(known, "tools")
    if isinstance(choice, AllowedTools):
        allowed = {item.name for item in choice.allowed_tools.tools}
        _there(allowed, known, "tool_choice.allowed_tools.tools")
        return Toolbox(tuple(tool for tool in known if tool.name in allowed), choice.allowed_tools.mode, parallel)
    wanted = NamedTool(choice.name) if isinstance(choice, FunctionChoice | CustomChoice) else choice
    return _box(known, wanted, parallel, "tool_choice")


def box(tools: tuple[Tool, ...], choice: ToolChoice | None, parallel: bool | None) -> Toolbox | None:
    """The tools of a request that come in our vocabulary; else as `toolbox`."""
    _unique(tools, "tools")
    return _box(tools, choice, parallel, "tool_choice")


def functions(
    listed: Sequence[FunctionDefinition], choice: Literal["auto", "none"] | Named | None
) -> Toolbox | None:
    """OpenAI's older spelling of tools, of which an answer calls one at the most."""
    known, parallel = tuple(item.tool() for item in listed), False
    _unique(known, "functions")
    wanted = NamedTool(choice.name) if isinstance(choice, Named) else choice
    return _box(known, wanted, parallel, "function_call")


def _box(tools: tuple[Tool, ...], choice: ToolChoice | None, parallel: bool | None, param: str) -> Toolbox | None:
    if isinstance(choice, NamedTool):
        _there({choice.name}, tools, param)
    if tools:
        return Toolbox(tools, choice, parallel)
    if choice == "required":
        raise InvalidRequest("'tool_choice' requires a call, and there are no 'tools': give some.", param=param)
    return None


def _unique(tools: Sequence[Tool], param: str) -> None:
    seen: set[str] = set()
    for i, tool in enumerate(tools):
        if tool.name in seen:
            raise InvalidRequest(
                f"Two tools are called '{tool.name}': give each a name of its own.", param=f"{param}[{i}]"
            )
        seen.add(tool.name)


def _there(names: set[str], tools: Sequence[Tool], param: str) -> None:
    missing = sorted(names - {tool.name for tool in tools})
    if missing:
        raise InvalidRequest(f"There is no tool '{missing[0]}': name one that the request lists.", param=param)
