"""What operators see: Prometheus metrics and one structured log line a request. Never any content."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
from bisect import bisect_left
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, BinaryIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from prysm.core.masking import masked
from prysm.core.model import NANO_PER_USD

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

    from prysm.core.model import Model
    from prysm.core.provider import CircuitState, Standing
    from prysm.core.run import Finished, Stage
    from prysm.errors import FailureKind

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
BREAKER_STATES: tuple[CircuitState, ...] = ("closed", "half_open", "open")
PROBABILITY = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99, 1)

log = structlog.get_logger()


class _Counter(Counter):
    """A counter that does not look each time whether it has its labels: a third of what counting costs."""

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:  # noqa: ARG002 - as it is
        """Count on; `amount` is not negative."""
        self._value.inc(amount)

    def series(self, *labels: str) -> Callable[[float], None]:
        """What counts on in one series."""
        add: Callable[[float], None] = self.labels(*labels)._value.inc  # noqa: SLF001 - of this class too
        return add


class _Histogram(Histogram):
    """A histogram that finds its bucket without a look at those below."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:  # noqa: ARG002 - as it is
        """Count one more."""
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)

    def series(self, *labels: str) -> Callable[[float], None]:
        """What observes in one series."""
        return self.labels(*labels).observe


class Telemetry:
    """The metrics of one process; with several workers, `scrape` merges them all."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._runs = _Counter("prysm_runs", "Runs by strategy and outcome.", ["strategy", "outcome"], registry=own)
        self._latency = _Histogram(
            "prysm_run_seconds", "Admission to answer.", ["strategy"], buckets=SECONDS, registry=own
        )
        self._confidence = _Histogram(
            "prysm_confidence",
            "P(correct) given with answers.",
            ["strategy", "model"],
            buckets=PROBABILITY,
            registry=own,
        )
        self._calls = _Counter("prysm_calls", "Model calls by status.", ["model", "status"], registry=own)
        self._attempts = _Counter(
            "prysm_attempts", "Tries of model calls by how they ended.", ["model", "outcome"], registry=own
        )
        self._retries = _Counter(
            "prysm_retries", "Calls that were made again, by failure.", ["model", "failure"], registry=own
        )
        self._hedges = _Counter("prysm_hedges", "Calls that got a second one beside them.", ["model"], registry=own)
        self._breakers = Gauge(
            "prysm_breaker_state",
            "0 closed, 1 half open, 2 open; without a model, of the provider's credential.",
            ["provider", "model"],
            registry=own,
            multiprocess_mode="livemax",
        )
        self._call_latency = _Histogram(
            "prysm_call_seconds", "Time of model calls.", ["model"], buckets=SECONDS, registry=own
        )
        self._tokens = _Counter(
            "prysm_tokens", "Tokens of model calls.", ["strategy", "model", "direction"], registry=own
        )
        self._cost = _Counter(
            "prysm_cost_usd", "Cost of calls at known prices.", ["strategy", "model"], registry=own
        )
        self._unpriced = _Counter("prysm_unpriced_calls", "Calls whose cost is unknown.", ["model"], registry=own)
        self._recalled = _Counter("prysm_cache_hits", "Runs whose answer the cache had.", registry=own)
        self._unsealed = _Counter("prysm_seal_failures", "Receipts that could not be stored.", registry=own)
        self._requests = _Counter(
            "prysm_http_requests", "HTTP answers.", ["method", "route", "status"], registry=own
        )
        self._held: set[tuple[str, str | None]] = set()
        # finding a series costs more than counting
        self._counter: Callable[..., Callable[[float], None]] = cache(_Counter.series)
        self._histogram: Callable[..., Callable[[float], None]] = cache(_Histogram.series)
        self._answered: Callable[[str, str, int], Callable[[float], None]] = cache(
            lambda method, route, status: self._requests.series(method, route, str(status))
        )

    def run_finished(self, run: Finished) -> None:
        """Count a run and its calls."""
        strategy = run.plan.strategy
        self._counter(self._runs, strategy, run.outcome)(1)
        self._histogram(self._latency, strategy)(run.latency_ms / 1000)
        if run.verdict is not None and run.verdict.score.confidence is not None:
            model = run.verdict.candidate.model.id
            self._histogram(self._confidence, strategy, model)(run.verdict.score.confidence)
        if run.original is not None:
            self._recalled.inc()
            return
        for stage in run.stages:
            if stage.model is not None:
                self._call(strategy, stage, stage.model.id)

    def seal_failed(self) -> None:
        """Count a run whose receipt could not be stored."""
        self._unsealed.inc()

    def retried(self, model: Model, kind: FailureKind) -> None:
        """Count a retry."""
        self._counter(self._retries, model.id, kind)(1)

    def hedged(self, model: Model) -> None:
        """Count a second call beside a slow one."""
        self._counter(self._hedges, model.id)(1)

    def stands(self, provider: str, model: str | None, standing: Standing) -> None:
        """Show what a breaker lets through; one log line when it begins to hold calls back, one when it ends."""
        self._breakers.labels(provider, model or "").set(BREAKER_STATES.index(standing.state))
        what = "model" if model else "credential"
        if standing.state == "open" and (provider, model) not in self._held:
            self._held.add((provider, model))
            log.warning("switched off while it fails", what=what, provider=provider, model=model)
        elif standing.state == "closed" and (provider, model) in self._held:
            self._held.discard((provider, model))
            log.warning("switched on again", what=what, provider=provider, model=model)

    def answered(self, method: str, route: str, status: int) -> None:
        """Count an HTTP answer; `route` is the route's template, so that ids make no new series."""
        self._answered(method, route, status)(1)

    def scrape(self) -> bytes:
        """The metrics in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        merged = CollectorRegistry()
        multiprocess.MultiProcessCollector(merged)  # type: ignore[no-untyped-call]  # untyped upstream
        return generate_latest(merged)

    def _call(self, strategy: str, stage: Stage, model: str) -> None:
        self._counter(self._calls, model, stage.status)(1)
        for attempt in stage.attempts:
            self._counter(self._attempts, model, attempt.code or "ok")(1)
        self._histogram(self._call_latency, model)((stage.ended_ms - stage.started_ms) / 1000)
        if stage.usage is not None:
            self._counter(self._tokens, strategy, model, "in")(stage.usage.prompt_tokens or 0)
            self._counter(self._tokens, strategy, model, "out")(stage.usage.completion_tokens or 0)
        if stage.cost_nano is None:
            self._counter(self._unpriced, model)(1)
        else:
            self._counter(self._cost, strategy, model)(stage.cost_nano / NANO_PER_USD)


class _Stderr(io.RawIOBase):
    """Standard error, whose reader may be gone or too slow to be waited for: no caller is to feel that."""

    def __init__(self) -> None:
        self._file = sys.stderr.buffer

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, lines: ReadableBuffer) -> int:
        """Write them all, or lose them."""
        with suppress(OSError):
            self._file.write(lines)
            self._file.flush()
        return memoryview(lines).nbytes


class _Lines(structlog.BytesLogger):
    """Writes lines at once, or those of one turn of the loop together: to write one costs more than to make it."""

    __slots__ = ("_waited_for",)

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._waited_for: asyncio.AbstractEventLoop | None = None

    def soon(self, line: bytes) -> None:
        """Write a line before this turn is over, and not after what is written at once."""
        self._write(line + b"\n")
        loop = asyncio.get_running_loop()
        if self._waited_for is not loop:
            self._waited_for = loop
            loop.call_soon(self._write_out)

    def _write_out(self) -> None:
        self._waited_for = None
        self._flush()


def configure_logging(level: str) -> None:
    """JSON lines on stderr, for our own events and for the libraries' warnings; only listed fields, no content."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=partial(_Lines, io.BufferedWriter(_Stderr())),
        cache_logger_on_first_use=True,
    )
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_JsonLines())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[lines])


