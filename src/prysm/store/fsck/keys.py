"""The keys of a log: what their rows say, and what the log itself says of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prysm.errors import ConfigError
from prysm.proof.signing import PUBLIC_BYTES, kid_of
from prysm.proof.strict import to_base64
from prysm.store.log.keys import Keychain, read_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.store.fsck.audit import Audit
    from prysm.store.log.keys import LogKey
    from prysm.vault import Vault

OVERDUE = timedelta(days=1)
"""A key is closed within seconds of its time, unless no gateway runs or receipts of it wait."""


async def check_keys(audit: Audit, log: int, origin: str, vault: Vault | None, *, succeeded: bool) -> None:
    """Whether every row is a key's and its columns fit together, and those in use can be decrypted."""
    chain = Keychain(vault) if vault is not None else None
    for key in await read_keys(audit.connection, log):
        audit.counts["keys"] += 1
        where = f"log {origin} key {key.kid}"
        if len(key.public) != PUBLIC_BYTES or kid_of(key.public) != key.kid:
            audit.add("key_row", where, "The public half is not the key of this name.")
        elif wrong := _contradiction(key, succeeded=succeeded):
            audit.add("key_row", where, f"It is {key.status}, and {wrong}.")
        elif chain is not None and key.signs and not succeeded:
            _check_private(audit, chain, key, where)
        if key.status == "retiring" and key.retire_at and key.retire_at < datetime.now(UTC) - OVERDUE:
            audit.add("key_overdue", where, f"It was to be closed at {key.retire_at:%Y-%m-%d %H:%M}.")


def _contradiction(key: LogKey, *, succeeded: bool) -> str | None:
    """What the bounds of a key say against its status."""
    begun, ended = key.from_index is not None, key.to_index is not None
    if (
        begun == (key.status == "pending")
        and key.status != "revoked"
        and not (succeeded and key.status == "retired")
    ):
        return f"begins at leaf {key.from_index}"
    over = key.status in ("retired", "revoked")
    if ended != over and not (succeeded and key.status == "retired"):
        return f"ends at leaf {key.to_index}"
    if succeeded and not over:
        return "its log has a successor"
    return "has no time to be closed at" if key.status == "retiring" and key.retire_at is None else None


def _check_private(audit: Audit, chain: Keychain, key: LogKey, where: str) -> None:
    try:
        private = chain.open(key.kid, key.wrapped)
    except ConfigError:
        audit.add("key_wrapped", where, "The private half cannot be decrypted with the encryption key given here.")
        return
    if private.public != key.public:
        audit.add("key_wrapped", where, "The private half belongs to another public one.")


class Announcements:
    """The key events of one log, to be held against the rows of its keys."""

    def __init__(self, keys: Sequence[LogKey]) -> None:
        self._keys = {key.kid: key for key in keys}
        self._unseen = {("add", key.kid) for key in keys if key.from_index is not None}
        self._unseen |= {("close", key.kid) for key in keys if key.status == "retired" and key.to_index is not None}

    def wrong(self, index: int, body: bytes) -> str | None:
        """What the rows contradict of the statement at `index`, whose bytes are known to be what was logged."""
        statement: Any = json.loads(body)
        event, key = statement.get("event"), self._keys.get(statement.get("kid"))
        if statement.get("v") != "prysmkey/1" or event not in ("add", "close"):
            return "The statement is no key event."
        if key is None:
            return f"The log tells of the key {statement.get('kid')!r}, and no row has it."
        if (statement.get("public"), statement.get("use")) != (to_base64(key.public), key.use):
            return f"The log has another public half, or another use, for the key {key.kid}."
        self._unseen.discard((event, key.kid))
        bound = key.from_index if event == "add" else key.to_index
        if bound != index and not (event == "close" and key.status == "revoked"):
            return f"The log has the event '{event}' of the key {key.kid} here, its row says {bound}."
        return None

    def missing(self) -> list[str]:
        """What the rows say and the log does not."""
        return [
            f"The row of the key {kid} has an index for its '{event}'; no leaf tells."
            for event, kid in self._unseen
        ]
