"""A receipt in short, read from the payload itself and never from anything beside it."""

from __future__ import annotations

import json
from typing import Any


def entry(payload: bytes) -> dict[str, Any] | None:
    """The record's main facts; None when the payload cannot be read."""
    try:
        return _short(json.loads(payload))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _short(record: dict[str, Any]) -> dict[str, Any]:
    answer, policy, nano = _part(record["answer"]), _part(record["policy"]), record["cost"]["nano_usd"]
    return {
        "model": answer.get("model"),
        "provider": answer.get("provider"),
        "mode": record["mode"],
        "strategy": record["strategy"]["name"],
        "policy": policy.get("id"),
        "input_tokens": record["usage"]["input_tokens"],
        "output_tokens": record["usage"]["output_tokens"],
        "cost_usd": None if nano is None else int(nano) / 1e9,
        "latency_ms": record["latency_ms"],
        "timestamp": record["sealed"],
        "outcome": record["outcome"],
        "confidence": _number(record["confidence"]),
        "agreement": _number(record["agreement"]),
        "simulated": record["simulated"],
        "degraded": record["degraded"],
    }


def _part(value: dict[str, Any] | None) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise TypeError
    return value or {}


def _number(decimal: str | None) -> float | None:
    return None if decimal is None else float(decimal)
