"""`POST /v1/proof/verify`: a check for convenience, which anyone may ask for with anything."""

from __future__ import annotations

import copy
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.told_log import told
from tests.api.wire import error
from tests.proof import made, runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import httpx
    from tests.api.told_log import Told

DOCUMENT = made.sealed(*runs.ensemble())["document"]
KEYS = {"keys": [key.listed(made.ORIGIN) for key in made.KEYS]}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Told]:
    async with told(tmp_path, made.log_entries(b"x" * 41)) as served:
        yield served


async def post(gateway: Told, body: bytes, kind: str = "application/json") -> httpx.Response:
    return await gateway.http.post("/v1/proof/verify", content=body, headers={"content-type": kind})


async def judge(gateway: Told, **more: Any) -> dict[str, Any]:
    response = await post(gateway, json.dumps(DOCUMENT | more).encode())
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def failed(found: dict[str, Any]) -> list[str]:
    return [check["name"] for check in found["checks"] if check["ok"] is False]


async def test_a_good_receipt_is_good_and_the_answer_says_what_that_is_worth(gateway: Told) -> None:
    found = await judge(gateway)
    assert (found["ok"], found["failed_level"], found["keys_from"]) == (True, None, "gateway")
    assert "proves nothing to a stranger" in found["caution"]
    assert [check["level"] for check in found["checks"]] == sorted(check["level"] for check in found["checks"])


async def test_keys_that_were_sent_are_the_ones_that_count(gateway: Told) -> None:
    found = await judge(gateway, keys=KEYS)
    assert (found["ok"], found["keys_from"]) == (True, "request")
    strange = {"keys": [made.STRANGER.listed(made.ORIGIN)]}
    assert failed(await judge(gateway, keys=strange)) == ["signature", "inclusion"]


async def test_texts_are_opened_in_words_and_as_json(gateway: Told) -> None:
    texts = {"prompt": runs.MESSAGES, "answer": runs.ANSWER}
    found = await judge(gateway, openings=runs.OPENINGS, texts=texts)
    assert {check["name"] for check in found["checks"] if check["level"] == 6 and check["ok"]} == {
        "opening:prompt",
        "opening:answer",
    }
    other = await judge(gateway, openings=runs.OPENINGS, texts=texts | {"answer": "392"})
    assert (other["ok"], failed(other)) == (False, ["opening:answer"])


ALTERED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another payload": (lambda d: d["proof"]["envelope"].update(payload="e30="), "record"),
    "payload no text": (lambda d: d["proof"]["envelope"].update(payload=7), "document"),
    "envelope no object": (lambda d: d["proof"].update(envelope=[{"payload": 1}]), ""),
    "another run": (lambda d: d.update(request_id="0" * 32), "request_id"),
    "another summary": (lambda d: d["entry"].update(cost_usd=0), "entry"),
    "summary no object": (lambda d: d.update(entry=[]), "entry"),
    "stages no list": (lambda d: d.update(stages={}), "stages"),
    "stages in another order": (lambda d: d["stages"].reverse(), "stages"),
    "a version to come": (lambda d: d["proof"].update(version=3), "document"),
    "log no object": (lambda d: d["proof"].update(log=[]), "inclusion"),
    "index no number": (lambda d: d["proof"]["log"].update(index="x"), "inclusion"),
    "index beyond everything": (lambda d: d["proof"]["log"].update(index=10**400), "document"),
    "path no list": (lambda d: d["proof"]["log"].update(inclusion="x"), "inclusion"),
    "checkpoint no note": (lambda d: d["proof"]["log"].update(checkpoint="\ud800"), "document"),
    "keys no document": (lambda d: d.update(keys=[]), "signature"),
}


@pytest.mark.parametrize(("alter", "check"), ALTERED.values(), ids=ALTERED.keys())
async def test_what_was_altered_is_named_and_nothing_breaks(
    gateway: Told, alter: Callable[[dict[str, Any]], object], check: str
) -> None:
    document = copy.deepcopy(DOCUMENT)
    alter(document)
    response = await post(gateway, json.dumps(document).encode())
    if not check:
        assert error(response) == (422, "invalid_request")
    else:
        assert check in failed(response.json())
        assert response.json()["ok"] is False


async def test_a_key_that_stands_twice_is_a_defect_of_the_receipt(gateway: Told) -> None:
    twice = json.dumps(DOCUMENT).replace('"entry"', '"request_id": "x", "entry"', 1)
    assert failed((await post(gateway, twice.encode())).json()) == ["document"]


