"""A kept answer as bytes, and back: all that is needed to give it again."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import orjson

from prysm.core.cache import Original, Recalled
from prysm.core.chat import Completion, TokenLogprob, TopLogprob, Usage
from prysm.core.content import Thinking, ToolCall
from prysm.core.embedding import Vectors
from prysm.core.run import Candidate, Cluster, Score, Stage, Verdict

if TYPE_CHECKING:
    from prysm.core.model import Model
    from prysm.core.plan import Plan
    from prysm.core.run import Finished

NOTE = "cached"
UNCALLED = Usage(0, 0)
OF_THE_CALL = frozenset({"usage", "attempts", "provider_request_id"})
"""What a completion says of the call that brought it. Who gets it again makes no call."""


def written(run: Finished, verdict: Verdict, proof_hash: str) -> bytes:
    """The answer of a run as JSON. Raises TypeError for a string that is no Unicode."""
    score = verdict.score
    return orjson.dumps(
        {
            "request_id": run.request_id,
            "proof_hash": proof_hash,
            "models": list(dict.fromkeys(s.model.id for s in run.stages if s.model and s.status == "ok")),
            "choices": [
                {
                    "model": made.model.id,
                    "sample": run.stages[made.stage].sample,
                    "completion": _fields(made.completion),
                }
                for made in verdict.choices
            ],
            "score": {
                "confidence": score.confidence,
                "agreement": score.agreement,
                "method": score.method,
                "clusters": score.clusters,
                "bar_cleared": score.bar_cleared,
            },
        },
        default=_plain,
    )


def read(body: bytes, age_s: int, plan: Plan) -> Recalled:
    """The answer again. Raises ValueError, LookupError or TypeError for what `written` did not write for `plan`."""
    kept = orjson.loads(body)
    made = [_candidate(i, choice, _models(plan)) for i, choice in enumerate(kept["choices"])]
    stages = tuple(_stage(one, choice["sample"]) for one, choice in zip(made, kept["choices"], strict=True))
    return Recalled(
        Original(kept["request_id"], kept["proof_hash"], age_s),
        stages,
        Verdict(made[0], _score(kept["score"]), tuple(made[1:])),
        tuple(kept["models"]),
    )


def _models(plan: Plan) -> dict[str, Model]:
    helpers = [model for model in (plan.aggregator, plan.judge) if model is not None]
    return {model.id: model for model in (*plan.models, *plan.fallbacks, *helpers)}


def _fields(done: Completion) -> dict[str, Any]:
    return {field.name: getattr(done, field.name) for field in fields(done) if field.name not in OF_THE_CALL}


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be kept")


def _candidate(i: int, choice: dict[str, Any], models: dict[str, Model]) -> Candidate:
    return Candidate(i, models[choice["model"]], _completion(choice["completion"]))


def _stage(made: Candidate, sample: int) -> Stage:
    """The step that brought a version of the answer: without a try, since nobody was called."""
    return Stage(
        i=made.stage,
        kind="answer",
        status="ok",
        started_ms=0,
        ended_ms=0,
        model=made.model,
        completion=made.completion,
        usage=UNCALLED,
        cost_nano=0,
        sample=sample,
        note=NOTE,
    )


def _completion(kept: dict[str, Any]) -> Completion:
    logprobs, vectors = kept["logprobs"], kept["vectors"]
    return Completion(
        **kept
        | {
            "usage": UNCALLED,
            "tool_calls": tuple(ToolCall(**call) for call in kept["tool_calls"]),
            "thinking": tuple(Thinking(**thought) for thought in kept["thinking"]),
            "logprobs": None if logprobs is None else tuple(_token(one) for one in logprobs),
            "vectors": vectors and Vectors(b64decode(vectors["data"]), vectors["dimensions"]),
        }
    )


def _token(kept: dict[str, Any]) -> TokenLogprob:
    top = tuple(TopLogprob(**_bytes(other)) for other in kept["top"])
    return TokenLogprob(**_bytes(kept) | {"top": top})


def _bytes(kept: dict[str, Any]) -> dict[str, Any]:
    return kept | {"bytes": None if kept["bytes"] is None else tuple(kept["bytes"])}


def _score(kept: dict[str, Any]) -> Score:
    """As it was, but for the figures behind it: calibration would count them twice."""
    clusters = tuple(
        Cluster(tuple(each["members"]), tuple(each["models"]), each["weight"], each["answer"])
        for each in kept["clusters"]
    )
    return Score(**kept | {"clusters": clusters})
