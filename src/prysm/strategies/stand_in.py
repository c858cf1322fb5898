"""Which of the targets that are left can do better than one that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.model import Model


def stand_ins(left: Sequence[Model], failed: Model, why: str | None) -> list[Model]:
    """The targets worth trying after `failed`, in their order; `why` is the kind of its failure.

    A prompt that was too long needs a larger context, refused content another family, a refused credential another
    provider.
    """
    match why:
        case "context_length":
            return [model for model in left if _larger(model.context_window, failed.context_window)]
        case "content_filter":
            return [model for model in left if model.family != failed.family]
        case "auth":
            return [model for model in left if model.provider != failed.provider]
    return list(left)


def _larger(window: int | None, than: int | None) -> bool:
    """An unknown window may be larger than any other."""
    return window is None or than is None or window > than
