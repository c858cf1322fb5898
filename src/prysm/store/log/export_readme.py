"""What an exported folder says of itself to whoever finds it in ten years."""

from __future__ import annotations

README = """\
Receipts of a Prysm gateway, and the log that they are in
==========================================================

log: {origin}

receipts/INDEX-REQUEST_ID.json  one receipt each: the signed record of a run, its stages, and the proof that it is
                                leaf INDEX of the log
checkpoint                      size and root of the log, signed (c2sp.org/tlog-checkpoint)
tile/LEVEL/..., tile/entries/...  the whole log up to that checkpoint (c2sp.org/tlog-tiles)
keys.json                       the public keys of the gateway, and from which leaf to which each is good

Check a receipt, offline:

    prysm proof verify receipts/FILE.json --keys keys.json
    python -m prysm.proof receipts/FILE.json --keys keys.json      (the same, with little installed)

keys.json came with the receipts, so whoever could forge these could have forged it too: compare it with a copy that
you saved from https://GATEWAY/.well-known/prysm-keys.json earlier, and verify with that one.

Check the log: an entry is 41 bytes, "prysm/2", a zero byte, a byte of kind (1: a receipt, 2: the beginning of the log,
3: a key begins or ends, 4: an action of an administrator) and a SHA-256 digest; in tile/entries each stands after its
length in two bytes. A leaf is SHA-256 of a zero byte and the entry, the tree that of RFC 6962, and its root is the one
in the checkpoint. The digest of a receipt is SHA-256 over the pre-authentication encoding of its envelope (DSSE v1).

A leaf without a file in receipts/ is no receipt's (what administrators did is told only to them), or that of one that
was deleted, or it is outside the range that was exported. A receipt that was exported before the log grew is proven in
an older checkpoint, which it holds itself.
"""
