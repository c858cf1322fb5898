"""The gateway's JSON, readable by key and by attribute."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Reply(dict[str, Any]):
    """A JSON object: `r["usage"]["total_tokens"]` and `r.usage.total_tokens` are the same.

    A key that is also a method of `dict` (`keys`, `items`) is reached by index only.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name!r} here; there is: {', '.join(self) or 'nothing'}") from None

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self]


def parse_object(text: str | bytes) -> Reply:
    """Parse one JSON object, nested objects included. Raises `ValueError` for anything else."""
    try:
        value = json.loads(text, object_hook=Reply)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, Reply):
        raise ValueError("not a JSON object")  # noqa: TRY004  # to the caller it is a bad value of `text`
    return value
