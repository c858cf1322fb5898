"""Which requests under idempotency keys are under way in this process, and what became of them.

The database says who claimed a key first. Requests of one process wait for each other in memory, and one of them for
the other processes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import structlog

from prysm.api.recording import Recorded
from prysm.errors import ConfigError, Conflict, ProofUnavailable, ReplayUnavailable
from prysm.store.idempotency_slot import slot_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any
    from uuid import UUID

    from prysm.core.caller import Caller
    from prysm.store.idempotency import Claimed, IdempotencyStore
    from prysm.store.idempotency_slot import Slot

POLL_S = 0.1
AGAIN_S = 1.0
WITHHELD_AFTER_S = 5.0
CLOSE_S = 3.0
SETTLED_WITHIN = 20
"""Polls for which a run that is over may take until it is settled."""

Fate: TypeAlias = Literal["keep", "free", "gone"]
"""What becomes of a key: its answer is kept; the next request with it runs; it is used up and nothing is replayed."""

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under an idempotency key. `digest` is what it is known again by; `kept`: its answer may be stored."""

    slot: Slot
    digest: bytes
    request_id: UUID
    kept: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """A request under way in this process. `answer` is for those who wait; None: they must see for themselves."""

    digest: bytes
    answer: asyncio.Future[Recorded | None] = field(repr=False)


class Replays:
    """What was answered under idempotency keys. One per process. `secret` is the gateway's own."""

    def __init__(self, store: IdempotencyStore, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self._turns: dict[Slot, Turn] = {}
        self._working: set[asyncio.Task[Any]] = set()

    def asked(
        self, caller: Caller, key: str, request_id: UUID, sent: tuple[str, bytes, bytes], *, kept: bool
    ) -> Asked:
        """A request of `caller` under `key`: `sent` is its method, target and body."""
        slot = slot_of(self._secret, caller, key)
        return Asked(slot, slot.digest(*sent), request_id, kept and self._store.keeps)

    async def begin(self, asked: Asked) -> Recorded | Turn:
        """The answer to the request once it is there, or the turn to make one, which `settle` must end.

        Raises `Conflict`, `ReplayUnavailable` or `ProofUnavailable`.
        """
        while (turn := self._turns.get(asked.slot)) is not None:
            if turn.digest != asked.digest:
                raise _conflict()
            answer = await asyncio.shield(turn.answer)
            if answer is not None:
                return answer
        turn = self._turns[asked.slot] = Turn(asked.digest, asyncio.get_running_loop().create_future())
        try:
            earlier = await self._earlier(asked)
        except BaseException:
            self._leave(asked, turn, None)
            raise
        if earlier is not None:
            self._leave(asked, turn, earlier)
        return earlier or turn

    async def settle(self, asked: Asked, turn: Turn, answer: Recorded | None, fate: Fate | None) -> None:
        """End a turn; without a fate, by what the run is found to have cost.

        Raises `ProofUnavailable` when the answer is to be kept and cannot be; it goes on to try.
        """
        work = self._spawn(self._settled(asked, turn, answer, fate))
        await asyncio.wait({work}, timeout=WITHHELD_AFTER_S)
        if fate == "keep" and not work.done():
            withheld = ProofUnavailable(
                "The answer could not be kept for its Idempotency-Key yet, so it is withheld. Send the same request "
                "with the same key when /ready answers 200: it does not run again."
            )
            withheld.spent = False
            raise withheld

    async def close(self) -> None:
        """Give what is being written a moment."""
        if self._working:
            _, late = await asyncio.wait(self._working, timeout=CLOSE_S)
            for task in late:
                task.cancel()

    async def _earlier(self, asked: Asked) -> Recorded | None:
        """The answer of whoever claimed the key before; None when it is claimed now."""
        while not await self._claimed(asked):
            found = await self._store.find(asked.slot)
            while found is not None:
                answer = await self._told(asked, found)
                if answer is not None:
                    return answer
                await asyncio.sleep(POLL_S)
                found = await self._store.find(asked.slot)
        return None

    async def _told(self, asked: Asked, found: Claimed) -> Recorded | None:
        """The answer there is; None while it is under way elsewhere."""
        if found.request != asked.digest:
            raise _conflict()
        if found.answer is not None:
            return _opened(asked.slot, found.answer, found.request_id)
        if found.abandoned:
            await self._store.end(asked.slot, found.request_id, None)
        if found.abandoned or found.ended or not asked.kept:
            raise _unavailable(found.request_id)
        return None

    async def _claimed(self, asked: Asked) -> bool:
        """Claim the key. Whoever leaves meanwhile, or hears nothing of it, gives it back: nothing ran yet."""
        claiming = self._spawn(self._store.claim(asked.slot, asked.digest, asked.request_id))
        try:
            return await asyncio.shield(claiming)
        except (asyncio.CancelledError, ProofUnavailable):
            self._spawn(self._given_back(asked, claiming))
            raise

    async def _given_back(self, asked: Asked, claiming: asyncio.Task[bool]) -> None:
        await asyncio.wait({claiming})
        await _insisting(lambda: self._store.free(asked.slot, asked.request_id))

    async def _settled(self, asked: Asked, turn: Turn, answer: Recorded | None, fate: Fate | None) -> None:
        slot, request_id = asked.slot, asked.request_id
        if fate is None:
            fate = await _insisting(lambda: self._fate(request_id))
        if fate == "free":
            await _insisting(lambda: self._store.free(slot, request_id))
        else:
            kept = slot.wrap(answer.dumped(), request_id) if answer and fate == "keep" else None
            await _insisting(lambda: self._store.end(slot, request_id, kept))
        self._leave(asked, turn, answer)

    async def _fate(self, request_id: UUID) -> Fate:
        """By what a run that was broken off has cost: one that may have cost something never runs again."""
        for _ in range(SETTLED_WITHIN):
            spent = await self._store.spent(request_id)
            if spent is not None:
                return "gone" if spent else "free"
            await asyncio.sleep(POLL_S)
        return "gone"

    def _leave(self, asked: Asked, turn: Turn, answer: Recorded | None) -> None:
        del self._turns[asked.slot]
        turn.answer.set_result(answer)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return task


async def _insisting(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the database answers."""
    while True:
        try:
            return await ask()
        except ProofUnavailable:
            log.warning("a claim under an idempotency key cannot be settled: the database does not answer")
            await asyncio.sleep(AGAIN_S)


def _opened(slot: Slot, wrapped: bytes, request_id: UUID) -> Recorded:
    try:
        return Recorded.loaded(slot.unwrap(wrapped, request_id))
    except ConfigError:
        raise _unavailable(request_id) from None


def _conflict() -> Conflict:
    return Conflict(
        "This Idempotency-Key was sent with another request before: another route, or another body. Use a new key for "
        "every request, and the same only to repeat one byte for byte.",
        param="Idempotency-Key",
    )


def _unavailable(request_id: UUID) -> ReplayUnavailable:
    return ReplayUnavailable(
        f"The request {request_id} used this Idempotency-Key, and its answer cannot be replayed: it was not to be "
        f"kept, or was broken off. It may have cost money; GET /v1/proof/{request_id} shows its receipt, if it has "
        "one. Use a new key to run it again.",
        param="Idempotency-Key",
    )
