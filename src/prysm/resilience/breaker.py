"""Stops calls to what does not answer: one circuit a model, and one for the provider's credential."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prysm.errors import ProviderError
from prysm.resilience.circuit import LONGEST_COOLDOWN_S, Circuit
from prysm.resilience.port import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from prysm.core.chat import Completion, ModelCall, Piece
    from prysm.core.model import Model
    from prysm.core.ports import Provider
    from prysm.errors import FailureKind
    from prysm.resilience.port import Clock, Watch

FAULTS: frozenset[FailureKind] = frozenset(
    {"connect", "timeout", "rate_limited", "unavailable", "malformed", "truncated"}
)
"""Failures that say something of the provider. A refusal of one request shows that the provider works."""
ABOUT_ONE_MODEL = frozenset({402, 403})
"""A key may lack the right to one model, or the credit for one long answer, and be good for the others; and some
refuse a prompt so. If such a refusal switched the provider off, or one of them the model, any caller could."""
RECHECK_S = 300.0
LONGEST_RECHECK_S = 3600.0


class Breaker:
    """A provider that fails fast while it is known not to work: kind "circuit_open", or "auth" for its credential."""

    def __init__(self, inner: Provider, watch: Watch, clock: Clock = REAL) -> None:
        self._inner = inner
        self._watch = watch
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}
        changed = partial(watch.stands, inner.id, None)
        self._credential = Circuit(changed, clock, RECHECK_S, LONGEST_RECHECK_S)

    @property
    def id(self) -> str:
        """The provider's name in the catalog."""
        return self._inner.id

    async def complete(self, call: ModelCall) -> Completion:
        """Answer, unless the circuit is open."""
        circuit, ticket = self._enter(call.model)
        try:
            completion = await self._inner.complete(call)
        except ProviderError as error:
            self._failed(circuit, ticket, error)
            raise
        except BaseException:
            circuit.abandoned(ticket)
            raise
        circuit.succeeded(ticket)
        return completion

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Completion, None]:
        """Answer as it is written, unless the circuit is open."""
        circuit, ticket = self._enter(call.model)
        pieces = self._inner.stream(call)
        try:
            async for piece in pieces:
                if circuit.state != "closed":  # a probe holds the model off until it is over
                    ticket = circuit.answered(ticket)
                yield piece
        except ProviderError as error:
            self._failed(circuit, ticket, error)
            raise
        except BaseException:
            circuit.abandoned(ticket)
            await pieces.aclose()
            raise
        circuit.succeeded(ticket)

    def _enter(self, model: Model) -> tuple[Circuit, int]:
        circuit = self._credential
        if circuit.state == "closed":
            circuit = self._circuits.get(model.id) or self._new(model)
        ticket = circuit.admit()
        if ticket is None:
            raise self._refusal(circuit, model)
        return circuit, ticket

    def _new(self, model: Model) -> Circuit:
        changed = partial(self._watch.stands, self.id, model.id)
        circuit = self._circuits[model.id] = Circuit(changed, self._clock)
        return circuit

    def _refusal(self, circuit: Circuit, model: Model) -> ProviderError:
        wait = circuit.retry_in_s
        if circuit is self._credential:
            why = f"{self.id} refused its API key and is left alone; check the key and restart, or wait for a recheck."
            return ProviderError("auth", why, retry_after_s=wait, sent=False)
        if circuit.limited:
            why = (
                f"{self.id} is limiting the rate of {model.id}; ask again in {wait:.0f} s or choose another model."
            )
            return ProviderError("rate_limited", why, retry_after_s=wait, sent=False)
        why = f"{model.id} at {self.id} kept failing and is left alone for {wait:.0f} s; choose another model."
        return ProviderError("circuit_open", why, retry_after_s=wait, sent=False)

    def _failed(self, circuit: Circuit, ticket: int, error: ProviderError) -> None:
        fault = error.kind in FAULTS
        if not error.sent or (fault and circuit is self._credential):  # which tells nothing of the key
            circuit.abandoned(ticket)
        elif error.kind == "auth":
            self._refused(circuit, ticket, error)
        elif fault:
            circuit.failed(ticket, error.retry_after_s, limited=error.kind == "rate_limited")
        else:
            circuit.succeeded(ticket)

    def _refused(self, circuit: Circuit, ticket: int, error: ProviderError) -> None:
        """The credential was refused: for one model, or altogether."""
        if circuit is self._credential:
            circuit.trip(ticket)
            return
        if error.upstream_status in ABOUT_ONE_MODEL:
            circuit.denied(ticket, LONGEST_COOLDOWN_S)
            return
        circuit.abandoned(ticket)
        ticket_of_all = self._credential.admit()
        if ticket_of_all is not None:
            self._credential.trip(ticket_of_all)
