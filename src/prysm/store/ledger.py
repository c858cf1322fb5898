"""Whether the books agree: accounts with their entries, entries with usage, what is held with who holds it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncpg import Record

    from prysm.store.connection import Connection

UNBALANCED = """
    SELECT org, sum(balance_nano) AS nano FROM ledger_account GROUP BY org HAVING sum(balance_nano) <> 0 ORDER BY org
"""
UNEXPLAINED = """
    WITH half AS (
        SELECT org, source AS name, shard, -amount_nano AS nano FROM ledger_entry
        UNION ALL SELECT org, target, shard, amount_nano FROM ledger_entry
    ), moved AS (
        SELECT org, name, CASE WHEN name IN ('open', 'spent') THEN shard ELSE 0 END AS shard, sum(nano) AS nano
        FROM half GROUP BY 1, 2, 3
    )
    SELECT org, name, shard, coalesce(balance_nano, 0) AS balance, coalesce(nano, 0) AS entries
    FROM ledger_account FULL JOIN moved USING (org, name, shard)
    WHERE coalesce(balance_nano, 0) <> coalesce(nano, 0) ORDER BY org, name, shard
"""
# Usage is pruned, the ledger never: run by run they are compared since then, and in sum with what was pruned.
UNSETTLED = """
    WITH kept AS (
        SELECT coalesce((SELECT before FROM pruned WHERE name = 'usage'), '-infinity') AS since
    ), settled AS (
        SELECT request_id, org, sum(amount_nano) AS nano FROM ledger_entry, kept
        WHERE kind = 'settle' AND made_at >= since GROUP BY 1, 2
    ), used AS (
        SELECT request_id, org, sum(cost_nano) AS cost_nano FROM usage, kept WHERE at >= since GROUP BY 1, 2
    )
    SELECT request_id, org, coalesce(cost_nano, 0) AS used, coalesce(nano, 0) AS settled
    FROM used FULL JOIN settled USING (request_id, org)
    WHERE coalesce(cost_nano, 0) <> coalesce(nano, 0) ORDER BY request_id
"""
UNSPENT = """
    WITH used AS (
        SELECT org, sum(cost_nano) AS used FROM (
            SELECT org, cost_nano FROM usage UNION ALL SELECT org, cost_nano FROM usage_pruned
        ) x GROUP BY org
    ), spent AS (SELECT org, sum(balance_nano) AS spent FROM ledger_account WHERE name = 'spent' GROUP BY org)
    SELECT org, coalesce(used, 0) AS used, coalesce(spent, 0) AS spent FROM used FULL JOIN spent USING (org)
    WHERE coalesce(used, 0) <> coalesce(spent, 0) ORDER BY org
"""
UNCLAIMED = """
    WITH claimed AS (
        SELECT (payer ->> 'org')::uuid AS org, sum((payer ->> 'held')::bigint) AS nano FROM intent
        WHERE (payer ->> 'prepaid')::boolean GROUP BY 1
    )
    SELECT org, coalesce(balance_nano, 0) AS held, coalesce(nano, 0) AS claimed
    FROM (SELECT org, balance_nano FROM ledger_account WHERE name = 'held') held FULL JOIN claimed USING (org)
    WHERE coalesce(balance_nano, 0) <> coalesce(nano, 0) ORDER BY org
"""
UNCLAIMED_ROOM = """
    WITH claimed AS (
        SELECT (w ->> 'budget')::uuid AS budget, (w ->> 'starts')::date AS starts,
            sum((payer ->> 'held')::bigint) AS nano
        FROM intent, jsonb_array_elements(payer -> 'windows') w GROUP BY 1, 2
    )
    SELECT budget, starts, coalesce(held_nano, 0) AS held, coalesce(nano, 0) AS claimed
    FROM budget_window FULL JOIN claimed USING (budget, starts)
    WHERE coalesce(held_nano, 0) <> coalesce(nano, 0) ORDER BY budget, starts
"""
UNSHARED = """
    SELECT request_id, org, cost_nano AS used, nano FROM usage, LATERAL (
        SELECT coalesce(sum(cost), 0) AS nano FROM jsonb_to_recordset(parts) AS part (cost bigint)
    ) shared WHERE parts IS NOT NULL AND cost_nano <> nano ORDER BY request_id
"""
CHECKS = (
    (UNBALANCED, "organisation {org}: its accounts add up to {nano} nano-dollars instead of nothing"),
    (
        UNEXPLAINED,
        "organisation {org} account {name}/{shard}: it has {balance}, and its entries add up to {entries}",
    ),
    (UNSETTLED, "organisation {org} run {request_id}: it used {used}, and {settled} were settled"),
    (UNSHARED, "organisation {org} run {request_id}: it used {used}, and the models that it called {nano}"),
    (UNSPENT, "organisation {org}: its runs used {used} since ever, and {spent} are spent"),
    (UNCLAIMED, "organisation {org} account held/0: it has {held}, and the runs under way hold {claimed}"),
    (UNCLAIMED_ROOM, "budget {budget} from {starts}: {held} are held, and the runs under way hold {claimed}"),
)


async def ledger_defects(connection: Connection) -> list[str]:
    """What does not agree in the books, in nano-dollars, a sentence each; nothing when all is well.

    While gateways are at work, call it inside of one repeatable-read transaction. Raises what the database raises.
    """
    return [
        sentence.format(**_spelled(row))
        for statement, sentence in CHECKS
        for row in await connection.fetch(statement)
    ]


def _spelled(row: Record) -> dict[str, object]:
    """A row for people: sums are decimals, which write 300000 as 3E+5."""
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}
