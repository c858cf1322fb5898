"""Receipts made from nothing, after docs/proof.md alone: hashlib, rfc8785 and Ed25519, and not a line of prysm.

A mistake in the verifier is so not repeated here. Everything is drawn from names: the same call gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from collections.abc import Sequence

PAYLOAD_TYPE = "application/vnd.prysm.proof.v2+json"
LOG_TYPE = "application/vnd.prysm.log.v1+json"
AUDIT_TYPE = "application/vnd.prysm.audit.v1+json"
RECEIPT, BEGINNING, KEY, AUDIT = 1, 2, 3, 4
INDEX, SIZE = 11, 14
"""Where a receipt is in the log, and how many leaves the log has, unless a case says otherwise."""

Case = dict[str, Any]
"""`about`, `expect`, `keys`, `document` and what else a verifier was given."""


def drawn(name: str, size: int = 32) -> bytes:
    """Bytes that look random and are not."""
    return hashlib.sha256(b"made for a test: " + name.encode()).digest()[:size]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Key:
    """A signing key with the leaves between which it is good."""

    name: str
    use: str = "receipt"
    from_index: int | None = None
    to_index: int | None = None
    status: str = "active"

    @property
    def private(self) -> Ed25519PrivateKey:
        """Drawn from the name."""
        return Ed25519PrivateKey.from_private_bytes(drawn(self.name))

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self.private.public_key().public_bytes_raw()

    @property
    def kid(self) -> str:
        """What envelopes call it."""
        return hashlib.sha256(self.public).hexdigest()[:32]

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self.private.sign(message)

    def listed(self, origin: str) -> dict[str, Any]:
        """Its item in a keys document."""
        named = {"kid": self.kid, "use": self.use, "alg": "Ed25519", "public": b64(self.public), "origin": origin}
        return named | {"from_index": self.from_index, "to_index": self.to_index, "status": self.status}


ORIGIN = "prysm/" + drawn("origin", 16).hex()
LOG_KEY = Key("log key", "log")
OLD_KEY = Key("old receipt key", from_index=2, to_index=9, status="retired")
NEW_KEY = Key("new receipt key", from_index=8)
NEW_LOG_KEY = Key("new log key", "log", from_index=10)
STRANGER = Key("a stranger's key")
KEYS = (LOG_KEY, OLD_KEY, NEW_KEY)
WITNESS = Key("a witness's key", "witness")
WITNESS_NAME = "witness.test"


def pae(payload_type: str, payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def entry(kind: int, payload_type: str, payload: bytes) -> bytes:
    return b"prysm/2\x00" + bytes([kind]) + hashlib.sha256(pae(payload_type, payload)).digest()


def tree_hash(entries: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = _split(len(entries))
    return hashlib.sha256(b"\x01" + tree_hash(entries[:k]) + tree_hash(entries[k:])).digest()


def audit_path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1."""
    if len(entries) == 1:
        return []
    k = _split(len(entries))
    if m < k:
        return [*audit_path(m, entries[:k]), tree_hash(entries[k:])]
    return [*audit_path(m - k, entries[k:]), tree_hash(entries[:k])]


