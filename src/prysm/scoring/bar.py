"""The score as it is told: rounded, and held against the bar that the caller's policy sets."""

from __future__ import annotations

from prysm.core.run import Score, Verdict


def told(verdict: Verdict, bar: float | None) -> Verdict:
    """Three decimals: more would promise what no estimate holds, and the receipt keeps as many.

    `bar` is a bar on the confidence, 0–1; None where no policy is at work. A strategy that said itself whether it was
    cleared is believed.
    """
    score = verdict.score
    confidence = None if score.confidence is None else round(score.confidence, 3)
    cleared = score.bar_cleared
    if cleared is None and bar is not None and confidence is not None:
        cleared = confidence >= bar
    agreement = None if score.agreement is None else round(score.agreement, 3)
    rounded = Score(confidence, agreement, score.method, score.clusters, cleared, score.evidence)
    return Verdict(verdict.candidate, rounded, verdict.others)
