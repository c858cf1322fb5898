"""Who a connection is to Postgres: its role says which tables it may use, a setting says whose rows it sees.

Both are taken on when a connection is made or lent, so that no statement can forget them, and what a statement does
not say, Postgres does. The migration 0011 grants the roles what they may; they last as long as the session, so a pooler
in between has to lend whole sessions.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import asyncpg

from prysm.store.connection import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextvars import Token
    from uuid import UUID

    from prysm.core.caller import Caller
    from prysm.store.connection import Connection, Pool

    Whose: TypeAlias = UUID | Literal["*"]

TENANT, SEALER, PUBLIC = "prysm_tenant", "prysm_sealer", "prysm_public"
EVERYBODY: Final = "*"
"""Rows of all organisations: for the root key, and for what the gateway does by itself."""

_whose: ContextVar[str] = ContextVar("whose", default="")


def act_for(whose: Whose) -> Token[str]:
    """See the rows of one organisation, or of all, from here on in this task and those it starts.

    Until it is called, none are seen.
    """
    return _whose.set(str(whose))


@contextmanager
def acting_for(whose: Whose) -> Iterator[None]:
    """See these rows during the block."""
    before = act_for(whose)
    try:
        yield
    finally:
        _whose.reset(before)


def whose(caller: Caller) -> Whose:
    """The rows that a caller may see: those of its organisation, with the root key all."""
    return EVERYBODY if caller.role == "root" else caller.org


def become(role: str) -> str:
    """SQL by which a session takes on a role; its schema stays the one that its user found the tables in."""
    return f"SELECT set_config('search_path', quote_ident(current_schema()), false); SET ROLE {role}"


async def open_pool(url: str, size: int, role: str, whose: Whose | None = None) -> Pool:
    """A pool whose connections have a role, and see the rows of `whose`; None: of whom the borrower acts for.

    They connect when they are first used. Nothing is set back when one is given back, which would be a round trip:
    whose rows the next borrower sees is set when it is lent.
    """
    made = become(role) if whose is None else f"{become(role)}; {_seeing(str(whose))}"

    async def begin(connection: Connection) -> None:
        await connection.execute(made)

    settings: dict[str, Any] = {"setup": _lend} if whose is None and role == TENANT else {}
    reset: Callable[[Connection], Awaitable[None]] = _as_it_is
    return await asyncpg.create_pool(
        url, min_size=0, max_size=size, timeout=CONNECT_TIMEOUT_S, init=begin, reset=reset, **settings
    )


async def _lend(connection: Connection) -> None:
    await connection.execute(_seeing(_whose.get()))


async def _as_it_is(_: Connection) -> None:
    """The role and the setting stay."""


def _seeing(whose: str) -> str:
    return f"SET prysm.org = '{whose}'"  # a UUID, a star or nothing