def growth_path(m: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2: from the first m entries to all."""
    if m == len(entries):
        return [] if whole else [tree_hash(entries)]
    k = _split(len(entries))
    if m <= k:
        return [*growth_path(m, entries[:k], whole=whole), tree_hash(entries[k:])]
    return [*growth_path(m - k, entries[k:], whole=False), tree_hash(entries[:k])]


def _split(n: int) -> int:
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def log_entries(ours: bytes, index: int = INDEX, size: int = SIZE, origin: str = ORIGIN) -> list[bytes]:
    """A whole log: its beginning, its keys, receipts of other runs, and ours."""
    said: dict[int, tuple[int, dict[str, Any]]] = {
        0: (BEGINNING, {"v": "prysmlog/1", "origin": origin, "predecessor": None}),
        1: (KEY, _announced("add", LOG_KEY)),
        2: (KEY, _announced("add", OLD_KEY)),
        8: (KEY, _announced("add", NEW_KEY)),
        9: (KEY, _announced("close", OLD_KEY)),
    }
    entries = [entry(RECEIPT, PAYLOAD_TYPE, drawn(f"another run {i}")) for i in range(size)]
    for i, (kind, statement) in said.items():
        if i < size:
            entries[i] = entry(kind, LOG_TYPE, rfc8785.dumps(statement))
    entries[index] = ours
    return entries


def _announced(event: str, key: Key) -> dict[str, Any]:
    return {"v": "prysmkey/1", "event": event, "kid": key.kid, "use": key.use, "public": b64(key.public)}


def note(text: str, name: str = ORIGIN, key: Key = LOG_KEY) -> str:
    """A signed note (C2SP) with one signature."""
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + key.public).digest()[:4]
    return f"{text}\n— {name} {b64(key_id + key.sign(text.encode()))}\n"


def checkpoint(entries: Sequence[bytes], origin: str = ORIGIN, key: Key = LOG_KEY) -> str:
    return note(f"{origin}\n{len(entries)}\n{b64(tree_hash(entries))}\n", origin, key)


def cosigned(checkpoint: str, key: Key = WITNESS, claimed: Key | None = None, time: int = 1_795_000_000) -> str:
    """The note with a witness's line added (C2SP tlog-cosignature, Ed25519); `claimed`: whose key id it bears."""
    text = checkpoint.split("\n\n", maxsplit=1)[0] + "\n"
    key_id = hashlib.sha256(WITNESS_NAME.encode() + b"\n\x04" + (claimed or key).public).digest()[:4]
    signature = key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
    return checkpoint + f"— {WITNESS_NAME} {b64(key_id + time.to_bytes(8, 'big') + signature)}\n"


def remembered(entries: Sequence[bytes], key: Key = LOG_KEY) -> dict[str, Any]:
    """What a verifier keeps of a log that it saw with these entries."""
    kept = {"size": len(entries), "root": b64(tree_hash(entries)), "note": checkpoint(entries, key=key)}
    return {f"{ORIGIN}|{key.kid}": kept}


def consistency(m: int, entries: Sequence[bytes]) -> dict[str, Any]:
    """What `/v1/log/proof/consistency` gives from the first m entries to all."""
    path = [b64(node) for node in growth_path(m, entries)]
    return {"origin": ORIGIN, "from": m, "to": len(entries), "proof": path}


def included(entries: Sequence[bytes], index: int = INDEX) -> dict[str, Any]:
    """The `log` of a receipt that the sequencer has taken up."""
    path = [b64(node) for node in audit_path(index, entries)]
    where = {"state": "included", "origin": ORIGIN, "index": index, "size": len(entries)}
    return where | {"inclusion": path, "checkpoint": checkpoint(entries)}


def stage_digest(body: bytes) -> str:
    return sha256(b"prysm/2/stage\n" + body)


def commitment(salt: bytes, label: str, enc: str, data: bytes) -> str:
    return b64(hmac.digest(salt, f"prysm/2/commit\n{label}\n{enc}\n".encode() + data, "sha256"))


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """`entry` of a receipt document: the record's main facts."""
    answer, policy, cost = record["answer"] or {}, record["policy"] or {}, record["cost"]["nano_usd"]
    decimals = {name: record[name] and float(record[name]) for name in ("confidence", "agreement")}
    return {
        "model": answer.get("model"),
        "provider": answer.get("provider"),
        "mode": record["mode"],
        "strategy": record["strategy"]["name"],
        "policy": policy.get("id"),
        "input_tokens": record["usage"]["input_tokens"],
        "output_tokens": record["usage"]["output_tokens"],
        "cost_usd": None if cost is None else int(cost) / 1e9,
        "latency_ms": record["latency_ms"],
        "timestamp": record["sealed"],
        "outcome": record["outcome"],
        **decimals,
        "simulated": record["simulated"],
        "degraded": record["degraded"],
    }


def sealed(
    record: dict[str, Any],
    bodies: Sequence[bytes],
    *,
    payload: bytes | None = None,
    payload_type: str = PAYLOAD_TYPE,
    signer: Key = NEW_KEY,
    index: int = INDEX,
) -> Case:
    """A receipt of a record, signed and logged; `payload` in place of its canonical bytes."""
    payload = rfc8785.dumps(record) if payload is None else payload
    signature = {"keyid": signer.kid, "sig": b64(signer.sign(pae(payload_type, payload)))}
    proof = {
        "version": 2,
        "proof_hash": sha256(payload),
        "envelope": {"payloadType": payload_type, "payload": b64(payload), "signatures": [signature]},
        "log": included(log_entries(entry(RECEIPT, payload_type, payload), index), index),
    }
    stages = [answered(record["request_id"], body) for body in bodies]
    document = {"verified": True, "request_id": record["request_id"], "entry": summary(record), "proof": proof}
    keys = {"keys": [key.listed(ORIGIN) for key in KEYS]}
    return {"keys": keys, "document": document | {"stages": stages}}


def answered(request_id: str, body: bytes) -> dict[str, Any]:
    """What `/v1/proof/{id}/stages/{i}` gives of a stage."""
    read = json.loads(body)
    shown = {"i": read["i"], "kind": read["kind"], "digest": stage_digest(body), "body": b64(body)}
    return {"request_id": request_id} | shown
