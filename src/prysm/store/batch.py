"""Rows that are stored together, by one statement."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import orjson
from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811 - encoded without a call back into Python

from prysm.store.rows import Admission, Beginning, Ending
from prysm.store.verdicts import admit

if TYPE_CHECKING:
    from uuid import UUID

    from prysm.store.connection import Connection, Statement

# One statement: all of a receipt or nothing, and one disk flush for everything. A receipt that is there already is
# left alone, with its stages and its place in the queue of the log. Whoever sealed it, its run has ended.
# `IS TRUE` keeps the planner from making the membership tests nested loops over two arrays.
# No receipt is stored when one of the keys is not good any more: it would come into the log as one of a thief.
STORE = """
    WITH void AS (
        SELECT EXISTS (
            SELECT FROM unnest($13::text[]) AS signer (kid) WHERE NOT EXISTS (
                SELECT FROM log_key WHERE log_key.kid = signer.kid AND status IN ('active', 'retiring')
                AND log = (SELECT max(n) FROM log)
            )
        ) AND EXISTS (SELECT FROM log) AS is
    ), new AS (
        INSERT INTO receipt (request_id, payload, proof_hash, kid, signature)
        SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[], $5::bytea[])
        WHERE NOT (SELECT void.is FROM void)
        ON CONFLICT (request_id) DO NOTHING
        RETURNING request_id
    ), stages AS (
        INSERT INTO stage (request_id, i, body)
        SELECT * FROM unnest($7::uuid[], $8::int[], $9::bytea[]) AS body (request_id, i, body)
        WHERE (request_id IN (SELECT request_id FROM new)) IS TRUE
    ), queued AS (
        INSERT INTO log_queue (request_id, kid, digest)
        SELECT * FROM unnest($1::uuid[], $4::text[], $6::bytea[]) AS signed (request_id, kid, digest)
        WHERE kid IS NOT NULL AND digest IS NOT NULL AND (request_id IN (SELECT request_id FROM new)) IS TRUE
    ), begun AS (
        INSERT INTO intent (request_id, instance, body, payer)
        SELECT request_id, $12, body, payer::jsonb
        FROM unnest($10::uuid[], $11::bytea[], $14::text[]) AS begun (request_id, body, payer)
        ON CONFLICT (request_id) DO NOTHING
    ), ended AS (
        DELETE FROM intent WHERE request_id = ANY($1::uuid[]) AND NOT (SELECT void.is FROM void)
        RETURNING request_id, payer
    )
    SELECT CASE WHEN (SELECT void.is FROM void) THEN -1 ELSE (SELECT count(*) FROM new) END, settle(
        (SELECT coalesce(array_agg(request_id), '{}') FROM new),
        (
            SELECT coalesce(jsonb_agg(jsonb_build_object('id', request_id, 'payer', payer)), '[]') FROM ended
            WHERE payer IS NOT NULL
        ),
        $15::text::jsonb,
        $12
    )
"""
# Where nothing ends yet, the first words of streams wait for this alone: it takes a third of the time.
BEGIN = """
    INSERT INTO intent (request_id, instance, body, payer)
    SELECT request_id, $4, body, payer::jsonb
    FROM unnest($1::uuid[], $2::bytea[], $3::text[]) AS begun (request_id, body, payer)
    ON CONFLICT (request_id) DO NOTHING
