"""P(correct) of an answer: the calibrated one, within the limits that no calibration has seen beyond."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING

from prysm.scoring.logistic import sigmoid

if TYPE_CHECKING:
    from prysm.scoring.calibration import Evidence, Parameters
    from prysm.scoring.standing import Standing

FUSED = "fused-v0 (uncalibrated)"
UNCALIBRATED = "(uncalibrated)"

DOUBLED = log(2)
"""Log odds by which one model's answers may exceed its prior without outcomes of their class: what an answer looks
like tells little, and samples share their mistakes, so that on some tasks a unanimous model is mostly wrong."""
ONE_MODEL_CAP, MODELS_CAP, NO_MAJORITY_CAP = 0.80, 0.90, 0.50
"""Without such outcomes neither one model nor several that agree are trusted beyond these, and the top answer of a vote
without a majority is a coin's toss at best."""
HALF = 0.5
STANDING_CAPS: dict[Standing, float] = {
    "whole": 1.0,
    "truncated": 0.35,
    "refused": 0.15,
    "repetitive": 0.15,
    "empty": 0.0,
}
AGAINST_PANEL_CAP = 0.40
UNKNOWN = 0.5


def assessed(evidence: Evidence, parameters: Parameters) -> tuple[float, str]:
    """Return P(correct), 0–1, and how it was found.

    Calls that gave no answer do not count: no outcome tells what their silence says of the others. What a panel loses
    by them is decided, not fitted (`strategies.proposals.as_heard`).
    """
    value, method = parameters.assess(evidence) or (UNKNOWN, f"prior-v0 {UNCALIBRATED}")
    return min(value, _uncalibrated_cap(evidence)) if method.endswith(UNCALIBRATED) else value, method


def _uncalibrated_cap(evidence: Evidence) -> float:
    """Return what a prior allows: each model of the answer's cluster doubles its odds."""
    features = evidence.features
    sources = features.get("sources")
    models = exp(sources) if sources else 1.0
    prior = features.get("prior", 0.0) + features.get("tier", 0.0)
    cap = min(sigmoid(prior + DOUBLED * models), MODELS_CAP if models > 1 else ONE_MODEL_CAP)
    vote = evidence.situation in {"samples", "panel"}
    return min(cap, NO_MAJORITY_CAP) if vote and features.get("share", 1.0) <= HALF else cap


def fused(
    agreement: float, support: float, quality: float, *, parts: float, against_panel: bool
) -> tuple[float, str]:
    """Score an answer written from several, where no outcomes are known.

    It goes by how far they agreed, how many of them it keeps (`support`), and how it looks, but never beyond its
    `parts`: the confidence in the vote or in the writer alone; where it differs from the vote, what both leave. One
    that contradicts a unanimous panel on a closed question is more likely wrong than the panel.
    """
    value = min(parts, 0.5 * agreement + 0.3 * support + 0.2 * quality)
    return (min(value, AGAINST_PANEL_CAP) if against_panel else value), FUSED
