"""Who is calling, and what they may do and spend."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from prysm.core.values import dataclass

Role: TypeAlias = Literal["root", "admin", "member", "reader"]
"""`root` is the operator, over all organisations; `admin` one organisation's; `member` runs; `reader` only looks."""
Scope: TypeAlias = Literal["chat", "embeddings", "feedback", "usage", "admin"]

DEFAULT_ID = UUID("00000000-0000-0000-0000-000000000001")
"""The organisation and the project that are there from the start; the root key's."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What `subject`, a key or an organisation, may ask a minute and at once; `None` is no limit."""

    subject: UUID
    rpm: int | None
    tpm: int | None
    concurrency: int | None

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.rpm is not None or self.tpm is not None or self.concurrency is not None


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `name` is for logs and answers, never the secret; `key` is None for the root key.

    `scopes`, `allowed_models` and `allowed_strategies`: None allows everything. `limits` has only such that limit.
    `prepaid`: runs are paid from the organisation's credits. `expires`: when the text that it came with ends, in
    seconds since 1970.
    """

    name: str
    key: UUID | None
    org: UUID
    project: UUID
    role: Role
    scopes: frozenset[Scope] | None = None
    allowed_models: frozenset[str] | None = None
    allowed_strategies: frozenset[str] | None = None
    limits: tuple[Limits, ...] = ()
    retention_zero: bool = False
    cache: bool = False
    prepaid: bool = False
    tags: tuple[str, ...] = ()
    expires: float | None = None

    @property
    def id(self) -> str:
        """What the caller is told apart by, also in what is stored: the id of the key, or "root"."""
        return self.name if self.key is None else str(self.key)


ROOT = Caller("root", None, DEFAULT_ID, DEFAULT_ID, "root")
