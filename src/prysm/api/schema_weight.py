"""How much there is to check in a JSON Schema: with references a few lines unfold into billions of steps."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote

REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


def weight(schema: dict[str, Any]) -> int:
    """How many schemas there are in `schema`, every reference followed; endless where it is too deep to tell."""
    try:
        return _Scale(schema).of(schema)
    except RecursionError:
        return sys.maxsize


class _Scale:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, int] = {}

    def of(self, node: object) -> int:
        """The weight of one schema, or of all in a list."""
        if isinstance(node, list):
            return sum(map(self.of, node))
        if not isinstance(node, dict):
            return 0
        referred = sum(self._referred(ref) for name, ref in node.items() if name in REFERENCES)
        return 1 + referred + sum(map(self.of, node.values()))

    def _referred(self, ref: object) -> int:
        if not isinstance(ref, str):
            return 0
        if ref not in self._known:
            self._known[ref] = 1  # a reference back to where it came from is followed once
            self._known[ref] = self.of(self._at(ref))
        return self._known[ref]

    def _at(self, ref: str) -> object:
        """What a pointer (RFC 6901) leads to; an anchor is taken for the whole, and other schemas weigh nothing."""
        node: Any = self._root if ref.startswith("#") else None
        for step in unquote(ref).split("/")[1:] if node is not None else ():
            name = step.replace("~1", "/").replace("~0", "~")
            try:
                node = node[int(name)] if isinstance(node, list) else node[name]
            except (KeyError, IndexError, TypeError, ValueError):
                return None  # in an example, say: a reference that is one leads somewhere
        return node
