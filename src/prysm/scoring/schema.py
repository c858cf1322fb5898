"""JSON Schemas made ready to check data by; each content once, whoever asks."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKTRACKS = 10_000
"""Steps that a pattern may take on one text, so that no pattern holds up everyone else."""
KEPT = 64
TOLD, TOLD_CHARS = 3, 300


def compiled(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """Return what checks data by `schema`. A reference to elsewhere is refused, never fetched.

    Raises what `jsonschema_rs` raises for what is not JSON Schema: `ValidationError`, `ReferencingError`, `ValueError`.
    """
    return _compiled(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=KEPT)
def _compiled(schema: bytes) -> jsonschema_rs.Validator:
    patterns = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS)
    return jsonschema_rs.validator_for(orjson.loads(schema), offline=True, pattern_options=patterns)


def flaw(value: object, schema: Mapping[str, Any]) -> str | None:
    """Say where and how `value` does not fit, at most three places, for a model to act on; `None` when it fits."""
    validator = compiled(schema)
    if validator.is_valid(value):
        return None
    return "; ".join(map(_told, islice(validator.iter_errors(value), TOLD)))


def _told(error: jsonschema_rs.ValidationError) -> str:
    where = "".join(f"/{step}" for step in error.instance_path)
    return f"at {where or 'the top'}: {error.message}"[:TOLD_CHARS]
