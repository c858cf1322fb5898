"""Prysm: several language models on one prompt, and a receipt for every answer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prysm.client import AsyncPrysm, Prysm, PrysmClientError

__version__ = "0.1.0"
__all__ = ["AsyncPrysm", "Prysm", "PrysmClientError", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the client when it is first named, so that the server and `--help` never pay for it."""
    if name in __all__:
        return getattr(import_module("prysm.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
