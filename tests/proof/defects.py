"""What the lists of bad receipts share: how a case says which check must fail, and how a forger alters a receipt."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import rfc8785
from tests.proof.made import PAYLOAD_TYPE, RECEIPT, b64, entry, sealed, sha256, summary
from tests.proof.runs import ensemble, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.proof.made import Case

BAD: dict[str, Callable[[], Case]] = {}
"""Every bad receipt by the name of its defect."""


def bad(level: int, check: str, reason: str) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Enter a case: its function's name is the defect, its docstring says what was done.

    `reason` is a phrase that every verifier of ours uses: to be refused for something else is no success.
    """

    def enter(make: Callable[[], Case]) -> Callable[[], Case]:
        name = make.__name__.removesuffix("_").replace("_", "-")
        expect = {"level": level, "check": check, "reason": reason}
        about = {"about": " ".join((make.__doc__ or "").split()), "expect": expect}
        BAD[name] = lambda: about | make()
        return make

    return enter


def receipt(**how: Any) -> Case:
    """A good receipt of three proposals, a vote and a synthesis."""
    return sealed(*ensemble(), **how)


def signed_as_is(text: str) -> Case:
    """A receipt whose signer put his name to these very bytes."""
    return sealed(*single(), payload=text.encode())


def payload_text() -> str:
    """The canonical text of a good record."""
    return rfc8785.dumps(single()[0]).decode()


def forged(change: Callable[[dict[str, Any]], None]) -> Case:
    """A receipt altered by someone without the key, who also mends the hash and the summary."""
    case = receipt()
    proof = case["document"]["proof"]
    record = json.loads(base64.b64decode(proof["envelope"]["payload"]))
    change(record)
    payload = rfc8785.dumps(record)
    proof["envelope"]["payload"] = b64(payload)
    proof["proof_hash"] = sha256(payload)
    case["document"]["entry"] = summary(record)
    return case


def our_entry(kind: int = RECEIPT) -> bytes:
    """What the log holds of the good receipt."""
    return entry(kind, PAYLOAD_TYPE, base64.b64decode(envelope(receipt())["payload"]))


def with_log(**changes: Any) -> Case:
    """The good receipt with other words about its place in the log."""
    case = receipt()
    log(case).update(changes)
    return case


def envelope(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = case["document"]["proof"]["envelope"]
    return found


def log(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = case["document"]["proof"]["log"]
    return found


def flipped(data: bytes) -> bytes:
    """The same bytes but for one bit."""
    return bytes([data[0] ^ 1]) + data[1:]
