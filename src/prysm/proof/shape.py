"""The fields of a record and their types, as docs/proof.md lists them. Fields beyond these are nobody's concern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from prysm.proof.defect import Defect
from prysm.proof.document import MAX_STAGES, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Misfit: TypeAlias = Callable[[Any], str | None]
    """None for a value that fits; else where inside it the trouble is, empty for the value itself."""


def check_shape(record: Mapping[str, Any]) -> None:
    """Raise `Defect` that names the first field of a record that is missing or of another type."""
    where = _RECORD(record)
    for name, misfit in _OPTIONAL.items():
        where = where or _nullable(misfit)(record.get(name))
    if where is not None:
        raise Defect(f"the field {where.removeprefix('.')} of the record is missing or malformed")
    if len(record["stages"]) > MAX_STAGES:
        raise Defect(f"the record lists more than {MAX_STAGES} stages")


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else ""


def _truth(value: Any) -> str | None:
    return None if isinstance(value, bool) else ""


def _count(value: Any) -> str | None:
    return None if whole(value) and value >= 0 else ""


def _written(pattern: str) -> Misfit:
    matches = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: None if isinstance(value, str) and matches(value) else ""


def _nullable(misfit: Misfit) -> Misfit:
    return lambda value: None if value is None else misfit(value)


def _fields(at: str = "", **named: Misfit) -> Misfit:
    items = tuple(named.items())

    def misfit(value: Any) -> str | None:
        if not isinstance(value, dict):
            return at
        for name, inner in items:
            if name not in value or (where := inner(value[name])) is not None:
                return f"{at}.{name}{where if name in value else ''}"
        return None

    return misfit


def _list_of(misfit: Misfit) -> Misfit:
    def first(value: Any) -> str | None:
        if not isinstance(value, list):
            return ""
        found = ((i, where) for i, item in enumerate(value) if (where := misfit(item)) is not None)
        return next((f"[{i}]{where}" for i, where in found), None)

    return first


def _texts_by_name(value: Any) -> str | None:
    return None if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()) else ""


_TEXT = _nullable(_text)
_COUNT = _nullable(_count)
_DECIMAL = _nullable(_written(r"0\.[0-9]{3}|1\.000"))
_AMOUNT = _nullable(_written(r"0|[1-9][0-9]{0,30}"))
_DIGEST = _written(r"sha256:[0-9a-f]{64}")
_MOMENT = _written(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_COMMITMENT = _nullable(_fields(enc=_text, alg=_text, c=_text))
_RUN = _written(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OPTIONAL = {
    "evidence": _fields(".evidence", situation=_text, task_class=_text, features=_texts_by_name),
    "cached": _fields(".cached", request_id=_RUN, proof_hash=_DIGEST),
}
_RECORD = _fields(
    request_id=_RUN,
    nonce=_written(r"[A-Za-z0-9+/]{21}[AQgw]=="),
    created=_MOMENT,
    sealed=_MOMENT,
    outcome=_written("ok|degraded|failed|client_aborted|interrupted"),
    error=_TEXT,
    stream=_truth,
    simulated=_truth,
    gateway=_fields(name=_text, version=_text),
    policy=_nullable(_fields(id=_text, bar=_DECIMAL)),
    strategy=_fields(name=_text, forced=_truth),
    mode=_text,
    task=_text,
    plan=_fields(reason_digest=_DIGEST),
    answer=_nullable(_fields(stage=_COUNT, model=_TEXT, display=_TEXT, provider=_TEXT, finish=_TEXT)),
    confidence=_DECIMAL,
    agreement=_DECIMAL,
    method=_TEXT,
    degraded=_list_of(_text),
    usage=_fields(input_tokens=_COUNT, output_tokens=_COUNT, estimated=_truth),
    cost=_fields(nano_usd=_AMOUNT, price_version=_text),
    latency_ms=_COUNT,
    retention=_written("none|zero|[0-9]+s"),
    commit=_fields(prompt=_COMMITMENT, answer=_COMMITMENT),
    stages=_list_of(_fields(i=_count, kind=_text, digest=_text)),
    head=_TEXT,
)
