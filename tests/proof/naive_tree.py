"""Merkle trees as RFC 6962, section 2.1 writes them down: by recursion, and slow."""

from __future__ import annotations

import hashlib
from functools import cache


def leaf(n: int) -> bytes:
    """The leaf hash of the n-th entry of the tree that the tests share."""
    return hashlib.sha256(b"\x00" + n.to_bytes(4, "big")).digest()


@cache
def mth(lo: int, hi: int) -> bytes:
    """MTH(D[lo:hi])."""
    if lo == hi:
        return hashlib.sha256(b"").digest()
    if hi - lo == 1:
        return leaf(lo)
    k = lo + split(hi - lo)
    return hashlib.sha256(b"\x01" + mth(lo, k) + mth(k, hi)).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def path(m: int, lo: int, hi: int) -> list[bytes]:
    """PATH(m - lo, D[lo:hi])."""
    if hi - lo == 1:
        return []
    k = lo + split(hi - lo)
    return [*path(m, lo, k), mth(k, hi)] if m < k else [*path(m, k, hi), mth(lo, k)]


def proof(m: int, n: int) -> list[bytes]:
    """PROOF(m, D[n])."""
    return subproof(m, 0, n, whole=True)


def subproof(m: int, lo: int, hi: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF(m - lo, D[lo:hi], whole)."""
    if m == hi:
        return [] if whole else [mth(lo, hi)]
    k = lo + split(hi - lo)
    if m <= k:
        return [*subproof(m, lo, k, whole=whole), mth(k, hi)]
    return [*subproof(m, k, hi, whole=False), mth(lo, k)]
