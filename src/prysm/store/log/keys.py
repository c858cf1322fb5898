"""Signing keys: in the database only encrypted, and valid from one leaf of the log to another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from prysm.errors import ConfigError
from prysm.proof.dsse import pae
from prysm.proof.hashing import PAYLOAD_TYPE
from prysm.proof.signing import signature_holds
from prysm.store.log.sodium import SodiumKey
from prysm.vault import WrongEncryptionKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from prysm.proof.sealed import Sealed
    from prysm.proof.signing import SigningKey
    from prysm.store.connection import Connection
    from prysm.vault import Vault

Use: TypeAlias = Literal["receipt", "log"]
Status: TypeAlias = Literal["pending", "active", "retiring", "retired", "revoked"]

USES: tuple[Use, ...] = ("receipt", "log")
SIGNING = frozenset({"active", "retiring"})
"""Statuses of the log keys that sign a checkpoint."""

_KEYS = """
    SELECT kid, use, public, wrapped, status, from_index, to_index, retire_at,
        coalesce(retire_at <= now(), false) AS due
    FROM log_key WHERE log = $1 ORDER BY created_at, kid
"""
_INSERT = """
    INSERT INTO log_key (log, kid, use, public, wrapped, status, from_index, retire_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())
"""
_PUBLIC = "SELECT public FROM log_key WHERE kid = $1 AND use = 'receipt' LIMIT 1"
_CURRENT = """
    SELECT origin, kid, wrapped FROM log JOIN log_key
    ON log_key.log = log.n AND use = 'receipt' AND status = 'active'
    WHERE n = (SELECT max(n) FROM log) ORDER BY from_index DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key as one log knows it; `wrapped` is its private half, encrypted. `due`: it is to be closed now."""

    kid: str
    use: Use
    public: bytes
    wrapped: bytes = field(repr=False)
    status: Status = "pending"
    from_index: int | None = None
    to_index: int | None = None
    retire_at: datetime | None = None
    due: bool = False

    @property
    def signs(self) -> bool:
        """Whether its private half is still needed: a log key's until it is closed, a receipt key's until replaced."""
        return self.status in ("pending", "active") or (self.use == "log" and self.status == "retiring")


class Keychain:
    """Encrypts private keys for the database and decrypts them, each once."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._open: dict[str, SigningKey] = {}

    def make(self, use: Use) -> LogKey:
        """Return a new key."""
        key = SodiumKey.generate()
        return LogKey(key.kid, use, key.public, self._vault.wrap(key.private(), belongs_to(key.kid)))

    def open(self, kid: str, wrapped: bytes) -> SigningKey:
        """Return the private key. Raises ConfigError when it is encrypted under another key."""
        found = self._open.get(kid)
        if found is None:
            try:
                found = SodiumKey.from_private(self._vault.unwrap(wrapped, belongs_to(kid)))
            except WrongEncryptionKey as error:
                raise WrongEncryptionKey(
                    "The signing keys in this database are encrypted under another PRYSM_ENCRYPTION_KEY: set the one "
                    "they were made under, or restore the file `encryption.key` of the data directory. If it is lost "
                    "for good, `prysm proof rotate --lost-key` begins a new log with new keys; the receipts that "
                    "there are stay valid."
                ) from error
            self._open[kid] = found
        return found

    def public(self, kid: str) -> bytes | None:
        """The public half of a key that was decrypted before."""
        found = self._open.get(kid)
        return None if found is None else found.public

    def check(self, keys: Sequence[LogKey]) -> None:
        """Raise ConfigError when one that is still needed is encrypted under another key."""
        for key in keys:
            if key.signs:
                self.open(key.kid, key.wrapped)

    def signers(self, keys: Sequence[LogKey]) -> list[SigningKey]:
        """Return what a checkpoint is signed with, the key that stays before the one that goes."""
        named = [key for key in keys if key.use == "log" and key.status in SIGNING]
        named.sort(key=lambda key: key.status != "active")
        return [self.open(key.kid, key.wrapped) for key in named]


class SigningKeys:
    """What a gateway signs with: the receipt key that is active, and the origin of the log it is valid in."""

    __slots__ = ("_chain", "origin", "receipt")

    def __init__(self, chain: Keychain, origin: str, receipt: SigningKey) -> None:
        self._chain = chain
        self.origin = origin
        self.receipt = receipt

    @classmethod
    async def read(cls, connection: Connection, chain: Keychain) -> Self:
        """Read them. Raises ConfigError when they are encrypted under another key, or there are none."""
        row = await connection.fetchrow(_CURRENT)
        if row is None:
            raise ConfigError(
                "No receipt key is active in this database: run `prysm fsck`, or restore the database."
            )
        return cls(chain, row["origin"], chain.open(row["kid"], row["wrapped"]))

    async def refresh(self, connection: Connection) -> None:
        """Follow a rotation or a new log. Raises ConfigError when the keys are encrypted under another key."""
        row = await connection.fetchrow(_CURRENT)
        if row is not None:  # else the next key is about to be announced
            self.receipt, self.origin = self._chain.open(row["kid"], row["wrapped"]), row["origin"]

    async def sign_again(self, connection: Connection, sealed: Sealed) -> Sealed | None:
        """The same receipt under the key of now: its payload, `proof_hash` and `digest` stay as they are.

        `None` when its signature is not one of a key of this database or process: what lay in a file meanwhile is
        not signed unseen.
        """
        if sealed.kid in (None, self.receipt.kid):
            return sealed
        message, public = pae(PAYLOAD_TYPE, sealed.payload), self._chain.public(str(sealed.kid))
        if public is None:
            public = await connection.fetchval(_PUBLIC, sealed.kid)
        if public is None or not signature_holds(public, sealed.signature or b"", message):
            return None
        return replace(sealed, kid=self.receipt.kid, signature=self.receipt.sign(message))


async def read_keys(connection: Connection, log: int) -> list[LogKey]:
    """All keys of a log, oldest first."""
    return [_key(row) for row in await connection.fetch(_KEYS, log)]


async def insert_key(connection: Connection, log: int, key: LogKey) -> None:
    """Add a key to a log. One that is pending has still to be announced by the sequencer."""
    await connection.execute(
        _INSERT, log, key.kid, key.use, key.public, key.wrapped, key.status, key.from_index, key.retire_at
    )


def _key(row: Record) -> LogKey:
    return LogKey(**row)


def belongs_to(kid: str) -> bytes:
    """What a private key is bound to, so that no other can take its place."""
    return b"prysm signing key\n" + kid.encode()
