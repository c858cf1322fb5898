"""Tools and the choice among them, as Anthropic's Messages API takes them.

Tools that Anthropic defines or runs by itself (`web_search_…`, `bash_…`, `computer_…`) are refused by their type.
https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NoReturn, TypeAlias

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from prysm.api.bodies import Later  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.json_schema import JsonSchema  # noqa: TC001 - pydantic reads annotations at run time
from prysm.api.messages_blocks import Cacheable
from prysm.api.parse import Strict
from prysm.api.tools import MAX_TOOLS, box
from prysm.core.tools import NamedTool, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.tools import Toolbox, ToolChoice

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]


class CustomTool(Cacheable):
    """A tool on the caller's side. Pieces of its input go out as they come, whatever `eager_input_streaming` says."""

    type: Literal["custom"] | None = None
    name: Name
    description: str | None = None
    input_schema: JsonSchema
    strict: bool | None = None
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: Later = None
    eager_input_streaming: bool | None = None
    input_examples: Later = None

    def tool(self) -> Tool:
        """The tool in our vocabulary."""
        return Tool(self.name, self.description, self.input_schema, self.strict, cache=self.kept)


def _refuse(kind: str) -> NoReturn:
    why = "{kind} is not taken: no tools run here but your own, with a name and an input_schema"
    raise PydanticCustomError("later", why, {"kind": kind[:64]})


class ServerTool(BaseModel):
    """A tool of Anthropic's own."""

    type: Annotated[str, AfterValidator(_refuse)]


def _kind(item: Any) -> str:
    found = item.get("type") if isinstance(item, dict) else None
    return "custom" if found is None or found == "custom" else "server"


AnyTool: TypeAlias = Annotated[
    Annotated[CustomTool, Tag("custom")] | Annotated[ServerTool, Tag("server")], Discriminator(_kind)
]
Tools: TypeAlias = Annotated[list[AnyTool], Field(max_length=MAX_TOOLS)]


class _Choice(Strict):
    disable_parallel_tool_use: bool | None = None

    @property
    def parallel(self) -> bool | None:
        """Whether several tools may be called at once."""
        return None if self.disable_parallel_tool_use is None else not self.disable_parallel_tool_use


class AnyChoice(_Choice):
    """As the model thinks best, or some tool."""

    type: Literal["auto", "any"]

    def choice(self) -> ToolChoice:
        """The choice in our vocabulary."""
        return "required" if self.type == "any" else "auto"


class NamedChoice(_Choice):
    """One tool."""

    type: Literal["tool"]
    name: Name

    def choice(self) -> ToolChoice:
        """The choice in our vocabulary."""
        return NamedTool(self.name)


class NoChoice(Strict):
    """No tool."""

    type: Literal["none"]
    parallel: ClassVar[None] = None

    def choice(self) -> ToolChoice:
        """The choice in our vocabulary."""
        return "none"


Choice: TypeAlias = Annotated[AnyChoice | NamedChoice | NoChoice, Field(discriminator="type")]


def toolbox(tools: Sequence[AnyTool] | None, choice: Choice | None) -> Toolbox | None:
    """The tools of a request; None when there are none. Raises `InvalidRequest` for a choice of what is not there."""
    known = tuple([tool.tool() for tool in tools or () if isinstance(tool, CustomTool)])
    wanted, parallel = (choice.choice(), choice.parallel) if choice else (None, None)
    return box(known, wanted, parallel)
