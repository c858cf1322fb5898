"""P(correct) before anyone has told us what was correct.

The shapes below come from recorded answers of other people's models. The vote curve was fitted on 3,000 draws of
recorded TriviaQA samples of one model (n = 5: AUROC .891, ECE .022 on that same set); the cap of a single answer
follows from surface features reaching an AUROC of .50–.60. None of it is calibrated on the traffic of whoever runs
this, and every method string says so.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prysm.scoring.standing import Standing

PRIOR = "prior-v0 (uncalibrated)"
VOTE_CURVE = "vote-curve-v0 (uncalibrated)"
GATE = "gate-v0 (uncalibrated)"
FUSED = "fused-v0 (uncalibrated)"

SINGLE_FLOOR, SINGLE_CAP = 0.05, 0.80
STANDING_CAPS: dict[Standing, float] = {
    "whole": 1.0,
    "truncated": 0.35,
    "refused": 0.15,
    "repetitive": 0.15,
    "empty": 0.0,
}
HALF, NO_MAJORITY_CAP = 0.5, 0.50
"""Without a majority the top answer is a coin's toss at best: of two recorded models that disagreed, the first was
right in 23–55 % of the cases, depending on the task; the curve, drawn for three and more, says more than that."""
AGAINST_PANEL_CAP = 0.40
UNDER_BAR = 0.01

_CURVE_X = (0.0, 0.2, 0.33, 0.4, 0.6, 0.67, 0.8, 1.0)
_CURVE_Y = (0.05, 0.14, 0.24, 0.50, 0.79, 0.80, 0.91, 0.96)


def single(prior: float, quality: float, standing: Standing) -> tuple[float, str]:
    """Score one answer: the model's prior for the task, moved a little by how the answer looks (`quality`, 0–1).

    Looks say next to nothing about correctness, so they never lift an answer above `SINGLE_CAP`.
    """
    value = min(SINGLE_CAP, max(SINGLE_FLOOR, prior * (0.6 + 0.4 * quality)))
    return min(value, STANDING_CAPS[standing]), PRIOR


def votes(
    share: float, degree: float, *, prior: float, effective: float = 1.0, valid: float = 1.0
) -> tuple[float, str]:
    """Score the medoid of the top cluster among two or more answers.

    `share` is its cluster's weight and `degree` its mean similarity to all answers, both 0–1. `effective` is the
    effective over the real number of answers (`effective_share`): correlated answers that agree prove less, and
    their confidence falls back toward the model's `prior`; where the vote says less than the prior, it stands.
    `valid` is the part of the calls that gave an answer.
    """
    fitted = curve((share + degree) / 2)
    if share <= HALF:
        fitted = min(fitted, NO_MAJORITY_CAP)
    if fitted > prior:
        fitted = prior + (fitted - prior) * effective
    return fitted * valid, VOTE_CURVE


def curve(mix: float) -> float:
    """Interpolate accuracy at `mix`, the mean of share and degree."""
    at = bisect_right(_CURVE_X, mix)
    if at == len(_CURVE_X):
        return _CURVE_Y[-1]
    if at == 0:
        return _CURVE_Y[0]
    left, right = _CURVE_X[at - 1], _CURVE_X[at]
    return _CURVE_Y[at - 1] + (_CURVE_Y[at] - _CURVE_Y[at - 1]) * (mix - left) / (right - left)


def effective_share(n: int, correlation: float) -> float:
    """Return the effective over the real number of `n` answers whose mean pairwise correlation is given."""
    return (1 + (n - 1) * (1 - correlation)) / n


def gated(confidence: float, bar: float, *, exhausted: bool) -> tuple[float, str]:
    """Score the answer a cascade returns: that of the accepted tier or, with the ladder exhausted, of the last.

    An exhausted cascade must not seem to clear the bar.
    """
    return (max(0.0, min(confidence, bar - UNDER_BAR)) if exhausted else confidence), GATE


def fused(agreement: float, support: float, quality: float, *, against_panel: bool) -> tuple[float, str]:
    """Score an answer written from several: how far they agreed, how many it keeps (`support`), how it looks.

    One that contradicts a unanimous panel on a closed question is more likely wrong than the panel.
    """
    value = 0.5 * agreement + 0.3 * support + 0.2 * quality
    return (min(value, AGAINST_PANEL_CAP) if against_panel else value), FUSED
