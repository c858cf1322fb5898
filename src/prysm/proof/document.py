"""A receipt document, the answer of `GET /v1/proof/{id}`, read strictly."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

from prysm.proof.canonical import bound, exact, too_deep
from prysm.proof.defect import Defect
from prysm.proof.report import quoted
from prysm.proof.strict import from_base64

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 2
"""Of the document; the record inside has a version of its own."""

MAX_BYTES = 32_000_000
"""Of a document, and of any other file of JSON."""

MAX_STAGES = 10_000
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_ID = re.compile(r"(?:prysm-)?([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})")


class NoReceipt(Defect):
    """What was given is no receipt at all, so there is nothing to judge."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature over the payload, 64 bytes when it is well-formed, by the key called `kid`."""

    kid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """The `proof` of a document. `log` is still as it came: a defect in it is one of inclusion."""

    payload_type: object
    payload: bytes
    claimed_hash: str
    signature: Signature | None
    log: object


def load(data: bytes) -> Any:
    """JSON that every reader takes for the same value.

    No key stands twice in one object, no string holds half a character, no number is beyond what a double holds, and
    nothing is nested deeper than 100. Raises `NoReceipt` for what is no JSON and `Defect` for the rest.
    """
    if len(data) > MAX_BYTES:
        raise Defect(f"it is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        source = data.decode()
        value = _decode(source)
    except Defect:
        raise
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError:
        raise NoReceipt("it is not UTF-8") from None
    except ValueError:
        raise NoReceipt("it is not JSON") from None
    bound(value)
    if _HALF.search(source):
        _require_whole(value)
    return value


def _require_whole(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Defect("a string holds half a character") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Defect("a number is beyond a double")
    return value


def require_receipt(document: object) -> Mapping[str, Any]:
    """The same document; raises `NoReceipt` when it has no `proof.envelope.payload` or no `proof.proof_hash`."""
    if isinstance(document, dict):
        match document:
            case {"proof": {"envelope": {"payload": _}, "proof_hash": _}}:
                return document
    raise NoReceipt("it has no proof.envelope.payload or no proof.proof_hash")


def read_proof(document: Mapping[str, Any]) -> Proof:
    """The envelope of a receipt. Raises `Defect` where it is malformed."""
    proof = document["proof"]
    envelope = proof["envelope"]
    if not whole(proof.get("version")) or proof["version"] != VERSION:
        raise Defect(f"unknown proof version {quoted(proof.get('version'))}; this verifier knows {VERSION}")
    return Proof(
        envelope.get("payloadType"),
        decoded(envelope["payload"], "the payload"),
        text(proof["proof_hash"], "the proof_hash"),
        _signature(envelope.get("signatures")),
        proof.get("log"),
    )


def _signature(listed: object) -> Signature | None:
    match listed:
        case []:
            return None
        case [{"keyid": str(kid), "sig": str(value)}]:
            return Signature(kid, decoded(value, "the signature"))
        case [_, _, *_]:
            raise Defect(f"a receipt has one signature, this one lists {len(listed)}")
    raise Defect("the list of signatures is missing or malformed")


def stage_bodies(document: Mapping[str, Any]) -> Sequence[bytes] | None:
    """The bodies in `stages`, each an answer of `/v1/proof/{id}/stages/{i}`; None when there is no such list."""
    stages = document.get("stages")
    if stages is None:
        return None
    if not isinstance(stages, list):
        raise Defect("the stages are not a list")
    if len(stages) > MAX_STAGES:
        raise Defect(f"there are more than {MAX_STAGES} stages")
    return [decoded(_body(stage), f"the body of stage {i}") for i, stage in enumerate(stages)]


def stage_count(document: Mapping[str, Any]) -> int:
    """How many stages the record lists; 0 when it cannot be read, which the verification will say."""
    try:
        return listed_stages(from_base64(document["proof"]["envelope"]["payload"]))
    except (ValueError, LookupError, TypeError):
        return 0


def listed_stages(payload: bytes) -> int:
    """How many stages the record of a payload lists; 0 when it cannot be read."""
    try:
        listed = json.loads(payload)["stages"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return 0
    return len(listed) if isinstance(listed, list) else 0


def plain_id(request_id: str) -> str:
    """The id of a run from a spelling of it that a gateway takes; anything else as it is."""
    found = _ID.fullmatch(request_id.lower())
    return request_id if found is None else "-".join((found[1], *found.groups()[2:]))


def is_id(text: str) -> bool:
    """Whether it can be the id of a run."""
    return _ID.fullmatch(text.lower()) is not None


def decoded(value: object, what: str) -> bytes:
    """Bytes from strict base64."""
    try:
        return from_base64(text(value, what))
    except Defect:
        raise Defect(f"{what} is not base64 in its canonical form") from None


def text(value: object, what: str) -> str:
    """A string and nothing else."""
    if not isinstance(value, str):
        raise Defect(f"{what} is not a string")
    return value


def whole(value: object) -> TypeGuard[int]:
    """Whether it is an integer. JSON's true is none, whatever Python holds."""
    return isinstance(value, int) and not isinstance(value, bool)


def _body(stage: object) -> object:
    return stage.get("body") if isinstance(stage, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Defect(f"the key {quoted(twice)} stands twice in one object")
    return found


def _no_json(_: str) -> NoReturn:
    raise NoReceipt("it is not JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_json, parse_int=exact, parse_float=_finite
).decode
