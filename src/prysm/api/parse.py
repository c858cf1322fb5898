"""A body read once, strictly, and refusals that name the field that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from prysm.errors import InvalidRequest, UnsupportedParameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Body = TypeVar("Body", bound=BaseModel)

TAGGED = frozenset(
    {
        "content",
        "format",
        "input",
        "messages",
        "output",
        "response_format",
        "source",
        "thinking",
        "thinking_blocks",
        "tool_calls",
        "tool_choice",
        "tools",
    }
)
"""Fields whose items say in `type` or `role` what they are; pydantic adds that word to the path behind them."""
BRANCHES = frozenset({"str", "constrained-str", "int", "float", "bool"})
"""Names of a union's branches, which pydantic adds to paths."""
RANKS = {"string_type": 0, "union_tag_invalid": 2}
"""Which of the branches of a union tells most about a value that fits none."""
MOST_PATH, MOST_MESSAGE = 160, 400


class Strict(BaseModel):
    """A part of a body: nothing is coerced, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def asks_nothing(why: str, *silent: object, code: str | None = None) -> AfterValidator:
    """Take only values that ask for nothing: null, false and `silent`. `why` others are refused, and what to do.

    `code` is the error's where a client knows one of its own.
    """

    def check(value: object) -> object:
        if value is not False and value not in (None, *silent):
            raise PydanticCustomError("later", "{why}", {"why": why, "code": code})
        return value

    return AfterValidator(check)


def read(kind: type[Body], raw: bytes) -> Body:
    """Parse a body once; raises `InvalidRequest` naming the field that is wrong and what is allowed."""
    try:  # what `model_validate_json` calls, less its options
        body: Body = kind.__pydantic_validator__.validate_json(raw)
    except ValidationError as error:
        refusal = _refusal(error)
    else:
        return body
    raise refusal


def check(kind: type[Body], fields: Mapping[str, Any]) -> Body:
    """Parse fields that were read before; raises as `read` does."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        refusal = _refusal(error)
    raise refusal


def _refusal(error: ValidationError) -> InvalidRequest:
    found = error.errors(include_url=False, include_input=False)
    wrong = max(found, key=lambda detail: (len(detail["loc"]), RANKS.get(detail["type"], 1)))
    kind, message, about = wrong["type"], wrong["msg"][:MOST_MESSAGE], wrong.get("ctx", {})
    param = path_of((*wrong["loc"], *about.get("inside", ())))
    if kind == "json_invalid":
        return InvalidRequest(f"The body is not valid JSON: {message}.")
    if not param:
        return InvalidRequest("The body must be a JSON object.")
    if kind == "extra_forbidden":
        names = [path_of(detail["loc"]) for detail in found if detail["type"] == kind]
        listed = ", ".join(f"'{name}'" for name in names[:8])
        return UnsupportedParameter(
            f"Unknown or not yet supported: {listed}. Nothing is ignored silently: leave them out.", param=param
        )
    if kind == "later":
        return UnsupportedParameter(f"'{param}': {message}.", param=param, code=about.get("code"))
    if kind == "union_tag_invalid":
        return _unknown_kind(param, about)
    if kind == "union_tag_not_found":
        return InvalidRequest(f"'{param}': say what it is in {about['discriminator']}.", param=param)
    return InvalidRequest(f"'{param}': {message}.", param=param)


def _unknown_kind(param: str, about: dict[str, Any]) -> InvalidRequest:
    """A part, tool or turn of a kind that is not known."""
    by = about["discriminator"].strip("'")
    refusal = InvalidRequest if by == "role" else UnsupportedParameter
    return refusal(f"'{param}.{by}': use one of {about['expected_tags']}.", param=f"{param}.{by}")


def path_of(loc: Sequence[int | str]) -> str:
    """`messages[2].content[0].text`, without the names of branches that pydantic adds for unions."""
    path, tag = "", False
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif path and ("[" in step or step in BRANCHES):
            continue
        elif tag:
            tag = False
        else:
            path += f".{step}" if path else step
            tag = step in TAGGED
    return path[:MOST_PATH]
