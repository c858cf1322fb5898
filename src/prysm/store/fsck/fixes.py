"""Every kind of damage that can be named, and what to do about it."""

from __future__ import annotations

_RESTORE = (
    "Someone or something wrote to the database beside the gateway: keep a copy of it as evidence, and restore the "
    "last backup in which `prysm fsck` finds nothing."
)
_TILES = (
    "With sound leaves the tiles can be computed again: stop the gateways, restore the table log_tile from a backup "
    "of this moment, or the whole database from the last sound one."
)
_KEY = "Compare the keys with a copy of /.well-known/prysm-keys.json that was saved earlier, and restore the row."
_SEQUENCER = "Start a gateway on this database: its sequencer puts that in order."

FIXES = {
    "log_missing": _RESTORE,
    "log_beginning": _RESTORE,
    "leaf_gap": _RESTORE,
    "leaf_duplicate": _RESTORE,
    "leaf_twice": _RESTORE,
    "leaf_malformed": _RESTORE,
    "leaf_body": _RESTORE,
    "leaf_digest": _RESTORE,
    "key_event": _KEY,
    "key_row": _KEY,
    "key_wrapped": (
        "Set PRYSM_ENCRYPTION_KEY, or restore the file encryption.key of the data directory, to what the keys were "
        "made under. If it is lost, stop the gateways and run `prysm proof rotate --lost-key`."
    ),
    "key_overdue": _SEQUENCER,
    "tile_missing": _TILES,
    "tile_altered": _TILES,
    "tile_surplus": _TILES,
    "checkpoint_root": _RESTORE,
    "checkpoint_note": _RESTORE,
    "checkpoint_signature": _RESTORE,
    "checkpoint_beyond": _RESTORE,
    "checkpoint_missing": _RESTORE,
    "checkpoint_void": (
        "No receipt verifies until a good log key has signed: start a gateway on this database, whose sequencer "
        "announces the successor of a key that was revoked. If that changes nothing, restore the keys' rows."
    ),
    "receipt_hash": _RESTORE,
    "receipt_record": _RESTORE,
    "receipt_id": _RESTORE,
    "receipt_stages": _RESTORE,
    "receipt_signature": _RESTORE,
    "receipt_key": (
        "It does not verify for anyone. Compare the keys with a copy of /.well-known/prysm-keys.json that was saved "
        "earlier; if the receipt is forged, delete it with `prysm proof delete`."
    ),
    "receipt_unlogged": (
        "Put it into the queue again: INSERT INTO log_queue (request_id, kid, digest) with the kid of its row and the "
        "SHA-256 of its pre-authentication encoding (docs/proof.md); or delete it with `prysm proof delete`."
    ),
    "event_body": _RESTORE,
    "event_altered": _RESTORE,
    "event_missing": _RESTORE,
    "event_unlogged": (
        "The gateway writes an event together with its place in the queue, so somebody else wrote this one, or emptied "
        "the queue: keep a copy of the row as evidence, and ask who had access to the database."
    ),
    "stage_orphan": "Delete these rows of the table stage: what they belonged to is gone.",
    "queue_digest": _RESTORE,
    "queue_key": "Restore the key's row; while it is unknown, the receipt does not verify.",
    "queue_logged": _SEQUENCER,
    "queue_twice": _SEQUENCER,
    "intent_stale": "Start a gateway on this database: it seals the run as interrupted within half a minute.",
    "lease_beyond": (
        "Its runs would never be sealed. Delete the row from the table instance: a gateway that is alive registers "
        "again within seconds."
    ),
    "ledger": (
        "The gateway writes both sides of an entry in one statement, so somebody else changed the books, or a part of "
        "the database was restored. Keep a copy as evidence and restore a backup; where entries are whole, they say "
        "what the balances are to be."
    ),
    "pin_lost": (
        "The database was restored to an earlier state, or lags behind. Start the gateway with this data directory: "
        "it goes on under a new origin that names this one. Receipts that are lost here stay valid for their owners."
    ),
    "pin_signature": "Restore the file from a backup of the data directory.",
    "pin_unknown": (
        "Point PRYSM_DATABASE_URL at the database that belongs to this data directory; delete the file only if that "
        "log is to be given up."
    ),
}
"""Code → what to do."""
