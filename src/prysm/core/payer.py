"""Who pays for a run: what it holds before its first call, and what it is charged when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.core.values import dataclass

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.core.caller import Limits


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose run it is, and all that has to agree before it may begin.

    `held_nano` is the worst it can cost, `tokens` the most it can use, where anything limits either. `budgets` are
    the ids of those that count it. `prepaid`: it is paid from the organisation's credits.
    `ceiling_nano` is what the run must not go beyond, where a hard limit counts on what it holds.
    """

    org: UUID
    project: UUID
    key: UUID | None
    tags: tuple[str, ...]
    strategy: str
    mode: str
    policy: str
    task: str
    held_nano: int = 0
    tokens: int = 0
    budgets: tuple[UUID, ...] = ()
    limits: tuple[Limits, ...] = ()
    prepaid: bool = False
    ceiling_nano: int | None = None

    @property
    def limited(self) -> bool:
        """Whether the run must be admitted: anything else is only written down."""
        return bool(self.budgets or self.limits or self.prepaid)

    def whose(self) -> dict[str, Any]:
        """What is kept of it however it ends."""
        return {
            "org": self.org,
            "project": self.project,
            "key": self.key,
            "tags": self.tags,
            "strategy": self.strategy,
            "mode": self.mode,
            "policy": self.policy,
            "task": self.task,
        }

    def stakes(self) -> dict[str, Any]:
        """`whose`, and what it holds."""
        meters = [
            {"subject": x.subject, "rpm": x.rpm, "tpm": x.tpm, "concurrency": x.concurrency, "tokens": self.tokens}
            for x in self.limits
        ]
        money = {"held": self.held_nano, "prepaid": self.prepaid, "budgets": self.budgets, "meters": meters}
        return self.whose() | money


@dataclass(frozen=True, slots=True)
class Meter:
    """What is left of a limit after a run was counted; `full_s` is in how many seconds a bucket is full again."""

    kind: str
    limit: int
    left: int
    full_s: float | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A run may begin. `warned` are the soft budgets it goes beyond."""

    meters: tuple[Meter, ...] = ()
    warned: tuple[UUID, ...] = ()


FREELY = Admitted()
"""What a run is told that nothing limits."""
