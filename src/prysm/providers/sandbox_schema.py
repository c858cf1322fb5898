"""JSON that satisfies a schema, made by a simulated model (JSON Schema 2020-12, without `pattern` and `not`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from prysm.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.providers.sandbox_values import Values

DEEP = 4
"""Where a schema that refers to itself begins to be cut short."""
DEEPEST = 40
LARGEST = 2_000
"""Values, items or characters at most: a schema comes from a caller, and may ask for any number."""


def example(schema: Mapping[str, Any], values: Values) -> Any:
    """Make a value that satisfies `schema`, of what the prompt offers; raise `ProviderError` where it is no schema."""
    try:
        return _Maker(schema, values).make(schema, "", 0)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise ProviderError(
            "rejected", "The sandbox cannot read the JSON Schema of this request; check it."
        ) from None


class _Maker:
    def __init__(self, root: Mapping[str, Any], values: Values) -> None:
        self._root = root
        self._values = values
        self._left = LARGEST

    def make(self, schema: Any, field: str, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST or not isinstance(schema, dict):
            return None
        schema = self._flat(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._values.choice(schema["enum"])
        return self._of_kind(_kind(schema, depth), schema, field, depth)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], field: str, depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, field, depth)
            case "integer" | "number":
                return self._number(schema, field)
            case "boolean":
                return self._values.truth()
            case "null":
                return None
        return self._string(schema, field)

    def _flat(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """The schema with its references followed and its alternatives chosen."""
        for _ in range(DEEPEST):
            if isinstance(ref := schema.get("$ref"), str):
                schema = _merged(_without(schema, "$ref"), self._find(ref))
            elif alternatives := schema.get("anyOf") or schema.get("oneOf"):
                rest = _without(_without(schema, "anyOf"), "oneOf")
                schema = _merged(rest, _simplest(alternatives) if depth > DEEP else alternatives[0])
            elif parts := schema.get("allOf"):
                schema = _without(schema, "allOf")
                for part in parts:
                    schema = _merged(schema, part)
            else:
                break
        return schema

    def _find(self, ref: str) -> Any:
        found: Any = self._root
        for step in ref.removeprefix("#").strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if name:
                found = found.get(name) if isinstance(found, dict) else None
        return found

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        known, required = schema.get("properties") or {}, schema.get("required") or []
        names = [name for name in known if name in required or depth < DEEP]
        names += [name for name in required if name not in known]
        return {name: self.make(known.get(name, {}), name, depth + 1) for name in names}

    def _array(self, schema: Mapping[str, Any], field: str, depth: int) -> list[Any]:
        first = schema.get("prefixItems") or []
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems", math.inf)
        size = max(min(least, LARGEST), len(first), 1 if depth < DEEP and schema.get("items") is not False else 0)
        kinds = [*first, *[schema.get("items", {})] * (size - len(first))]
        return [self.make(kind, field, depth + 1) for kind in kinds[: int(min(size, most))]]

    def _string(self, schema: Mapping[str, Any], field: str) -> str:
        text = self._values.text(field, schema.get("format"))
        text = text.ljust(min(int(schema.get("minLength", 0)), LARGEST), ".")
        return text[: schema.get("maxLength")]

    def _number(self, schema: Mapping[str, Any], field: str) -> float:
        whole, step = schema.get("type") != "number", schema.get("multipleOf")
        low, high = _bounds(schema, step or (1 if whole else 0.5))
        value = min(max(self._values.number(field), low), high)
        if step or whole:
            grain = step or 1
            value = round(grain * (math.ceil(value / grain) if value <= low else math.floor(value / grain)), 9)
        return int(value) if value == int(value) else value


def _bounds(schema: Mapping[str, Any], grain: float) -> tuple[float, float]:
    """The least and the greatest number allowed; both its middle where less than a grain is."""
    above, below = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    low = max(schema.get("minimum", -math.inf), above + grain / 2)
    high = min(schema.get("maximum", math.inf), below - grain / 2)
    if low <= high:
        return low, high
    middle = (max(schema.get("minimum", above), above) + min(schema.get("maximum", below), below)) / 2
    return middle, middle


def _kind(schema: Mapping[str, Any], depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if depth > DEEP and "null" in kind else next((x for x in kind if x != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _simplest(alternatives: list[Any]) -> Any:
    """What ends a recursion soonest: null, else anything that is no object."""
    order = {"null": 0, "object": 2, None: 3}
    return min(alternatives, key=lambda x: order.get(x.get("type"), 1) if isinstance(x, dict) else 3)


def _without(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}


def _merged(schema: dict[str, Any], other: Any) -> dict[str, Any]:
    """Both schemas at once."""
    if not isinstance(other, dict):
        return schema
    both = schema | other
    if "properties" in schema and "properties" in other:
        both["properties"] = schema["properties"] | other["properties"]
    if "required" in schema and "required" in other:
        both["required"] = [*dict.fromkeys([*schema["required"], *other["required"]])]
    return both