NO_RECEIPTS = {
    "no JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "an empty object": b"{}",
    "proof no object": b'{"proof": 7}',
    "not a number": b'{"proof": NaN}',
    "no UTF-8": b'{"proof": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
}
UNREADABLE = {
    "nested deeply": b"[" * 400_000,
    "nested deeply in the right place": b'{"proof": ' + b'{"envelope":' * 70_000,
    "a number of a million digits": b'{"proof": ' + b"9" * 900_000 + b"}",
}


@pytest.mark.parametrize("body", NO_RECEIPTS.values(), ids=NO_RECEIPTS.keys())
async def test_what_is_no_receipt_is_refused(gateway: Told, body: bytes) -> None:
    assert error(await post(gateway, body)) == (422, "invalid_request")


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_readers_take_for_different_values_is_a_defect(gateway: Told, body: bytes) -> None:
    assert failed((await post(gateway, body)).json()) == ["document"]


@pytest.mark.parametrize(
    "more",
    [{"openings": []}, {"openings": "x"}, {"texts": []}, {"texts": 1}, {"keys": {"keys": [{}] * 65}}],
)
async def test_what_goes_with_a_receipt_and_cannot_be_read_is_refused(gateway: Told, more: dict[str, Any]) -> None:
    response = await post(gateway, json.dumps(DOCUMENT | more).encode())
    assert error(response) == (422, "invalid_request")
    assert response.json()["error"]["param"] == next(iter(more))


@pytest.mark.parametrize(
    "more",
    [
        {"openings": {"prysm": 7}, "texts": {"answer": None}},
        {"openings": {"answer": 7}, "texts": {"answer": "x"}},
        {"openings": {"answer": {"enc": [], "salt": {}}}, "texts": {"answer": "\ud800"}},
        {"openings": {"prompt": {"enc": "jcs", "salt": "x"}}, "texts": {"prompt": {"a": 1.5, "b": 10**30}}},
        {"openings": {"choices": [{"message": {"content": 7}}], "prysm": {"openings": {"answer": {}}}}},
        {"openings": {"choices": [{"message": {}}, 7], "prysm": {"openings": {"answer": {"enc": "jcs"}}}}},
    ],
)
async def test_openings_of_any_shape_break_nothing(gateway: Told, more: dict[str, Any]) -> None:
    await judge(gateway, **more)


@pytest.mark.parametrize("depth", [400, 800, 900, 950, 980, 990, 1000, 3000])
@pytest.mark.parametrize("where", ["version", "texts", "keys"])
async def test_depth_breaks_nothing(gateway: Told, depth: int, where: str) -> None:
    hole = {"version": {"proof": DOCUMENT["proof"] | {"version": "HOLE"}}}.get(where, {where: {"answer": "HOLE"}})
    body = json.dumps(DOCUMENT | hole | {"openings": runs.OPENINGS})
    deep = body.replace('"HOLE"', "[" * depth + "]" * depth)
    assert (await post(gateway, deep.encode())).status_code in {200, 422}


async def test_only_so_much_and_only_json_is_taken(gateway: Told) -> None:
    assert error(await post(gateway, b" " * 1_000_001)) == (413, "request_too_large")
    assert error(await post(gateway, b"{}", "text/plain")) == (415, "unsupported_media_type")
    assert error(await post(gateway, b"")) == (422, "invalid_request")


GREEDY = {
    "many keys in one object": lambda: (
        json.dumps(DOCUMENT)[:-1] + "".join(f',"{i:06}":0' for i in range(20_000)) + ',"019999":0}'
    ),
    "many signatures": lambda: json.dumps(
        {
            "proof": DOCUMENT["proof"]
            | {"envelope": {"payload": "", "signatures": [{"keyid": "", "sig": ""}] * 25_000}}
        }
    ),
    "a long note": lambda: json.dumps(
        DOCUMENT
        | {"keys": {"keys": [made.Key(f"k{i}", "log").listed(made.ORIGIN) for i in range(64)]}}
        | {
            "proof": DOCUMENT["proof"]
            | {"log": DOCUMENT["proof"]["log"] | {"checkpoint": "x\n" * 300_000 + "\n— x y\n"}}
        }
    ),
    "many stages": lambda: json.dumps(DOCUMENT | {"stages": [{"body": "e30="}] * 40_000}),
}


@pytest.mark.parametrize("make", GREEDY.values(), ids=GREEDY.keys())
async def test_no_body_keeps_the_gateway_busy(gateway: Told, make: Callable[[], str]) -> None:
    body = make().encode()
    began = time.process_time()
    assert (await post(gateway, body)).status_code in {200, 422}
    assert time.process_time() - began < 5


async def test_other_methods_are_not_allowed(gateway: Told) -> None:
    assert error(await gateway.http.delete("/v1/proof/verify")) == (405, "method_not_allowed")
    read = await gateway.http.get("/v1/proof/verify")
    assert (*error(read), read.headers["allow"]) == (405, "method_not_allowed", "POST")