def log_request(event: structlog.typing.EventDict) -> None:
    """`log.info(**event)`, without the ten calls between: there is one for every request."""
    logger = log.bind()
    if logger._processors != [_line]:  # noqa: SLF001 - set up by someone else, as tests do that read what is logged
        logger.info(**event)
    elif logger.is_enabled_for(logging.INFO):
        event["level"] = "info"
        event["timestamp"] = datetime.now(UTC)
        line = orjson.dumps(event, option=orjson.OPT_UTC_Z)
        plain = _are_plain(event["path"], event["client_request_id"], event["client"], event["caller"])
        logger._logger.soon(line if plain else masked(line))  # noqa: SLF001 - ours, since the steps are


@lru_cache(1024)
def _are_plain(*said: str | None) -> bool:
    """Whether nothing in them looks like a key: to look again and again at the same route and name costs a lot."""
    shown = orjson.dumps(said)
    return masked(shown) == shown


def _line(_: object, level: str, event: structlog.typing.EventDict) -> bytes:
    """Level, time and JSON in one step: this is on every request's path."""
    event["level"] = level
    event["timestamp"] = datetime.now(UTC)
    return _json(event)


def where(error: BaseException) -> str:
    """Module and line of a defect, without the values around it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"


class _JsonLines(logging.Formatter):
    """A library's record as one line like ours. Of an exception only type and place: its message may hold text."""

    def format(self, record: logging.LogRecord) -> str:
        event = {"logger": record.name, "event": record.getMessage().strip(), "level": record.levelname.lower()}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            event |= {"type": type(error).__name__, "where": where(error)}
        return _json(event | {"timestamp": datetime.fromtimestamp(record.created, UTC)}).decode()


def _json(event: object) -> bytes:
    return masked(orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z))