"""
STORED = "SELECT request_id, proof_hash FROM receipt WHERE request_id = ANY($1::uuid[])"


Row: TypeAlias = Admission | Beginning | Ending


class Statements(NamedTuple):
    """`STORE` and `BEGIN`, prepared."""

    store: Statement
    begin: Statement


class VoidKey(Exception):
    """A receipt is signed by a key that was closed or revoked meanwhile: nothing of the batch is stored."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are stored together; a request id is in it once."""

    endings: list[Ending] = field(default_factory=list)
    beginnings: list[Beginning] = field(default_factory=list)
    admissions: list[Admission] = field(default_factory=list)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Everything in it."""
        return (*self.endings, *self.beginnings, *self.admissions)

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches, neither empty when there are two rows."""
        rows, halves = self.rows, (Batch(), Batch())
        for i, row in enumerate(rows):
            halves[2 * i >= len(rows)].add(row)
        return halves

    def add(self, row: Row) -> None:
        """One more."""
        match row:
            case Ending():
                self.endings.append(row)
            case Admission():
                self.admissions.append(row)
            case Beginning():
                self.beginnings.append(row)

    async def send(self, connection: Connection, statements: Statements, instance: UUID) -> None:
        """Store the rows and settle each; whatever is raised, the database's errors or VoidKey, none is settled."""
        if waiting := [row for row in self.admissions if not row.durable.done()]:
            await admit(waiting, connection, instance)
        ids, bodies, payers = _begun(self.beginnings)
        if not self.endings:
            if ids:
                await statements.begin.fetchval(ids, bodies, payers, instance)
            return self._accept()
        new = await statements.store.fetchval(
            *_columns(self.endings), ids, bodies, instance, self._kids(), payers, charges(self.endings)
        )
        if new < 0:
            raise VoidKey
        if new != len(self.endings):
            return await self._compare(connection)
        return self._accept()

    def _accept(self) -> None:
        for row in self.endings:
            row.accept()
        for begun in self.beginnings:
            begun.accept()

    def _kids(self) -> list[str]:
        """The names of the keys, each once."""
        return list({row.sealed.kid: None for row in self.endings if row.sealed.kid is not None})

    async def _compare(self, connection: Connection) -> None:
        """Accept the receipts that the table holds as they are, the others of the same id not."""
        found = await connection.fetch(STORED, [row.sealed.request_id for row in self.endings])
        hashes = {record["request_id"]: record["proof_hash"] for record in found}
        for row in self.beginnings:
            row.accept()
        for ending in self.endings:
            if hashes.get(ending.sealed.request_id) == ending.sealed.proof_hash:
                ending.accept()
            else:
                ending.refuse("another receipt has its id")


def _columns(endings: list[Ending]) -> tuple[list[object], ...]:
    """Of receipts: id, payload, hash, kid, signature, digest; of their stages: id, number, body."""
    columns: tuple[list[object], ...] = ([], [], [], [], [], [], [], [], [])
    ids, payloads, hashes, kids, signatures, digests, owners, numbers, bodies = columns
    for row in endings:
        sealed = row.sealed
        request_id = FastUUID(sealed.request_id.bytes)
        ids.append(request_id)
        payloads.append(sealed.payload)
        hashes.append(sealed.proof_hash)
        kids.append(sealed.kid)
        signatures.append(sealed.signature)
        digests.append(sealed.digest)
        stages = sealed.stages
        owners.extend([request_id] * len(stages))
        numbers.extend(range(len(stages)))
        bodies.extend(stages)
    return columns


def _begun(beginnings: list[Beginning]) -> tuple[list[FastUUID], list[bytes], list[str]]:
    return (
        [FastUUID(row.request_id.bytes) for row in beginnings],
        [row.body for row in beginnings],
        [orjson.dumps(row.payer.whose()).decode() for row in beginnings],
    )


def charges(endings: list[Ending]) -> str:
    """What the runs are charged, as one JSON array."""
    return (
        b"[" + b",".join([row.sealed.charge for row in endings if row.sealed.charge is not None]) + b"]"
    ).decode()


class Queue:
    """What waits for the next batches, in order. An intent whose run ends first is never sent.

    `beginnings` go by the number that a UUID is, which is hashed faster.
    """

    def __init__(self) -> None:
        self.endings: deque[Ending] = deque()
        self.beginnings: dict[int, Beginning] = {}
        self.admissions: deque[Admission] = deque()

    def __bool__(self) -> bool:
        return bool(self.endings or self.beginnings or self.admissions)

    def take(self, most: int) -> Batch:
        """Take up to `most` of each kind.

        A request id appears in a batch once, so that stages cannot meet another receipt.
        """
        taken: dict[int, Ending] = {}
        while self.endings and len(taken) < most and self.endings[0].sealed.request_id.int not in taken:
            row = self.endings.popleft()
            taken[row.sealed.request_id.int] = row
        if len(self.beginnings) <= most:
            begun, self.beginnings = list(self.beginnings.values()), {}
        else:
            begun = [self.beginnings.pop(request_id) for request_id in list(self.beginnings)[:most]]
        admissions = [self.admissions.popleft() for _ in range(min(most, len(self.admissions)))]
        return Batch(list(taken.values()), begun, admissions)
