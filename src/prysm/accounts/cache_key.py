"""What an answer is kept under: whose it is, who could give it, and every parameter that shapes it."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import fields, is_dataclass
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any

from prysm import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from uuid import UUID

    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest, Plan
    from prysm.core.provider import ProviderSpec
    from prysm.registry.catalog import Catalog

SHAPELESS = frozenset({"stream", "metadata", "kept_s", "retention_zero", "cache", "own_providers"})
"""Fields of a request that do not shape its answer. Any other does, also one that is yet to come."""


def catalog_digest(catalog: Catalog) -> bytes:
    """32 bytes, the same for catalogs whose models are alike, and reached in the same place: SHA-256.

    What is learnt while the gateway runs is no part of it, nor how providers are called and paid for.
    """
    return hashlib.sha256(spelled((catalog.models, [_place(spec) for spec in catalog.providers]))).digest()


def _place(spec: ProviderSpec) -> tuple[str | None, ...]:
    """Whose server answers. One that the gateway starts itself gets another address every time."""
    return spec.id, spec.kind, spec.managed, None if spec.managed else spec.base_url


def key_of(secret: bytes, org: UUID, request: ChatRequest, plan: Plan, catalog: bytes) -> bytes:
    """32 bytes, the same for requests that the same models would answer in the same way, and for no others.

    HMAC-SHA256: who reads the database and has not `secret` cannot try out what was asked. The release is a part of it,
    since another may plan, prompt and score otherwise, and so is the digest of the catalog.
    """
    asked = {field.name: getattr(request, field.name) for field in fields(request) if field.name not in SHAPELESS}
    sample = 0 if request.cache is None else request.cache.sample
    what = (__version__, org.bytes, catalog, sample, asked, _answering(plan))
    return hmac.digest(secret, spelled(what), "sha256")


def _answering(plan: Plan) -> tuple[Any, ...]:
    """Who may be called, and how. The plan's words and figures about it shape nothing."""
    helpers = (plan.aggregator, plan.judge)
    return (
        plan.strategy,
        plan.policy,
        plan.mode,
        plan.profile.task,
        (plan.samples, plan.rounds, plan.layers, plan.max_tokens),
        [_named(model) for model in plan.models],
        [_named(model) for model in plan.fallbacks],
        [None if model is None else _named(model) for model in helpers],
    )


def _named(model: Model) -> tuple[str, ...]:
    return model.id, model.provider, model.upstream


def spelled(value: Any) -> bytes:
    """A value as bytes that no other value has: each part behind its kind and its length.

    Mappings keep their order: that of a schema's properties is the one models answer in. Raises TypeError for what is
    none of our values.
    """
    kind, spell = _SPELLINGS.get(type(value)) or (b"o", _spelled_fields)
    data = spell(value)
    return b"%b%d:%b" % (kind, len(data), data)


def _spelled_items(value: Iterable[Any]) -> bytes:
    return b"".join(map(spelled, value))


def _spelled_fields(value: Any) -> bytes:
    if not is_dataclass(value):
        raise TypeError(f"a {type(value).__name__} cannot be a part of a key")
    return _spelled_items((type(value).__name__, *(getattr(value, field.name) for field in fields(value))))


def _spelled_pairs(value: Mapping[Any, Any]) -> bytes:
    return _spelled_items(part for pair in value.items() for part in pair)


_SPELLINGS: Mapping[type, tuple[bytes, Callable[[Any], bytes]]] = {
    NoneType: (b"n", lambda _: b""),
    bool: (b"b", lambda value: b"1" if value else b"0"),
    int: (b"i", lambda value: b"%x" % value),
    float: (b"f", struct.Struct(">d").pack),
    str: (b"s", lambda value: value.encode("utf-8", "surrogatepass")),
    bytes: (b"y", bytes),
    tuple: (b"l", _spelled_items),
    list: (b"l", _spelled_items),
    frozenset: (b"e", lambda value: b"".join(sorted(map(spelled, value)))),
    dict: (b"m", _spelled_pairs),
    MappingProxyType: (b"m", _spelled_pairs),
}
