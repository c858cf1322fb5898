"""Credits: what organisations paid in, and every entry of their ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.store.administration import asked, changed

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from prysm.store.audit import Event
    from prysm.store.connection import Pool

Kind: TypeAlias = Literal["trial", "topup", "adjust"]

# Sent twice, a booking is there once: its id is unique among bookings, and nothing moves without its entry.
GIVE = """
    WITH entry AS (
        INSERT INTO ledger_entry (org, request_id, kind, source, target, shard, amount_nano, note)
        VALUES ($1, $2, $3, 'funding', 'credits', 0, $4, $5) ON CONFLICT DO NOTHING RETURNING amount_nano
    ), moved AS (
        INSERT INTO ledger_account (org, name, shard, balance_nano)
        SELECT $1, name, 0, sign * amount_nano FROM entry, (VALUES ('credits', 1), ('funding', -1)) x (name, sign)
        ON CONFLICT (org, name, shard) DO UPDATE SET balance_nano = ledger_account.balance_nano + excluded.balance_nano
    )
    SELECT FROM entry
"""
TAKE = """
    WITH enough AS (
        SELECT org FROM ledger_account
        WHERE org = $1 AND name = 'credits' AND shard = 0 AND balance_nano >= $4 FOR UPDATE
    ), entry AS (
        INSERT INTO ledger_entry (org, request_id, kind, source, target, shard, amount_nano, note)
        SELECT org, $2, $3, 'credits', 'funding', 0, $4, $5 FROM enough ON CONFLICT DO NOTHING RETURNING org
    ), moved AS (
        UPDATE ledger_account SET balance_nano = balance_nano + CASE name WHEN 'credits' THEN -$4 ELSE $4 END
        WHERE org IN (SELECT org FROM entry) AND name IN ('credits', 'funding') AND shard = 0
    )
    SELECT FROM entry
"""
BOOKED = "SELECT FROM ledger_entry WHERE request_id = $1 AND kind IN ('trial', 'topup', 'adjust')"
BALANCES = """
    SELECT coalesce(sum(balance_nano) FILTER (WHERE name = 'credits'), 0)::bigint AS credits_nano,
        coalesce(sum(balance_nano) FILTER (WHERE name = 'held'), 0)::bigint AS held_nano,
        coalesce(sum(balance_nano) FILTER (WHERE name = 'spent'), 0)::bigint AS spent_nano
    FROM ledger_account WHERE org = $1
"""
ENTRIES = """
    SELECT id, kind, source, target, amount_nano, request_id, note, made_at FROM ledger_entry
    WHERE org = $1 AND id < coalesce($2, 9223372036854775807) ORDER BY id DESC LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Booking:
    """Credits that are given, or taken where the amount is below 0; never 0."""

    id: UUID
    kind: Kind
    amount_nano: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Balances:
    """Of an organisation: what it can spend, what runs under way hold of that, and what was spent, in nano-dollars."""

    credits_nano: int
    held_nano: int
    spent_nano: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An amount that went from one account to another. `request_id` is the run's, or the booking's own."""

    id: int
    kind: str
    source: str
    target: str
    amount_nano: int
    request_id: UUID | None
    note: str | None
    made_at: datetime


class CreditStore:
    """Credits over a pool. Every method raises Overloaded when the database does not answer in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def book(self, event: Event, org: UUID, booking: Booking) -> bool:
        """Give an organisation credits, or take some where the amount is below 0, once for each id of a booking.

        False where there are not so many to take.
        """
        amount = booking.amount_nano
        values = org, booking.id, booking.kind, abs(amount), booking.note
        if await changed(self._pool, event, GIVE if amount > 0 else TAKE, *values):
            return True
        return bool(await asked(self._pool, BOOKED, booking.id))  # by a statement whose answer was lost

    async def balances(self, org: UUID) -> Balances:
        """Return what the accounts of an organisation hold."""
        return Balances(**(await asked(self._pool, BALANCES, org))[0])

    async def entries(self, org: UUID, limit: int, after: int | None = None) -> list[Entry]:
        """Return up to `limit` entries, newest first, from behind the one whose id is `after`."""
        return [Entry(**row) for row in await asked(self._pool, ENTRIES, org, after, limit)]
