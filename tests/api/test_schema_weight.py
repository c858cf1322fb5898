from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.api.schema_weight import weight


def laughs(n: int) -> dict[str, Any]:
    """Each of `n` definitions refers twice to the next: 2**n steps in n lines."""
    defs: dict[str, Any] = {str(i): {"anyOf": [{"$ref": f"#/$defs/{i + 1}"}] * 2} for i in range(n)}
    return {"$ref": "#/$defs/0", "$defs": defs | {str(n): {"type": "string"}}}


def test_references_are_weighed_by_what_they_lead_to() -> None:
    assert weight(laughs(3)) < 200
    assert weight(laughs(40)) > 2**40


@pytest.mark.parametrize(
    ("schema", "at_most"),
    [
        ({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}, 20),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, 20),
        ({"items": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}, 3),
        ({"examples": [{"$ref": "#/examples/x"}, {"$ref": 5}], "$defs": {"a/b": {"$ref": "#/$defs/a~1b"}}}, 8),
    ],
)
def test_a_usual_schema_is_light(schema: dict[str, Any], at_most: int) -> None:
    assert weight(schema) <= at_most


def test_a_chain_too_long_to_follow_is_too_heavy() -> None:
    defs = {str(i): {"$ref": f"#/$defs/{i + 1}"} for i in range(5000)}
    assert weight({"$ref": "#/$defs/0", "$defs": defs | {"5000": {}}}) > 10**9


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["#", "#/a/0", "#/$ref", "#x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "$ref", "$defs"]), inner),
)


@given(st.dictionaries(st.sampled_from(["a", "$ref", "$defs"]), JSON))
def test_whatever_it_holds_has_a_weight(schema: dict[str, Any]) -> None:
    assert weight(schema) > 0
