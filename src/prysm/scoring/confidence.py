"""P(correct) of an answer: the calibrated one, within the limits that no calibration has seen beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prysm.scoring.calibration import Evidence, Parameters
    from prysm.scoring.standing import Standing

FUSED = "fused-v0 (uncalibrated)"
UNCALIBRATED = "(uncalibrated)"

SINGLE_CAP, NO_MAJORITY_CAP = 0.80, 0.50
"""Without outcomes of its class, one answer is not trusted beyond what its looks and a prior can tell, and the top
answer of a vote without a majority is a coin's toss at best."""
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


def assessed(
    evidence: Evidence, parameters: Parameters, standing: Standing, *, valid: float = 1.0
) -> tuple[float, str]:
    """Return P(correct), 0–1, and how it was found.

    `valid` is the part of the calls that gave an answer: the silence of some lowers the rest. What is no whole
    answer is capped whatever the evidence.
    """
    value, method = parameters.assess(evidence) or (UNKNOWN, f"prior-v0 {UNCALIBRATED}")
    if method.endswith(UNCALIBRATED):
        value = min(value, _uncalibrated_cap(evidence))
    return min(value * valid, STANDING_CAPS[standing]), method


def _uncalibrated_cap(evidence: Evidence) -> float:
    if evidence.situation == "single":
        return SINGLE_CAP
    return NO_MAJORITY_CAP if evidence.situation != "escalated" and evidence.features["share"] <= HALF else 1.0


def fused(agreement: float, support: float, quality: float, *, against_panel: bool) -> tuple[float, str]:
    """Score an answer written from several, where no outcomes are known.

    It goes by how far they agreed, how many of them it keeps (`support`), and how it looks. One that contradicts
    a unanimous panel on a closed question is more likely wrong than the panel.
    """
    value = 0.5 * agreement + 0.3 * support + 0.2 * quality
    return (min(value, AGAINST_PANEL_CAP) if against_panel else value), FUSED
