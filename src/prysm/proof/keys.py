"""Public keys as a gateway publishes them under `/.well-known/prysm-keys.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from prysm.proof.defect import Defect
from prysm.proof.document import decoded, text, whole
from prysm.proof.report import quoted
from prysm.proof.signing import kid_of

Use: TypeAlias = Literal["receipt", "log"]
Status: TypeAlias = Literal["pending", "active", "retiring", "retired", "revoked"]

ALGORITHM = "Ed25519"
MAX_KEYS = 10_000
"""In one keys document."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key at one log. `public` has 32 bytes; `kid` is `kid_of(public)`.

    A receipt key is good for leaves after `from_index` and before `to_index` of the log called `origin`, where None
    is no bound: the leaf that announces a key and the one that closes it are not of its own. A log key is good for
    checkpoints with the first of these leaves and without the second.
    """

    kid: str
    use: Use
    public: bytes
    origin: str
    from_index: int | None
    to_index: int | None
    status: Status

    def signs_checkpoints_of(self, size: int) -> bool:
        """Whether this log key is good for checkpoints of a size: they hold its announcement and not its end."""
        if self.status in {"pending", "revoked"}:
            return False
        since, until = self.from_index, self.to_index
        return (since is None or size > since) and (until is None or size <= until)

    def refuse_leaf(self, index: int) -> None:
        """Raise `Defect` when this key may not have signed the receipt at `index`."""
        if self.status == "pending":
            raise Defect(f"the log had not announced the key {self.kid} when these keys were written")
        if self.status == "revoked" and self.to_index is None:
            raise Defect(f"the key {self.kid} is revoked")
        if self.from_index is not None and index <= self.from_index:
            raise Defect(f"leaf {index} is not after {self.from_index}, where the key {self.kid} begins")
        if self.to_index is not None and index >= self.to_index:
            raise Defect(f"leaf {index} is not before {self.to_index}, where the key {self.kid} ends")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys a verification counts. `pinned`: the verifier brought them, they did not come with the receipt."""

    keys: tuple[PublicKey, ...]
    pinned: bool

    def receipt_key(self, kid: str) -> PublicKey:
        """A key that may sign receipts; raises `Defect` when the name is unknown or a log's."""
        named = [key for key in self.keys if key.kid == kid]
        if not named:
            raise Defect(f"the key {quoted(kid)} is not among the known keys")
        if named[0].use != "receipt":
            raise Defect(f"the key {quoted(kid)} is a {named[0].use} key, which signs no receipts")
        return named[0]

    def at(self, kid: str, origin: str) -> PublicKey:
        """A receipt key as one log knows it."""
        self.receipt_key(kid)
        for key in self.keys:
            if (key.kid, key.origin) == (kid, origin):
                return key
        raise Defect(f"the key {quoted(kid)} is not one of the log {quoted(origin)}")

    def log_keys(self, origin: str, size: int) -> tuple[PublicKey, ...]:
        """The keys that may sign checkpoints of a log at a size; raises `Defect` when there are none."""
        found = tuple(key for key in self.keys if (key.use, key.origin) == ("log", origin))
        good = tuple(key for key in found if key.signs_checkpoints_of(size))
        if not good:
            raise Defect(f"the log {quoted(origin)} cannot be trusted: {_why_none(found, size)}")
        return good


def _why_none(found: tuple[PublicKey, ...], size: int) -> str:
    if not found:
        return "no log key of it is among the known keys"
    if all(key.status == "revoked" for key in found):
        return "every log key of it is revoked"
    return f"no log key of it is good for checkpoints of size {size}"


def read_keys(document: object) -> tuple[PublicKey, ...]:
    """Keys from the parsed JSON of a keys document. Raises `Defect` when anything in it is not as specified."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise Defect("the keys document has no list of keys")
    if len(document["keys"]) > MAX_KEYS:
        raise Defect(f"the keys document has more than {MAX_KEYS} keys")
    keys = tuple(_key(item) for item in document["keys"])
    if len({(key.kid, key.origin) for key in keys}) != len(keys):
        raise Defect("a key stands twice in the keys document for one log")
    if len({(key.kid, key.use) for key in keys}) != len({key.kid for key in keys}):
        raise Defect("a key in the keys document has two uses")
    return keys


def _key(item: object) -> PublicKey:
    if not isinstance(item, dict):
        raise Defect("a key in the keys document is no object")
    if item.get("alg") != ALGORITHM:
        raise Defect(f"unknown algorithm {quoted(item.get('alg'))} of a key; this verifier knows {ALGORITHM}")
    key = PublicKey(
        text(item.get("kid"), "the kid of a key"),
        cast("Use", _one_of(item.get("use"), "use", get_args(Use))),
        decoded(item.get("public"), "the public half of a key"),
        text(item.get("origin"), "the origin of a key"),
        _index(item, "from_index"),
        _index(item, "to_index"),
        cast("Status", _one_of(item.get("status"), "status", get_args(Status))),
    )
    if key.kid != kid_of(key.public):
        raise Defect(f"the kid {quoted(key.kid)} is not that of the key it stands beside")
    return key


def _one_of(value: object, what: str, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise Defect(f"unknown {what} {quoted(value)} of a key; this verifier knows {', '.join(known)}")
    return value


def _index(item: dict[str, object], name: str) -> int | None:
    value = item.get(name, -1)
    if value is None:
        return None
    if not whole(value) or value < 0:
        raise Defect(f"the {name} of a key is neither null nor a leaf's index")
    return value
