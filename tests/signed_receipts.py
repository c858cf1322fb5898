"""A log of a few receipts with real keys, for the tests of those who verify."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from prysm.proof import checkpoint, tiles
from prysm.proof.canonical import Json, canonical
from prysm.proof.dsse import digest, pae
from prysm.proof.entry import entry
from prysm.proof.hashing import PAYLOAD_TYPE, commitment, proof_hash, stage_digest
from prysm.proof.leaves import BEGINNING, RECEIPT
from prysm.proof.leaves import entry as log_entry
from prysm.proof.merkle import leaf_hash
from prysm.proof.signing import SigningKey

RUN = "0b8e7f0c-6b1f-4ef7-9d0a-3f1f5f3d2a11"
ORIGIN = "prysm/00112233445566778899aabbccddeeff"
SALT = bytes(range(32))
ANSWER = "Tokyo"
PROMPT: list[Json] = [{"role": "user", "content": "What is the capital of Japan?"}]
OPENINGS = {
    "prompt": {"enc": "jcs", "salt": base64.b64encode(SALT).decode()},
    "answer": {"enc": "utf8", "salt": base64.b64encode(SALT).decode()},
}


def hash_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Log:
    """A log in memory. `receipt_key` signs receipts, `log_keys` sign checkpoints."""

    origin: str = ORIGIN
    receipt_key: SigningKey = field(default_factory=lambda: SigningKey.from_private(bytes([1]) * 32))
    log_keys: list[SigningKey] = field(default_factory=lambda: [SigningKey.from_private(bytes([2]) * 32)])
    leaves: list[bytes] = field(default_factory=lambda: [leaf_hash(log_entry(BEGINNING, bytes(32)))])
    since: int | None = 0
    until: int | None = None

    def grow(self, n: int, seed: int = 0) -> None:
        """Append leaves that are no receipts of ours; another seed is another history."""
        self.leaves += [leaf_hash(log_entry(RECEIPT, hash_of(b"%d %d" % (seed, i)))) for i in range(n)]

    def add(self, payload: bytes) -> int:
        """Append a receipt; returns its index."""
        self.leaves.append(leaf_hash(log_entry(RECEIPT, digest(PAYLOAD_TYPE, payload))))
        return len(self.leaves) - 1

    def tree(self) -> tiles.Appender:
        """The whole tree."""
        tree = tiles.Appender(0, {})
        tree.append(self.leaves)
        return tree

    def place(self, index: int) -> dict[str, Any]:
        """What a document says of the log, under a checkpoint of now."""
        tree, size = self.tree(), len(self.leaves)
        held = tree.changed()
        note = checkpoint.signed(checkpoint.Checkpoint(self.origin, size, tree.root()), self.log_keys)
        path = [b64(each) for each in tiles.inclusion_path(index, size, held)]
        return {
            "state": "included",
            "origin": self.origin,
            "index": index,
            "size": size,
            "inclusion": path,
            "checkpoint": note,
        }

    def consistency(self, smaller: int, larger: int) -> dict[str, Any]:
        """The answer of `/v1/log/proof/consistency`."""
        path = tiles.consistency_path(smaller, larger, self.tree().changed())
        return {"origin": self.origin, "from": smaller, "to": larger, "proof": [b64(each) for each in path]}

    def keys(self) -> dict[str, Any]:
        """The keys document."""
        listed = [(self.receipt_key, "receipt", self.since, self.until)]
        listed += [(key, "log", 0, None) for key in self.log_keys]
        return {
            "keys": [
                {
                    "kid": key.kid,
                    "use": use,
                    "alg": "Ed25519",
                    "public": b64(key.public),
                    "origin": self.origin,
                    "from_index": since,
                    "to_index": until,
                    "status": "active",
                }
                for key, use, since, until in listed
            ]
        }

    def document(self, record: dict[str, Json] | None = None, stages: tuple[bytes, ...] | None = None) -> Any:
        """A whole receipt, appended to this log: what `prysm proof get ID --all` prints."""
        bodies = STAGES if stages is None else stages
        payload = canonical(RECORD if record is None else record)
        made = unlogged(payload, bodies, self.receipt_key)
        made["proof"]["log"] = self.place(self.add(payload))
        return made | {"keys": self.keys()}


def _stages() -> tuple[tuple[bytes, ...], list[Json]]:
    bodies: list[bytes] = []
    listed: list[Json] = []
    digests: list[Json] = []
    for i, kind in enumerate(("plan", "propose", "answer")):
        bodies.append(canonical({"i": i, "kind": kind, "parents": digests[:i]}))
        digests.append(stage_digest(bodies[-1]))
        listed.append({"i": i, "kind": kind, "digest": digests[-1]})
    return tuple(bodies), listed


STAGES, LISTED = _stages()
RECORD: dict[str, Json] = {
    "v": "prysmproof/2",
    "request_id": RUN,
    "nonce": base64.b64encode(bytes(16)).decode(),
    "created": "2026-11-20T05:59:59.000Z",
    "error": None,
    "stream": False,
    "gateway": {"name": "prysm", "version": "0.1.0"},
    "task": "chat",
    "plan": {"reason_digest": "sha256:" + "0" * 64},
    "method": "calibrated-2/single/chat",
    "evidence": None,
    "retention": "none",
    "stages": LISTED,
    "head": stage_digest(STAGES[-1]),
    "answer": {
        "stage": 2,
        "model": "sandbox-small",
        "display": "Small",
        "provider": "sandbox",
        "finish": "stop",
    },
    "policy": None,
    "mode": "balanced",
    "strategy": {"name": "single", "forced": False},
    "usage": {"input_tokens": 3, "output_tokens": 5, "estimated": False},
    "cost": {"nano_usd": "12000", "price_version": "builtin-1"},
    "latency_ms": 7,
    "sealed": "2026-11-20T06:00:00.000Z",
    "outcome": "ok",
    "confidence": "0.873",
    "agreement": None,
    "simulated": True,
    "degraded": [],
    "commit": {
        "prompt": {
            "enc": "jcs",
            "alg": "HMAC-SHA256",
            "c": commitment(SALT, "prompt", "jcs", canonical(PROMPT)),
        },
        "answer": {
            "enc": "utf8",
            "alg": "HMAC-SHA256",
            "c": commitment(SALT, "answer", "utf8", ANSWER.encode()),
        },
    },
}


def unlogged(payload: bytes, stages: tuple[bytes, ...], key: SigningKey | None) -> Any:
    """A receipt that is signed by `key`, if any, and nowhere in a log."""
    signed = [{"keyid": key.kid, "sig": b64(key.sign(pae(PAYLOAD_TYPE, payload)))}] if key else []
    return {
        "verified": True,
        "request_id": RUN,
        "entry": entry(payload),
        "proof": {
            "version": 2,
            "proof_hash": "sha256:" + proof_hash(payload).hex(),
            "envelope": {"payloadType": PAYLOAD_TYPE, "payload": b64(payload), "signatures": signed},
            "log": None,
        },
        "stages": [{"i": i, "body": b64(body)} for i, body in enumerate(stages)],
    }
