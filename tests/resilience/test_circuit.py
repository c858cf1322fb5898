"""The breaker's states: a model of what they promise, checked on any sequence of events."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.resilience.scripted_provider import Hands

from prysm.core.provider import CLOSED, Standing
from prysm.resilience.circuit import COOLDOWN_S, IN_A_ROW, LONGEST_COOLDOWN_S, Circuit


class Machine(RuleBasedStateMachine):
    """Calls come, end well or not or not at all, and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.hands = Hands()
        self.told: list[Standing] = [CLOSED]
        self.circuit = Circuit(self.told.append, self.hands.clock)
        self.out: list[tuple[int, str]] = []
        self.opened_at: float | None = None

    @rule()
    def a_call_comes(self) -> None:
        """It gets a ticket, at any rate while the circuit is closed."""
        before = self.circuit.state
        ticket = self.circuit.admit()
        if ticket is None:
            assert before != "closed"
            return
        self.out.append((ticket, self.circuit.state))

    @rule(how=st.sampled_from(["succeeded", "failed", "abandoned"]), which=st.integers(0, 50))
    def a_call_ends(self, how: str, which: int) -> None:
        """Any of those that are out, in any order."""
        if self.out:
            ticket, _ = self.out.pop(which % len(self.out))
            getattr(self.circuit, how)(ticket)

    @rule(n=st.integers(1, 12))
    def calls_fail(self, n: int) -> None:
        """An outage."""
        for _ in range(n):
            ticket = self.circuit.admit()
            if ticket is not None:
                self.circuit.failed(ticket)

    @rule(seconds=st.floats(0, 2 * LONGEST_COOLDOWN_S))
    def time_passes(self, seconds: float) -> None:
        """Long enough for anything to be over, or not."""
        self.hands.advance(seconds)

    @invariant()
    def at_most_one_probe_is_out(self) -> None:
        """Half open means one call."""
        current = [state for ticket, state in self.out if ticket == self.circuit._era and state == "half_open"]
        assert len(current) <= 1

    @invariant()
    def what_was_told_is_how_it_stands(self) -> None:
        """Routing knows nothing but what it was told."""
        told, now = self.told[-1], self.circuit.standing
        assert (told.state, told.live) == (now.state, now.live)

    @invariant()
    def an_open_circuit_opens_its_door_in_time(self) -> None:
        """Nothing is switched off for ever."""
        if self.circuit.state == "open":
            assert 0 < self.circuit.retry_in_s <= LONGEST_COOLDOWN_S + 1e-6


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestCircuit = pytest.mark.filterwarnings("default")(Machine.TestCase)


def circuit() -> tuple[Circuit, Hands, list[Standing]]:
    hands, told = Hands(), list[Standing]()
    return Circuit(told.append, hands.clock), hands, told


def fail(subject: Circuit, times: int = 1) -> None:
    for _ in range(times):
        ticket = subject.admit()
        assert ticket is not None
        subject.failed(ticket)


def test_faults_in_a_row_open_it_and_a_good_probe_closes_it() -> None:
    subject, hands, told = circuit()
    fail(subject, IN_A_ROW)
    assert (subject.state, subject.admit()) == ("open", None)
    hands.advance(COOLDOWN_S)
    probe = subject.admit()
    assert (subject.state, subject.admit()) == ("half_open", None)
    assert probe is not None
    subject.succeeded(probe)
    assert [(standing.state, standing.live) for standing in told] == [
        ("open", False),
        ("half_open", True),
        ("half_open", False),
        ("closed", True),
    ]


def test_half_the_calls_failing_opens_it_though_never_many_in_a_row() -> None:
    subject, _, _ = circuit()
    for _ in range(5):
        subject.succeeded(subject.admit() or 0)
        fail(subject)
    assert subject.state == "open"


def test_a_few_faults_among_many_answers_leave_it_closed() -> None:
    subject, _, _ = circuit()
    for _ in range(50):
        for _ in range(9):
            subject.succeeded(subject.admit() or 0)
        fail(subject)
    assert subject.state == "closed"


def test_a_good_past_does_not_hide_an_outage_for_long() -> None:
    subject, hands, _ = circuit()
    for _ in range(10_000):
        subject.succeeded(subject.admit() or 0)
    windows = 0
    while subject.state == "closed" and windows < 20:
        hands.advance(31)
        windows += 1
        for _ in range(100):
            if subject.state == "closed":
                subject.succeeded(subject.admit() or 0)
            if subject.state == "closed":
                fail(subject)
                fail(subject) if subject.state == "closed" else None
    assert windows <= 10


def test_the_pause_doubles_with_each_bad_probe_up_to_a_bound_and_begins_anew() -> None:
    subject, hands, _ = circuit()
    fail(subject, IN_A_ROW)
    pauses = []
    for _ in range(7):
        pauses.append(subject.retry_in_s)
        hands.advance(subject.retry_in_s)
        fail(subject)
    assert pauses == [5, 10, 20, 40, 80, 120, 120]
    hands.advance(120)
    subject.succeeded(subject.admit() or 0)
    fail(subject, IN_A_ROW)
    assert subject.retry_in_s == COOLDOWN_S


def test_a_longer_wait_that_the_provider_asks_for_is_kept() -> None:
    subject, _, _ = circuit()
    fail(subject, IN_A_ROW - 1)
    subject.failed(subject.admit() or 0, 42)
    assert subject.retry_in_s == 42


def test_a_probe_that_nobody_waits_for_leaves_the_door_to_the_next() -> None:
    subject, hands, _ = circuit()
    fail(subject, IN_A_ROW)
    hands.advance(COOLDOWN_S)
    subject.abandoned(subject.admit() or 0)
    assert (subject.standing.live, subject.admit() is not None) == (True, True)


def test_what_a_call_from_before_the_fault_says_later_changes_nothing() -> None:
    subject, _, _ = circuit()
    early = subject.admit()
    assert early is not None
    fail(subject, IN_A_ROW)
    subject.succeeded(early)
    assert subject.state == "open"
