"""What a gateway does besides serving, again and again: learn, forget, prune; and end with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import structlog

from prysm.errors import ProofUnavailable

if TYPE_CHECKING:
    from prysm.registry.catalog import Catalog
    from prysm.store.cache import CacheStore
    from prysm.store.feedback import FeedbackStore
    from prysm.store.idempotency import IdempotencyStore
    from prysm.store.responses import ResponseStore
    from prysm.store.retention import Retention

PARENT_CHECK_S = 1.0
LEARN_EVERY_S = 60.0
FORGET_EVERY_S = 60.0
PRUNE_AFTER_S = 15.0

log = structlog.get_logger()


async def keep_learning(catalog: Catalog, judgements: FeedbackStore) -> None:
    """Route by what feedback teaches, looked up every minute; while the database is away, by what it taught last."""
    while True:
        try:
            catalog.learn(await judgements.quality())
        except ProofUnavailable:
            log.warning("feedback cannot be read: routing keeps to what it knows")
        await asyncio.sleep(LEARN_EVERY_S)


async def forget(kept: ResponseStore, claims: IdempotencyStore, *, everything: bool) -> None:
    """Delete the answers whose time is over, or all responses when none are to be kept; if it fails, the next time."""
    while True:
        try:
            await kept.prune(everything=everything)
            await claims.prune()
        except ProofUnavailable:
            log.warning("expired answers cannot be deleted: the database does not answer")
        await asyncio.sleep(FORGET_EVERY_S)


async def shrink(cache: CacheStore, most_entries: int, most_bytes: int) -> None:
    """Delete kept answers whose time is over, and the oldest of too many, of 0 all; if it fails, the next time."""
    while True:
        try:
            await cache.prune(most_entries, most_bytes)
        except ProofUnavailable:
            log.warning("expired answers of the cache cannot be deleted: the database does not answer")
        await asyncio.sleep(FORGET_EVERY_S)


def pruning(what: str, number: int) -> None:
    """Say how far a long pass is."""
    log.info("pruning", what=what, number=number)


async def prune(runs: Retention) -> None:
    """Make the partitions of the next month, and drop those of runs that are old; what fails is done the next time.

    Apart from `forget`, since it may take long; and not at once, since a gateway that starts has other things to do.
    """
    await asyncio.sleep(PRUNE_AFTER_S)
    while True:
        try:
            if done := await runs.turn():
                log.info("pruned", **asdict(done))
        except ProofUnavailable:
            log.warning("what is kept of old runs cannot be pruned: the database does not answer")
        await asyncio.sleep(FORGET_EVERY_S)


async def die_with_parent() -> None:
    """End this worker when the process that owns the database and the port is gone, however it went."""
    parent = os.getppid()
    with suppress(asyncio.CancelledError):
        while os.getppid() == parent:  # noqa: ASYNC110 - no event tells of a parent's death
            await asyncio.sleep(PARENT_CHECK_S)
        signal.raise_signal(signal.SIGTERM)
