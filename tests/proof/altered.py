"""Receipts altered at random: what no list of defects thought of."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

from tests.proof.good_receipts import GOOD
from tests.proof.made import b64, sealed, stage_digest
from tests.proof.runs import ensemble, failed, interrupted, single

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 11.0, 2**53, 2**70),
    *("", "x", "0", "é", " 1", "AAAA", "prysm-"),
    *([], {}, [None], {"a": 1}),
)
LETTERS = ("", "A", "=", "\n", " ", "é", "+", "0", '"', ",", "\\", "}", "1e5", "\\u0041", "\ufeff")


def altered(seed: int, count: int) -> Iterator[str]:
    """Fixtures as JSON, each a good one with one thing in it changed; the same ones for the same seed."""
    random = Random(seed)  # noqa: S311 -- no secret
    good = [make() for make in GOOD.values()]
    for _ in range(count):
        case = json.loads(json.dumps(random.choice(good)))
        if random.random() < 0.3:
            case["file"] = _misspelt(random, json.dumps(case.pop("document"), ensure_ascii=random.random() < 0.5))
        else:
            _change(random, case["document"])
        yield json.dumps(case)


def resealed(seed: int, count: int) -> Iterator[str]:
    """Fixtures whose signer put his name to a record, and to a stage, with one thing in it changed at random."""
    random = Random(seed)  # noqa: S311 -- no secret
    for _ in range(count):
        record, bodies = random.choice((single, ensemble, failed, interrupted))()
        if bodies and random.random() < 0.3:
            i = random.randrange(len(bodies))
            body = _changed(random, json.loads(bodies[i]))
            record["stages"][i]["digest"] = stage_digest(body)
            case = sealed(record, bodies)
            case["document"]["stages"][i]["body"] = b64(body)
        else:
            payload = _changed(random, json.loads(json.dumps(record)))
            case = sealed(record, bodies, payload=payload)
        yield json.dumps(case)


def _changed(random: Random, value: Any) -> bytes:
    """Canonical but for what canonical JSON cannot hold."""
    _change(random, value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _misspelt(random: Random, text: str) -> str:
    at = random.randrange(len(text))
    return text[:at] + random.choice(LETTERS) + text[at + random.randrange(2) :]


def _change(random: Random, value: Any) -> None:
    """Go down at random, and at some place replace, remove, repeat or misspell."""
    while True:
        name = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        inside = value[name]
        if not (isinstance(inside, dict | list) and inside and random.random() < 0.8):
            break
        value = inside
    if isinstance(inside, str) and random.random() < 0.4:
        value[name] = _misspelt(random, inside or " ")
    elif isinstance(value, list) and random.random() < 0.3:
        value.insert(name, inside)
    elif random.random() < 0.2:
        del value[name]
    else:
        value[name] = random.choice(ODD)
