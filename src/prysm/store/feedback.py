"""What callers said of their answers, beside the receipts that say how those came about."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import TYPE_CHECKING, Any

import orjson

from prysm.errors import Forbidden, ProofUnavailable
from prysm.registry.learnt import Tally
from prysm.store.connection import DATABASE_ERRORS, retrying

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from prysm.store.connection import Pool

TIMEOUT_S = 5.0
PATIENCE_S = 2.0
PAGE = 50
"""Receipts parsed between two looks at other work: some half a millisecond."""
WINDOW = 10_000
"""Judgements that teach, the newest: models change behind their names, and the look at them stays short."""
OWN_ANSWER = frozenset({"single"})
"""Strategies whose answer is one model's, taken as it came. An answer that others let through, voted for or rewrote
says more of the strategy than of the model: a cascade keeps just those answers of its cheap model that look right."""

# A receipt does not say whose it is, since it is public; `usage` does, of every run, for as long as that is kept.
# `$4` is the key that says it, null for root; `$5` whether it may replace what another said.
PUT = """
    WITH run AS (
        SELECT request_id FROM receipt WHERE request_id = $1
            AND ($3::uuid IS NULL OR EXISTS (SELECT FROM usage WHERE usage.request_id = $1 AND usage.org = $3))
    ), earlier AS (
        SELECT FROM feedback WHERE request_id = $1
    ), kept AS (
        INSERT INTO feedback (request_id, score, given_by) SELECT request_id, $2, $4 FROM run
        ON CONFLICT (request_id) DO UPDATE
            SET score = excluded.score, given_by = excluded.given_by, created_at = now()
            WHERE $5 OR feedback.given_by = excluded.given_by
        RETURNING request_id
    )
    SELECT EXISTS (SELECT FROM earlier) AS replaced, EXISTS (SELECT FROM kept) AS kept FROM run
"""
NEWEST = """
    SELECT id, request_id, score, created_at, payload FROM feedback JOIN receipt USING (request_id)
    WHERE id < coalesce($1, 9223372036854775807) AND ($3::uuid IS NULL OR EXISTS (
        SELECT FROM usage WHERE usage.request_id = feedback.request_id AND usage.org = $3
            AND ($4::uuid IS NULL OR usage.key = $4 OR feedback.given_by = $4)))
    ORDER BY id DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement and what the receipt says of the answer; `None` where it says nothing."""

    id: int
    request_id: UUID
    score: float
    created_at: datetime
    model: str | None = None
    task: str | None = None
    strategy: str | None = None
    method: str | None = None
    confidence: float | None = None
    agreement: float | None = None
    simulated: bool | None = None
    situation: str | None = None
    task_class: str | None = None
    features: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judges, or looks at judgements: of the runs of `org`, None all organisations'.

    `key` is its own, None root's. Unless `over_all`, it sees what was said of its own key's runs and what it said
    itself, and replaces nothing that another said.
    """

    org: UUID | None = None
    key: UUID | None = None
    over_all: bool = True


ROOT = Judge()


class FeedbackStore:
    """Judgements over a pool.

    Every method raises ProofUnavailable when the database does not answer in time.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, request_id: UUID, score: float, by: Judge = ROOT) -> bool | None:
        """Keep a score, 0–1 to three decimals, and say whether it replaced one; `None` when there is no such run.

        Raises Forbidden where another judged the run.
        """
        kept = Decimal(f"{score:.3f}")
        rows = await self._ask(PUT, request_id, kept, by.org, by.key, by.over_all)
        if rows and not rows[0]["kept"]:
            raise Forbidden(
                "Another key, or one before an upgrade, judged this run: that one, or an admin's, may say something "
                "else."
            )
        return rows[0]["replaced"] if rows else None

    async def outcomes(self, limit: int, after: int | None = None, by: Judge = ROOT) -> list[Judged]:
        """Return up to `limit` judgements, newest first, from behind the one whose id is `after`."""
        key = None if by.over_all else by.key
        return [_judged(row) for row in await self._ask(NEWEST, after, limit, by.org, key)]

    async def quality(self) -> dict[tuple[str, str], Tally]:
        """Return mean and number of the judgements of each model's own answers, by model and task."""
        scores: dict[tuple[str, str], list[float]] = defaultdict(list)
        after: int | None = None
        for _ in range(WINDOW // PAGE):
            page = await self.outcomes(PAGE, after)
            for one in page:
                if one.strategy in OWN_ANSWER and one.model is not None and one.task is not None:
                    scores[one.model, one.task].append(one.score)
            if len(page) < PAGE:
                break
            after = page[-1].id
        return {key: Tally(fmean(found), len(found)) for key, found in scores.items()}

    async def _ask(self, statement: str, *values: object) -> list[Record]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                rows: list[Record] = await retrying(PATIENCE_S)(self._pool.fetch, statement, *values)
        except DATABASE_ERRORS as error:
            away = ProofUnavailable("Feedback cannot be kept or read now: try again when /ready answers 200.")
            away.spent = False  # saying it again replaces it
            raise away from error
        return rows


def _judged(row: Record) -> Judged:
    return Judged(
        row["id"], row["request_id"], float(row["score"]), row["created_at"], **_of_receipt(row["payload"])
    )


def _of_receipt(payload: bytes) -> Mapping[str, Any]:
    """Read from the payload, never from columns; a record that cannot be read says nothing."""
    try:
        record = orjson.loads(payload)
        return {
            "model": record["answer"]["model"] if record["answer"] else None,
            "task": record["task"],
            "strategy": record["strategy"]["name"],
            "method": record["method"],
            "confidence": _number(record["confidence"]),
            "agreement": _number(record["agreement"]),
            "simulated": record["simulated"],
            **_evidence(record.get("evidence")),
        }
    except (KeyError, TypeError, ValueError):
        return {}


def _evidence(found: Mapping[str, Any] | None) -> dict[str, Any]:
    """The figures behind the confidence; receipts of earlier versions have none."""
    if found is None:
        return {}
    features = {name: float(value) for name, value in found["features"].items()}
    return {"situation": found["situation"], "task_class": found["task_class"], "features": features}


def _number(decimal: str | None) -> float | None:
    return None if decimal is None else float(decimal)
