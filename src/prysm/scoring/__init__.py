"""How far to trust an answer: extract it, compare it with the others, put a calibrated probability on it.

Pure functions over candidates. `score_single`, `score_votes`, `score_escalated` and `score_fused` are what
strategies call, `consensus` decides by a rule; none of them sets `Score.bar_cleared`, which needs the policy.
"""

from prysm.scoring.calibration import Evidence, Parameters
from prysm.scoring.cluster import Compared
from prysm.scoring.consensus import Consensus, consensus
from prysm.scoring.equivalence import Answer, answers, same, similarity
from prysm.scoring.extract import Extracted, final_answer
from prysm.scoring.scores import (
    Ballot,
    evidence_single,
    score_escalated,
    score_fused,
    score_single,
    score_votes,
)
from prysm.scoring.standing import is_refusal, usable

__all__ = [
    "Answer",
    "Ballot",
    "Compared",
    "Consensus",
    "Evidence",
    "Extracted",
    "Parameters",
    "answers",
    "consensus",
    "evidence_single",
    "final_answer",
    "is_refusal",
    "same",
    "score_escalated",
    "score_fused",
    "score_single",
    "score_votes",
    "similarity",
    "usable",
]
