"""Keys on two gateways over one database: what one does to them holds on the other."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
from tests.serving import AUTHORIZED, ROOT_KEY, SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Process

SECRET = "a-secret-for-both-gateways"
WITHIN_S = 1.0
IN_A_ROW = 10
COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY 1, 2
"""


def asks(gateway: Process, key: str) -> int:
    """What a key gets, over a connection of its own."""
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(gateway.url + "/v1/models", headers=headers, timeout=20, trust_env=False).status_code


def refused_within(gateway: Process, key: str, most_s: float) -> float:
    """After how many seconds a key is refused, ten times in a row, by whichever worker; fails beyond `most_s`."""
    began = last = time.monotonic()
    in_a_row = 0
    while in_a_row < IN_A_ROW:
        if asks(gateway, key) == httpx.codes.UNAUTHORIZED:
            in_a_row += 1
        else:
            in_a_row, last = 0, time.monotonic()
            assert last - began < most_s
    return last - began


def send(gateway: Process, method: str, path: str, body: object = None) -> dict[str, Any]:
    response = httpx.request(method, gateway.url + path, json=body, headers=AUTHORIZED, timeout=20, trust_env=False)
    assert response.is_success, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_what_one_gateway_does_to_a_key_holds_on_the_other_within_a_second(
    serve: Callable[..., Process], database_url: str
) -> None:
    shared = {"PRYSM_DATABASE_URL": database_url, "PRYSM_ENCRYPTION_KEY": SECRET}
    started = [
        serve("--workers", "2", toml=SANDBOX, PRYSM_DATA_DIR="one", **shared),
        serve(toml=SANDBOX, PRYSM_DATA_DIR="two", **shared),
    ]
    one, two = [await asyncio.to_thread(gateway.wait_ready) for gateway in started]
    texts = [await asyncio.to_thread(happens, one, two) for happens in (_lives, _revocations)]
    dump = await _dump(database_url)
    said = "".join(gateway.log() for gateway in (one, two))
    for text in {ROOT_KEY, SECRET, *chain(*texts)}:
        assert text not in dump
        assert text[21:] not in dump + said


def _lives(one: Process, two: Process) -> list[str]:
    """All that can happen to keys, each time told to one gateway and looked at on the other; return their texts."""
    key = send(one, "POST", "/v1/keys", {"name": "shared"})
    where, first = f"/v1/keys/{key['id']}", key["key"]
    assert asks(two, first) == httpx.codes.OK  # at once

    second = send(two, "POST", f"{where}/rotate", {"overlap_s": 2})["key"]
    expires = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    short = send(two, "POST", "/v1/keys", {"name": "short", "expires_at": expires})["key"]
    assert [asks(one, text) for text in (second, first, short)] == [200, 200, 200]
    overlap = refused_within(one, first, 2 + WITHIN_S)
    assert overlap > 1
    assert [asks(gateway, short) for gateway in (one, two)] == [401, 401]
    assert asks(one, second) == httpx.codes.OK

    send(one, "DELETE", where)
    took = max(refused_within(gateway, second, WITHIN_S) for gateway in (two, one))
    print(f"an overlap of 2 s ended after {overlap:.2f} s, a revocation held everywhere after {took:.2f} s")  # noqa: T201 - for -s
    return [first, second, short]


def _revocations(one: Process, two: Process) -> list[str]:
    """More of them, at other moments between two looks; return the texts."""
    made = [send(one, "POST", "/v1/keys", {"name": "brief"}) for _ in range(4)]
    for key in made:
        assert asks(two, key["key"]) == httpx.codes.OK
        send(one, "DELETE", f"/v1/keys/{key['id']}")
        took = max(refused_within(gateway, key["key"], WITHIN_S) for gateway in (two, one))
        print(f"a revocation held everywhere after {took:.2f} s")  # noqa: T201 - for -s
    return [key["key"] for key in made]


async def _dump(url: str) -> str:
    """Every value of every column as text, bytes both as they are and in hex."""
    connection = await asyncpg.connect(url)
    try:
        found = []
        for table, column in await connection.fetch(COLUMNS):
            rows = await connection.fetch(f'SELECT "{column}" FROM "{table}"')  # noqa: S608 - names of the schema
            found += [f"{value!r} {value.hex() if isinstance(value, bytes) else ''}" for (value,) in rows]
        return "\n".join(found)
    finally:
        await connection.close()
