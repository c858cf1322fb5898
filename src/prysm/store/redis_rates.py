"""The limits of keys and organisations, counted in Redis for all gateways.

While Redis is away nothing is limited by it: a rate protects, it is not money. Budgets and credits, which Postgres
keeps, hold, and so does the queue of each process.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from prysm.core.payer import Meter
from prysm.errors import ConfigError
from prysm.store.meters import reached
from prysm.store.redis_scripts import GIVE_BACK, RENEW, TAKE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from redis.commands.core import AsyncScript

    from prysm.core.caller import Limits

TIMEOUT_S = 1.0
REST_S = 1.0
"""Between two questions to a Redis that is away; one run each bears the wait."""
LEASE_S = 60
"""How long the runs of a gateway that was killed go on to count."""
RENEW_S = 15.0
CONNECTIONS = 16
MOST_PENDING = 10_000
AT_ONCE = 500

_log = logging.getLogger(__name__)


class _Asked(NamedTuple):
    """One meter, its limit, and what a run takes of it or gives back."""

    key: str
    kind: str
    most: int
    amount: int


class _Call(NamedTuple):
    script: AsyncScript
    keys: list[str]
    args: list[str | int]


class RedisRates:
    """Use it as a context, one per process. Raises ConfigError for an address or a password that cannot be used.

    Runs under way are leased, and renewed for as long as this process lives; what is given back and renewed is sent
    in the background, in order.
    """

    def __init__(self, url: str) -> None:
        try:
            pool = BlockingConnectionPool.from_url(
                url, max_connections=CONNECTIONS, timeout=None, retry=Retry(NoBackoff(), 0)
            )
        except ValueError:
            raise ConfigError(
                "PRYSM_REDIS_URL must be an address such as redis://localhost:6379/0.", param="PRYSM_REDIS_URL"
            ) from None
        self._redis = Redis.from_pool(pool)
        self._take, self._back, self._renewal = map(self._redis.register_script, (TAKE, GIVE_BACK, RENEW))
        self._held: dict[UUID, tuple[Limits, ...]] = {}
        self._pending: deque[_Call] = deque()
        self._more = asyncio.Event()
        self._sending = asyncio.Lock()
        self._closing = False
        self._away = False
        self._again_at = 0.0

    async def __aenter__(self) -> Self:
        """Ask Redis nothing, to see whether it would answer; one that is away may come later."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._take([], ["", 0])
        except (RedisError, OSError) as error:
            why = error.__cause__ or error
            if isinstance(why, (AuthenticationError, ResponseError)):
                await self._redis.aclose()
                raise _refused(why) from None
            self._lost(error)
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is to be sent; what cannot be is left to run out."""
        self._closing = True
        self._more.set()
        await self._worker
        await self._redis.aclose()

    async def take(self, request_id: UUID, limits: tuple[Limits, ...], tokens: int) -> tuple[Meter, ...]:
        """Count a run that begins, which uses at most so many tokens, against all of `limits` or none.

        What is left of each; nothing while Redis is away. Raises RateLimited with the same in `meters`.
        """
        asked = _asked(limits, tokens)
        said = await self._count(request_id, limits, asked)
        why = _refusing(said, asked)
        if why and self._pending:
            await asyncio.shield(self._send())  # what ended here a moment ago makes room
            said = await self._count(request_id, limits, asked)
            why = _refusing(said, asked)
        if not said:
            return ()
        meters = tuple(map(_meter, asked, said[2::2], said[3::2]))
        if why:
            raise reached(why.kind, why.most, float(said[1]), meters)
        self._held[request_id] = limits
        return meters

    async def request(self, limits: tuple[Limits, ...]) -> tuple[Meter, ...]:
        """Count a request that makes no run, as `take` does: nothing of it is ever given back."""
        request_id = uuid4()
        try:
            return await self.take(
                request_id, tuple(replace(each, tpm=None, concurrency=None) for each in limits), 0
            )
        finally:
            self._held.pop(request_id, None)

    def give_back(
        self, request_id: UUID, limits: tuple[Limits, ...], tokens: int, used: int | None, *, begun: bool = True
    ) -> None:
        """End a run that was counted: of its `tokens` it used so many; all of them, where nobody knows.

        One that never began, since the database refused it, was no request either.
        """
        if self._held.pop(request_id, None) is not None:
            self._end(request_id, limits, 0 if used is None else tokens - used, begun=begun)

    async def _count(self, request_id: UUID, limits: tuple[Limits, ...], asked: Sequence[_Asked]) -> list[bytes]:
        """What Redis says; nothing where nothing is limited, or while it is away."""
        if not asked or self._resting():
            return []
        try:
            async with asyncio.timeout(TIMEOUT_S):
                args = [request_id.hex, LEASE_S, *_flat(asked)]
                said: list[bytes] = await self._take([each.key for each in asked], args)
        except (RedisError, OSError) as error:
            self._lost(error)
            self._end(request_id, limits, 0)
            return []
        except asyncio.CancelledError:
            self._end(request_id, limits, 0)
            raise
        self._answered()
        return said

    def _end(self, request_id: UUID, limits: tuple[Limits, ...], back: int, *, begun: bool = True) -> None:
        """Count the run no longer among those under way, whether or not it was; the tokens go back."""
        asked = [each for each in _asked(limits, back) if each.kind != "requests" or not begun]
        if asked:
            self._later(self._back, [each.key for each in asked], [request_id.hex, *_flat(asked)])

    def _later(self, script: AsyncScript, keys: list[str], args: list[str | int]) -> None:
        if len(self._pending) < MOST_PENDING:  # beyond it leases run out, and buckets fill, by themselves
            self._pending.append(_Call(script, keys, args))
            self._more.set()

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock() + RENEW_S
        while self._pending or not self._closing:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._more.wait()
            if clock() >= due:
                self._renew()
                due = clock() + RENEW_S
            if self._pending:
                await self._send()
            if self._away and self._closing:
                return
            if self._away:
                await asyncio.sleep(REST_S)

    def _renew(self) -> None:
        runs: dict[str, list[str]] = {}
        for request_id, limits in self._held.items():
            for asked in _asked(limits, 0):
                if asked.kind == "runs":
                    runs.setdefault(asked.key, []).append(request_id.hex)
        for key, ids in runs.items():
            self._later(self._renewal, [key], [LEASE_S, *ids])

    async def _send(self) -> None:
        async with self._sending:
            calls = list(islice(self._pending, AT_ONCE))
            try:
                await self._deliver(calls)
            except ResponseError as error:  # sent again it would be refused again, and the others be done twice
                self._lost(error)
            except (RedisError, OSError) as error:
                self._lost(error)
                return
            for _ in calls:
                self._pending.popleft()
            if not self._pending:
                self._more.clear()

    async def _deliver(self, calls: list[_Call]) -> None:
        async with asyncio.timeout(TIMEOUT_S), self._redis.pipeline(transaction=False) as pipeline:
            for script, keys, args in calls:
                await script(keys, args, client=pipeline)
            await pipeline.execute()

    def _resting(self) -> bool:
        """Whether Redis is away and not to be asked now."""
        if not self._away:
            return False
        now = asyncio.get_running_loop().time()
        if now < self._again_at:
            return True
        self._again_at = now + REST_S
        return False

    def _lost(self, error: Exception) -> None:
        self._again_at = asyncio.get_running_loop().time() + REST_S
        if not self._away:
            self._away = True
            _log.warning(
                "Redis does not do its work (%s): until it does, no requests, tokens or runs are limited; budgets "
                "and credits are. Look at the server of PRYSM_REDIS_URL.",
                type(error).__name__,
            )

    def _answered(self) -> None:
        if self._away:
            self._away = False
            self._renew()  # it may have begun anew
            _log.warning("Redis is back: requests, tokens and runs are limited again.")


def _refused(why: Exception) -> ConfigError:
    return ConfigError(
        f"The Redis of PRYSM_REDIS_URL refuses to work for us ({type(why).__name__}): check the user, the password and "
        "the number of the database in it, and that the user may run scripts.",
        param="PRYSM_REDIS_URL",
    )


def _asked(limits: tuple[Limits, ...], tokens: int) -> list[_Asked]:
    """The meters of a run, in the order of their subjects and kinds, as Postgres goes through them."""
    return [
        _Asked(f"prysm:{kind}:{each.subject}", kind, most, amount)
        for each in sorted(limits, key=lambda each: each.subject)
        for kind, most, amount in (
            ("requests", each.rpm, 1),
            ("runs", each.concurrency, 1),
            ("tokens", each.tpm, tokens),
        )
        if most is not None
    ]


def _refusing(said: list[bytes], asked: Sequence[_Asked]) -> _Asked | None:
    """The meter that says no."""
    return asked[int(said[0]) - 1] if said and int(said[0]) else None


def _flat(asked: Sequence[_Asked]) -> list[str | int]:
    return [value for each in asked for value in (each.kind, each.most, each.amount)]


def _meter(asked: _Asked, left: bytes, full_s: bytes) -> Meter:
    return Meter(asked.kind, asked.most, int(left), float(full_s) if full_s else None)
