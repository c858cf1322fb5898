"""Payers of runs that tests make durable without a gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.core.caller import DEFAULT_ID
from prysm.core.payer import Payer

if TYPE_CHECKING:
    from uuid import UUID

PAYER = Payer(DEFAULT_ID, DEFAULT_ID, None, (), "single", "balanced", "balanced", "chat")


def limited(held_nano: int, budgets: tuple[UUID, ...]) -> Payer:
    """One whose run holds so much of these budgets."""
    return replace(PAYER, held_nano=held_nano, budgets=budgets)
