"""Lists that the gateway gives page by page, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def every(page: Callable[..., Any]) -> Iterator[Any]:
    """All items of a list whose pages `page(after=…)` asks for; the next page is asked for when it is needed."""
    after = None
    while True:
        found = page(after=after)
        yield from found["data"]
        if not found["has_more"]:
            return
        after = found["data"][-1]["id"]
