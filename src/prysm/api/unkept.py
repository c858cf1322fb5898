"""What a body says of how long its run may be kept, seen before anything of it is understood."""

from __future__ import annotations

import orjson


def forbids_keeping(body: bytes) -> bool:
    """Whether a body says something of `retention`; looked at closely only where the word can be in it."""
    if b"retention" not in body and b"\\u" not in body:
        return False
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return True
    return isinstance(said, dict) and said.get("retention") is not None
