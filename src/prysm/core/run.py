"""What happened during a run: stages, candidates, the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from prysm.core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from prysm.core.cache import Original
    from prysm.core.chat import Completion, Usage
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan
    from prysm.errors import Attempt

StageKind: TypeAlias = Literal[
    "plan",
    "answer",
    "sample",
    "propose",
    "escalate",
    "rank",
    "aggregate",
    "subtask",
    "vote",
    "revise",
    "judge",
    "repair",
    "verify",
]
Situation: TypeAlias = Literal["single", "samples", "panel", "escalated", "fused"]
"""One answer; votes of one model; votes of several; the answer of a model asked after others disagreed; an answer
written from several."""
StageStatus: TypeAlias = Literal["ok", "failed", "cancelled"]
Outcome: TypeAlias = Literal["ok", "degraded", "failed", "client_aborted", "interrupted"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a run, in the order it finished; `parents` are the steps it read, so parallel work stays a DAG.

    Times are milliseconds since the run began. A step without a model (a plan, a vote) has `model=None`.
    """

    i: int
    kind: StageKind
    status: StageStatus
    started_ms: int
    ended_ms: int
    parents: tuple[int, ...] = ()
    model: Model | None = None
    completion: Completion | None = None
    usage: Usage | None = None
    cost_nano: int | None = None
    sample: int = 0
    error: str | None = None
    attempts: tuple[Attempt, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer says that is data: tool calls, or JSON in the format that was asked for.

    `spelled` is the same for equal answers, whatever their keys' order, blanks or numbers' notation, and for no others
    of its kind. `parts` are its fields, each with its value: what answers that differ may share.
    """

    kind: Literal["call", "json"]
    spelled: str
    parts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model's answer, still to be compared with the others; `value` is what it says, where that is data."""

    stage: int
    model: Model
    completion: Completion
    value: Value | None = None

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.completion.text

    @property
    def said(self) -> Value | str:
        """What it is compared by."""
        return self.value or self.text


@dataclass(frozen=True, slots=True)
class Cluster:
    """Candidates that say the same. `weight` is their share, 0–1; `answer` the extracted answer, if any."""

    members: tuple[int, ...]
    models: tuple[str, ...]
    weight: float
    answer: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an answer before its outcome: the row that calibration is fitted on, less `correct`."""

    situation: Situation
    task_class: str
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Score:
    """How far to trust an answer: `confidence` is P(correct), `agreement` the top cluster's share.

    Both run from 0 to 1; `None` is unknown.
    """

    confidence: float | None
    agreement: float | None
    method: str
    clusters: tuple[Cluster, ...] = ()
    bar_cleared: bool | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a strategy returns: the chosen answer and how far to trust it.

    `others` are further versions of the answer, where the caller asked for several.
    """

    candidate: Candidate
    score: Score
    others: tuple[Candidate, ...] = ()

    @property
    def choices(self) -> tuple[Candidate, ...]:
        """Every version of the answer, in the order of the caller's choices."""
        return (self.candidate, *self.others)


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended, well or not: everything its receipt and the metrics say of it.

    `original` is the run whose answer it gave again, out of the cache.
    """

    request_id: UUID
    request: ChatRequest
    plan: Plan
    stages: Sequence[Stage]
    degraded: tuple[str, ...]
    outcome: Outcome
    created: datetime
    latency_ms: int
    price_version: str
    verdict: Verdict | None = None
    error: str | None = None
    original: Original | None = None
