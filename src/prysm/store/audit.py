"""What administrators did: written in the transaction of the change itself, with its place in the queue of the log."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4

from prysm.errors import ProofUnavailable
from prysm.proof.audited import VERSION, event_digest, told
from prysm.proof.canonical import canonical
from prysm.proof.strict import to_base64
from prysm.store.connection import DATABASE_ERRORS, retrying

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncpg import Record

    from prysm.core.caller import Caller
    from prysm.proof.canonical import Json
    from prysm.store.connection import Connection, Pool

TIMEOUT_S = 5.0
PATIENCE_S = 2.0
NONCE_BYTES = 32
OPERATOR = "operator"
"""Who acts with the database at hand, not with a key: the commands of the gateway's own machine."""

_RECORD = """
    WITH event AS (
        INSERT INTO audit_event (id, at, org, actor, actor_key, action, target, detail, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    )
    INSERT INTO log_queue (kind, request_id, digest) VALUES (4, $1, $10)
"""
_EVENT = """
    SELECT id, event.body, origin, idx AS index FROM audit_event AS event
    LEFT JOIN log_leaf ON request_id = id AND kind = 4 LEFT JOIN log ON n = log_leaf.log
    WHERE ($1::uuid IS NULL OR org = $1)
"""
_ONE = f"{_EVENT} AND id = $2"
_NEWEST = f"""
    {_EVENT} AND ($2::uuid IS NULL OR (at, id) < (SELECT at, id FROM audit_event WHERE id = $2))
    ORDER BY at DESC, id DESC LIMIT $3
"""  # noqa: S608  a constant


@dataclass(frozen=True, slots=True)
class Event:
    """One action of an administrator.

    `action` is a noun and a verb, as `key.create`; `target` the id of what it was done to. `detail` says what was set:
    strings, whole numbers, lists and objects of them, amounts of money as decimal strings, and never a secret. `org`
    is whose administrators may read it besides root; None: root alone.
    """

    action: str
    target: str
    detail: Mapping[str, Json] = field(default_factory=dict)
    org: UUID | None = None
    actor: str = OPERATOR
    actor_key: UUID | None = None

    @classmethod
    def by(cls, caller: Caller, action: str, target: str, detail: Mapping[str, Json], org: UUID | None) -> Self:
        """What a caller did over HTTP. Whoever names keys cannot make one look like the root key."""
        actor = "root" if caller.key is None else f"key {caller.name}"
        return cls(action, target, detail, org, actor, caller.key)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it was sealed; `origin` and `index` are its leaf, None while it waits for the log."""

    id: UUID
    body: bytes
    origin: str | None
    index: int | None


async def record(connection: Connection, event: Event) -> UUID:
    """Write an event down and queue it for the log, in the transaction of the change that it tells of; return its id.

    Raises what the database raises, and Defect for a `detail` that canonical JSON cannot hold, such as a fraction: then
    the change must not happen either.
    """
    made, at = uuid4(), datetime.now(UTC)
    body = _statement(event, made, at)
    told(body)  # what could not be read again must not be sealed
    detail = json.dumps(event.detail)
    await connection.execute(
        _RECORD,
        made,
        at,
        event.org,
        event.actor,
        event.actor_key,
        event.action,
        event.target,
        detail,
        body,
        event_digest(body),
    )
    return made


def spelled(moment: datetime) -> str:
    """A time as statements write it: UTC, microseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _statement(event: Event, made: UUID, at: datetime) -> bytes:
    return canonical(
        {
            "v": VERSION,
            "id": str(made),
            "at": spelled(at),
            "org": None if event.org is None else str(event.org),
            "actor": event.actor,
            "actor_key": None if event.actor_key is None else str(event.actor_key),
            "action": event.action,
            "target": event.target,
            "detail": dict(event.detail),
            "nonce": to_base64(secrets.token_bytes(NONCE_BYTES)),
        }
    )


class AuditStore:
    """Reads events over a pool. `org`: only what its administrators may read.

    Every method raises ProofUnavailable when the database does not answer in time.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def event(self, wanted: UUID, org: UUID | None = None) -> Recorded | None:
        """One event."""
        rows = await self._ask(_ONE, org, wanted)
        return Recorded(**rows[0]) if rows else None

    async def events(self, limit: int, org: UUID | None = None, after: UUID | None = None) -> list[Recorded]:
        """Up to `limit` events, newest first, from behind the one whose id is `after`."""
        return [Recorded(**row) for row in await self._ask(_NEWEST, org, after, limit)]

    async def _ask(self, statement: str, *values: object) -> list[Record]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                rows: list[Record] = await retrying(PATIENCE_S)(self._pool.fetch, statement, *values)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable("The audit log cannot be read now: ask again when /ready answers 200.")
            away.spent = False  # reading costs nothing
            raise away from error
        return rows
