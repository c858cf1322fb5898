"""What a caller lets models do and how their answer must look: tools, and the format of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from prysm.core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.content import CacheTtl


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool on the caller's side. `parameters` is the JSON Schema of its arguments; None takes none.

    A `custom` tool takes free text, in the grammar that `format` (OpenAI's object) gives.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None
    custom: bool = False
    format: Mapping[str, Any] | None = None
    cache: CacheTtl | None = None


@dataclass(frozen=True, slots=True)
class NamedTool:
    """The choice of one tool that must be called."""

    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of a request. `parallel` says whether several may be called at once; None leaves it open."""

    tools: tuple[Tool, ...]
    choice: ToolChoice | None = None
    parallel: bool | None = None

    def find(self, name: str) -> Tool | None:
        """The tool of that name."""
        return next((tool for tool in self.tools if tool.name == name), None)


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The answer must be JSON: any object, or what `schema` (JSON Schema) describes."""

    kind: Literal["json_object", "json_schema"]
    name: str = "answer"
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None
