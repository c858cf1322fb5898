"""How far to trust an answer: extract it, compare it with the others, put a probability on it.

Pure functions over candidates. `score_single`, `score_votes` and `score_fused` are what strategies call; none of
them sets `Score.bar_cleared`, which needs the policy.
"""

from prysm.scoring.confidence import gated
from prysm.scoring.equivalence import Answer, answers, same, similarity
from prysm.scoring.extract import Extracted, final_answer
from prysm.scoring.scores import Ballot, score_fused, score_single, score_votes
from prysm.scoring.standing import is_refusal, usable

__all__ = [
    "Answer",
    "Ballot",
    "Extracted",
    "answers",
    "final_answer",
    "gated",
    "is_refusal",
    "same",
    "score_fused",
    "score_single",
    "score_votes",
    "similarity",
    "usable",
]
