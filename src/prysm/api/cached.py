"""The response cache on the wire: what a body may say of it, and what an answer does.

A name of its own, since `cache_control` and `prompt_cache_key` are about providers' caches of prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from prysm.api.parse import Strict
from prysm.core.cache import Caching

if TYPE_CHECKING:
    from prysm.core.cache import Lookup

MOST_TTL_S = 2_592_000
"""Thirty days."""
MOST_SAMPLES = 1000

HIT = [(b"x-prysm-cache", b"hit")]
MISS = [(b"x-prysm-cache", b"miss")]


class CacheWish(Strict):
    """`cache: {…}`: for how long an answer is good, and which of several to the same request it is."""

    ttl_s: Annotated[int, Field(ge=1, le=MOST_TTL_S)] | None = None
    sample: Annotated[int, Field(ge=0, lt=MOST_SAMPLES)] = 0


Wish: TypeAlias = CacheWish | bool | None


def caching(wish: Wish) -> Caching | None:
    """The wish in our vocabulary; None leaves it to the key."""
    if wish is None:
        return None
    return Caching(wanted=wish) if isinstance(wish, bool) else Caching(ttl_s=wish.ttl_s, sample=wish.sample)


def shown(lookup: Lookup | None) -> dict[str, Any]:
    """What the `prysm` block says of the cache: nothing, where it was not asked."""
    if lookup is None:
        return {}
    if lookup.found is None:
        return {"cache": {"hit": False}}
    first = lookup.found.original
    return {"cache": {"hit": True, "original": first.request_id, "age_s": first.age_s}}


def headers(lookup: Lookup | None) -> list[tuple[bytes, bytes]]:
    """Whether the cache had it, for clients that do not read bodies."""
    if lookup is None:
        return []
    return MISS if lookup.found is None else HIT
