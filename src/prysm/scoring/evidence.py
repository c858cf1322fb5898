"""What can be seen of an answer and of the vote around it, as numbers: the input of a calibrated confidence.

All of it comes from the texts and the call records; none needs another call.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate
from math import exp, log, log1p
from typing import TYPE_CHECKING

from prysm.core.model import TIER_QUALITY
from prysm.scoring.logistic import logit
from prysm.scoring.surface import hedging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import TokenLogprob
    from prysm.core.model import Task
    from prysm.core.run import Candidate
    from prysm.scoring.extract import Extracted
    from prysm.scoring.question import Question

PRIOR_FEATURES = (
    "prior",  # log odds of the model's quality for the task, where the catalog knows it, else 0
    "tier",  # log odds of its tier's quality, where it does not, else 0
    "assumed",  # the catalog does not know it
)
ANSWER_FEATURES = (
    "silent",  # no answer could be extracted where one short answer is asked for
    "wrong_sum",  # an equation of numbers in the text does not hold
    "hedging",  # hedges a sentence, at most 1
    "stated",  # log odds of the confidence that the answer states, 0 where it states none
    "has_stated",  # it states one
    "logprob",  # log odds of the mean probability of the answer's tokens, 0 where the call has none
    "has_logprob",  # the call has them
)
FORM_FEATURES = (
    "round",  # the answer is a whole number, a letter or a word: nothing with a fraction, root or variable
    "echoed",  # the reasoning ends in the same answer
    "length",  # log of the answer's tokens, reasoning included
    "prompt_length",  # log of the prompt's words
    "prompt_numbers",  # log of its numbers
    "prompt_sentences",  # log of its sentences
    "prompt_formula",  # it holds LaTeX
    "prompt_variables",  # it holds a letter on its own
    "prompt_amount",  # it asks how much or how many
)
"""What means something else in each class of task: not for the parameters that stand in for an unknown class."""
VOTE_FEATURES = (
    "share",  # weight of the answer's cluster
    "agreeing",  # log of the answers in it
    "sources",  # log of the models they come from
    "dissenting",  # log of the answers elsewhere
    "rival",  # log of the answers in the largest other cluster
    "rivals",  # log of the other clusters
)
"""Further answers that agree raise or keep each of the first three and none of the others, further ones that do not
the other way round. Copies of a call are no further answers."""
SIGNS = {
    **dict.fromkeys(("prior", "tier", "share", "agreeing", "sources"), 1),
    **dict.fromkeys(("dissenting", "rival", "rivals"), -1),
}
"""The sign that a weight must have, whatever a sample of outcomes says: better models and more agreement are never
held against an answer, and dissent never speaks for it."""
CHARS_PER_TOKEN = 4
SEEN_CHARS, ECHO_CHARS = 4_000, 240
PRIOR_BOUNDS = (0.03, 0.97)
TOKEN_BOUNDS = (0.0001, 0.9999)
SUM_TOLERANCE = 0.01

_SPACED = re.compile(r"\s*([-+*/×÷^=])\s*")
_SUM = re.compile(
    r"(?<![\w.+*/×÷^=(-])(\d+(?:\.\d+)?)([-+*/×÷])(\d+(?:\.\d+)?)=(-?\d+(?:\.\d+)?)(?![\d.]*[*/×÷^%(])"
)
_CONFIDENCE = re.compile(r"[Cc]onfidence(?: level| score)?[\"*]*\s*(?:is|:|=)\s*[\"*]*(\d{1,3}(?:\.\d+)?)\s*(%?)")
_SIGN_NOISE = str.maketrans("", "", "$€£,\\")


def of_answer(candidate: Candidate, extracted: Extracted | None, form: Question, task: Task) -> dict[str, float]:
    """Return what is known of an answer by itself."""
    completion, model = candidate.completion, candidate.model
    text, tokens = completion.text, completion.logprobs
    seen = text[-SEEN_CHARS:]
    stated = stated_confidence(text) if "onfidence" in seen else None
    known = model.quality.get(task, model.quality.get("default"))
    assumed, numbers = known is None, form.numbers
    own = {  # conditional expressions: half the time of a call of `float`
        "prior": 0.0 if known is None else _prior(known),
        "tier": _prior(TIER_QUALITY[model.tier]) if assumed else 0.0,
        "assumed": 1.0 if assumed else 0.0,
        "silent": 1.0 if extracted is None and form.closed else 0.0,
        "wrong_sum": 1.0 if "=" in seen and _has_wrong_sum(seen) else 0.0,
        "hedging": hedging(seen),
        "stated": 0.0 if stated is None else _odds(stated),
        "has_stated": 0.0 if stated is None else 1.0,
        "round": 1.0 if extracted is not None and extracted.canonical.lstrip("-").isalnum() else 0.0,
        "echoed": 1.0 if extracted is not None and _echoes(seen, extracted.value) else 0.0,
        "length": log1p(completion.usage.completion_tokens or len(text) / CHARS_PER_TOKEN),
        "prompt_length": log1p(form.length),
        "prompt_numbers": log1p(numbers) if numbers else 0.0,
        "prompt_sentences": log1p(form.sentences),
        "prompt_formula": 1.0 if form.formula else 0.0,
        "prompt_variables": 1.0 if form.variables else 0.0,
        "prompt_amount": 1.0 if form.amount else 0.0,
    }
    if tokens:
        value = token_probability(tokens, extracted.value if extracted is not None else "")
        own |= {"logprob": _odds(value, TOKEN_BOUNDS), "has_logprob": 1.0}
    return own


def token_probability(tokens: Sequence[TokenLogprob], answer: str) -> float:
    """Return exp of the mean log probability, 0–1: of the tokens that spell `answer` last, of all if none do."""
    told = [token.logprob for token in _spelling(tokens, answer) or tokens]
    return exp(min(0.0, sum(told) / len(told)))


def _spelling(tokens: Sequence[TokenLogprob], answer: str) -> Sequence[TokenLogprob]:
    """Find the tokens by their own bytes: providers leave out blanks of a text, or add the token that ended it."""
    pieces = [token.token.encode() if token.bytes is None else bytes(token.bytes) for token in tokens]
    wanted = answer.encode()
    start = b"".join(pieces).rfind(wanted) if wanted else -1
    if start < 0:
        return ()
    ends = list(accumulate(map(len, pieces)))
    return tokens[bisect_right(ends, start) : bisect_left(ends, start + len(wanted)) + 1]


def of_vote(own: int, groups: Sequence[Sequence[str]], shares: Sequence[float]) -> dict[str, float]:
    """Return what a vote says of the answer of one of its groups.

    Each group lists the models of its answers, a copy of a call left out; one that holds copies alone is empty.
    """
    others = [len(group) for i, group in enumerate(groups) if i != own and group]
    return {
        "share": shares[own],
        "agreeing": log(max(1, len(groups[own]))),
        "sources": log(max(1, len(set(groups[own])))),
        "dissenting": log1p(sum(others)),
        "rival": log1p(max(others, default=0)),
        "rivals": log1p(len(others)),
    }


@lru_cache(1024)
def _prior(quality: float) -> float:
    """Return the log odds of a quality of the catalog, which holds few."""
    return _odds(quality)


def _odds(probability: float, bounds: tuple[float, float] = PRIOR_BOUNDS) -> float:
    return logit(min(bounds[1], max(bounds[0], probability)))


def stated_confidence(text: str) -> float | None:
    """Return the last confidence that a text states, 0–1: `Confidence: 85%`, `"confidence": 0.85`."""
    seen = text[-SEEN_CHARS:]
    if "onfidence" not in seen or not (found := _CONFIDENCE.findall(seen)):
        return None
    written, percent = found[-1]
    value = float(written) / (100 if percent or float(written) > 1 else 1)
    return value if value <= 1 else None


def _echoes(seen: str, value: str) -> bool:
    """Tell whether what stands before the announced answer ends in that answer."""
    wanted = value.strip(" .$\"'")
    at = seen.rfind(wanted)
    return bool(wanted) and at > 0 and wanted in seen[max(0, at - ECHO_CHARS) : at]


def _has_wrong_sum(seen: str) -> bool:
    sums = _SUM.findall(_SPACED.sub(r"\1", seen.translate(_SIGN_NOISE)))
    return any(not _holds(float(a), sign, float(b), float(c)) for a, sign, b, c in sums)


def _holds(a: float, sign: str, b: float, c: float) -> bool:
    if sign in "/÷" and not b:
        return True
    worked = {"+": a + b, "-": a - b, "*": a * b, "×": a * b}[sign] if sign not in "/÷" else a / b
    return abs(worked - c) <= SUM_TOLERANCE * max(1.0, abs(worked))
