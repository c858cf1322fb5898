"""Free-form JSON in a body, JSON Schema among it, and the format that an answer must have."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import jsonschema_rs
import orjson
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from prysm.api.parse import Strict
from prysm.api.schema_weight import weight
from prysm.core.tools import ResponseFormat
from prysm.scoring.schema import compiled

MAX_OBJECT_BYTES = 128 * 1024
"""Largest free-form object: checking a schema of this size holds the event loop for some milliseconds."""
MAX_WEIGHT = 50_000
"""Most schemas to check for one value, every reference followed: some milliseconds again."""


def bounded(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse an object that is too large, or holds what JSON cannot carry on (a number of 65 bits, say)."""
    try:
        size = len(orjson.dumps(value))
    except TypeError as error:
        raise PydanticCustomError("json", "{why}; write it as a string", {"why": str(error)}) from None
    if size > MAX_OBJECT_BYTES:
        most = {"size": size, "most": MAX_OBJECT_BYTES}
        raise PydanticCustomError("json_size", "it has {size} bytes; at most {most} are taken", most)
    return value


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is not JSON Schema, naming the place; a reference to elsewhere is refused, never fetched."""
    try:
        compiled(schema)
    except jsonschema_rs.ValidationError as error:
        where = {"why": error.message[:200], "inside": tuple(error.instance_path)}
        raise PydanticCustomError("json_schema", "correct the JSON Schema: {why}", where) from None
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise PydanticCustomError("json_schema", "simplify the JSON Schema: {why}", {"why": str(error)}) from None
    if weight(schema) > MAX_WEIGHT:
        raise PydanticCustomError("json_schema", "its references unfold into too much to check; simplify it")
    return schema


JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(bounded)]
JsonSchema: TypeAlias = Annotated[JsonObject, AfterValidator(described)]


class TextFormat(Strict):
    """No format at all."""

    type: Literal["text"]

    def response_format(self) -> None:
        """Nothing is asked for."""


class JsonObjectFormat(Strict):
    """Any JSON object."""

    type: Literal["json_object"]

    def response_format(self) -> ResponseFormat:
        """The format in our vocabulary."""
        return ResponseFormat("json_object")


class Described(Strict):
    """A schema and its name."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    definition: Annotated[JsonSchema | None, Field(alias="schema")] = None
    strict: bool | None = None


class JsonSchemaFormat(Strict):
    """JSON that a schema describes."""

    type: Literal["json_schema"]
    json_schema: Described

    def response_format(self) -> ResponseFormat:
        """The format in our vocabulary."""
        it = self.json_schema
        return ResponseFormat("json_schema", it.name, it.definition, it.strict, it.description)


AnswerFormat: TypeAlias = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
