"""What the database says of runs that want to begin, and what their callers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from prysm.core.model import NANO_PER_USD
from prysm.core.payer import Admitted, Meter
from prysm.errors import BudgetExceeded, InsufficientCredits
from prysm.store.meters import reached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.errors import PrysmError
    from prysm.store.connection import Connection
    from prysm.store.rows import Admission

ADMIT = "SELECT admit($1::uuid[], $2::bytea[], $3::text::jsonb, $4)"
RELEASE = """
    WITH gone AS (DELETE FROM intent WHERE request_id = ANY($1::uuid[]) RETURNING request_id, payer)
    SELECT settle('{}', coalesce(jsonb_agg(jsonb_build_object('id', request_id, 'payer', payer)), '[]'), '[]', $2)
    FROM gone WHERE payer IS NOT NULL
"""


async def admit(rows: Sequence[Admission], connection: Connection, gateway: UUID) -> None:
    """Let runs begin, in the order they came, and tell each; whatever is raised, none is told."""
    payers = orjson.dumps([row.payer.stakes() for row in rows]).decode()
    ids, bodies = [row.request_id for row in rows], [row.body for row in rows]
    said = await connection.fetchval(ADMIT, ids, bodies, payers, gateway)
    for row, verdict in zip(rows, orjson.loads(said), strict=True):
        row.decide(read(verdict))


async def release(ids: list[UUID], connection: Connection, gateway: UUID) -> None:
    """Give back what runs hold that never began: they leave no trace."""
    await connection.execute(RELEASE, ids, gateway)


def read(verdict: dict[str, Any]) -> Admitted | PrysmError:
    """Leave to begin, or why not, as the functions of the database say it."""
    meters = tuple(Meter(m["kind"], m["limit"], int(m["left"]), m["full_s"]) for m in verdict.get("meters", ()))
    if "refused" in verdict:
        return _refusal(verdict["refused"], meters)
    return Admitted(meters, tuple(map(UUID, verdict.get("warned", ()))))


def _refusal(why: dict[str, Any], meters: tuple[Meter, ...]) -> PrysmError:
    match why["kind"]:
        case "budget":
            return _short(BudgetExceeded, f"Budget {why['budget']} has", why["left"], "an admin can raise it")
        case "credits":
            return _short(InsufficientCredits, "Your credits have", why["left"], "an admin can top them up")
    return reached(why["kind"], why["limit"], why["wait_s"], meters)


def _short(kind: type[BudgetExceeded], who: str, left: int, else_do: str) -> BudgetExceeded:
    short = kind(
        f"{who} ${max(left, 0) / NANO_PER_USD:.6f} left, less than this request may cost at the worst. Lower "
        f"max_tokens, name a cheaper model or policy, or wait for requests that are under way; {else_do}."
    )
    short.left_nano = max(left, 0)
    return short
