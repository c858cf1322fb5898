"""The response cache from outside: an answer that is given again, to whom, and what is said and counted of it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.api.holder import Holder, holder, made, tenant
from tests.api.wire import chunks, completion, stream_start, streamed
from tests.providers.upstream import Act, answer
from tests.serving import SANDBOX, served

from prysm.store.deletion import delete

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from tests.providers.upstream import Upstream
    from tests.serving import Served

ORIGINAL = re.compile(r'"original": ?"([0-9a-f-]{36})"')
CHAT, RESPONSES, MESSAGES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"


def body_of(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": "sandbox-small", "messages": [{"role": "user", "content": prompt}]} | more


def twice(ask: Any) -> tuple[httpx.Response, httpx.Response]:
    """The first to ask, and one who got the same answer, which is kept in the background."""
    asked: dict[str, httpx.Response] = {}
    for _ in range(100):
        answer = ask()
        if answer.headers.get("x-prysm-cache") == "hit":
            return asked[ORIGINAL.findall(answer.text)[0]], answer
        asked[answer.headers["x-request-id"]] = answer
        time.sleep(0.02)
    raise AssertionError("nothing was kept")


def record_of(gateway: Served, request_id: str) -> dict[str, Any]:
    payload = gateway.proof(request_id)["proof"]["envelope"]["payload"]
    record: dict[str, Any] = json.loads(b64decode(payload))
    return record


def cached(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["prysm"].get("cache")


def test_the_second_to_ask_gets_the_answer_of_the_first_and_pays_nothing(sandbox: Served) -> None:
    asked = body_of(f"Say {uuid4()}", model="sandbox-strong", cache=True)
    first, again = twice(lambda: sandbox.http.post(CHAT, json=asked))
    assert (cached(first), first.headers["x-prysm-cache"]) == ({"hit": False}, "miss")
    original = first.json()["prysm"]["request_id"]
    told = cached(again)
    assert told == {"hit": True, "original": original, "age_s": told["age_s"]}
    assert told["age_s"] in range(10)
    assert again.json()["choices"] == first.json()["choices"]
    prysm = again.json()["prysm"]
    assert (prysm["calls"], prysm["cost"]["total_usd"], prysm["simulated"]) == ([], 0, True)
    assert again.json()["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert prysm["routing"]["confidence"] == first.json()["prysm"]["routing"]["confidence"]


def test_a_hit_calls_nobody(scripted: Served, left: Upstream) -> None:
    asked = body_of(f"Say {uuid4()}", model="left", cache=True)
    left.plays(completion("Paris"))
    twice(lambda: scripted.http.post(CHAT, json=asked))
    left.seen.clear()
    answers = [scripted.http.post(CHAT, json=asked) for _ in range(5)]
    assert [each.json()["choices"][0]["message"]["content"] for each in answers] == ["Paris"] * 5
    assert left.seen == []


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_what_failed_is_asked_again(scripted: Served, left: Upstream, *, stream: bool) -> None:
    asked = body_of(f"Say {uuid4()}", model="left", stream=stream, cache=True)
    left.plays(answer(b"no", "400 Bad Request"))
    assert [scripted.http.post(CHAT, json=asked).status_code for _ in range(2)] == [502, 502]
    left.plays(streamed("Paris") if stream else completion("Paris"))
    assert scripted.http.post(CHAT, json=asked).headers["x-prysm-cache"] == "miss"


def test_a_stream_that_broke_off_is_not_an_answer(scripted: Served, left: Upstream) -> None:
    asked = body_of(f"Say {uuid4()}", model="left", stream=True, cache=True)
    left.plays(stream_start("Par"), Act.CLOSE)
    assert "[DONE]" not in scripted.http.post(CHAT, json=asked).text
    left.plays(streamed("Paris"))
    whole = scripted.http.post(CHAT, json=asked)
    assert (whole.headers["x-prysm-cache"], "[DONE]" in whole.text) == ("miss", True)


def test_a_hit_has_a_receipt_of_its_own_that_points_to_the_originals(sandbox: Served) -> None:
    asked = body_of(f"Say {uuid4()}", model="auto", cache=True)
    first, again = (each.json()["prysm"] for each in twice(lambda: sandbox.http.post(CHAT, json=asked)))
    record, before = (record_of(sandbox, each["request_id"]) for each in (again, first))
    assert record["cached"] == {"request_id": first["request_id"], "proof_hash": first["proof"]["proof_hash"]}
    assert "cached" not in before
    assert (record["cost"]["nano_usd"], record["usage"]["input_tokens"], record["simulated"]) == ("0", 0, True)
    assert (record["answer"], record["confidence"]) == (before["answer"], before["confidence"])
    assert (record["retention"], before["retention"]) == ("3600s", "3600s")
    assert sandbox.proof(again["request_id"])["verified"] is True


def test_nothing_comes_from_the_cache_or_goes_there_unless_it_is_asked_for(sandbox: Served) -> None:
    prompt = f"Say {uuid4()}"
    asked = [sandbox.chat("auto", prompt), sandbox.chat("auto", prompt, cache=False), sandbox.chat("auto", prompt)]
    assert [cached(each) for each in asked] == [None, None, None]
    assert all("x-prysm-cache" not in each.headers for each in asked)
    assert cached(sandbox.chat("auto", prompt, cache=True)) == {"hit": False}


def test_what_was_kept_is_no_business_of_another_organisation(sandbox: Served) -> None:
    keys = [holder(sandbox), holder(sandbox), tenant(sandbox)[1]]
    asked = body_of(f"Say {uuid4()}", cache=True)
    twice(lambda: keys[0].post(CHAT, asked))
    assert [cached(key.post(CHAT, asked))["hit"] for key in keys] == [True, True, False]


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.5},
        {"seed": 7},
        {"max_tokens": 50},
        {"stop": "x"},
        {"n": 2},
        {"model": "sandbox-mid"},
        {"model": "auto"},
        {"model": "prysm/single"},
        {"user": "u"},
        {"response_format": {"type": "json_object"}, "model": "sandbox-strong"},
        {"cache": {"sample": 1}},
    ],
    ids=str,
)
def test_any_parameter_that_shapes_the_answer_asks_for_another_one(sandbox: Served, other: dict[str, Any]) -> None:
    asked = body_of(f"Answer in JSON: {uuid4()}", cache=True)
    twice(lambda: sandbox.http.post(CHAT, json=asked))
    assert cached(sandbox.http.post(CHAT, json=asked | other)) == {"hit": False}


def test_what_does_not_shape_the_answer_finds_it(sandbox: Served) -> None:
    asked = body_of(f"Say {uuid4()}", cache=True)
    twice(lambda: sandbox.http.post(CHAT, json=asked))
    assert cached(sandbox.http.post(CHAT, json=asked | {"metadata": {"team": "b"}}))["hit"] is True


def test_each_sample_of_a_request_is_an_answer_of_its_own(sandbox: Served) -> None:
    def sample(i: int) -> httpx.Response:
        return sandbox.http.post(CHAT, json=body_of(prompt, cache={"sample": i}))

    prompt = f"Say {uuid4()}"
    first = {i: twice(lambda i=i: sample(i))[0].json()["prysm"]["request_id"] for i in range(3)}
    assert {i: cached(sample(i))["original"] for i in range(3)} == first


@pytest.mark.parametrize("model", ["sandbox-small", "prysm/depth", "prysm/self_consistency"])
def test_a_hit_is_streamed_like_any_answer(sandbox: Served, model: str) -> None:
    asked = body_of(f"What is 17 * 23? {uuid4()}", model=model, cache=True)
    first, again = twice(lambda: sandbox.http.post(CHAT, json=asked | {"stream": True}))
    assert (first.headers["x-prysm-cache"], again.headers["x-prysm-cache"]) == ("miss", "hit")
    texts = [
        "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks(r) if c["choices"])
        for r in (first, again)
    ]
    assert texts[0] == texts[1] != ""
    assert chunks(again)[-1]["prysm"]["cache"]["original"] == chunks(first)[-1]["prysm"]["request_id"]
    assert again.text.endswith("data: [DONE]\n\n")
    whole = sandbox.http.post(CHAT, json=asked)
    assert (cached(whole)["hit"], whole.json()["choices"][0]["message"]["content"]) == (True, texts[0])


def test_all_versions_of_an_answer_are_streamed_again(sandbox: Served) -> None:
    asked = body_of(f"Say {uuid4()}", cache=True, stream=True, n=3)
    told = []
    for response in twice(lambda: sandbox.http.post(CHAT, json=asked)):
        texts = dict.fromkeys(range(3), "")
        for choice in (choice for chunk in chunks(response) for choice in chunk["choices"]):
            texts[choice["index"]] += choice["delta"].get("content") or ""
        told.append(texts)
    assert told[0] == told[1]
    assert all(told[0].values())


def test_an_orchestrated_answer_comes_back_with_its_score(sandbox: Served) -> None:
    prompt = f"What is 17 * 23? {uuid4()}"
    first, again = twice(lambda: sandbox.orchestrate(prompt, policy="depth", strategy="ensemble_moa", cache=True))
    assert cached(again)["hit"] is True
    assert again.json()["prysm"]["orchestration"] == first.json()["prysm"]["orchestration"]
    assert [(item["kind"], item["note"]) for item in again.json()["prysm"]["stages"]] == [("answer", "cached")]


def test_every_surface_shares_the_answers(sandbox: Served) -> None:
    prompt = f"Say {uuid4()}"
    chat = body_of(prompt, max_tokens=90, cache=True)
    message = {"model": "sandbox-small", "max_tokens": 90, "messages": chat["messages"], "cache": True}
    response = {"model": "sandbox-small", "max_output_tokens": 90, "input": prompt, "cache": True}
    original = twice(lambda: sandbox.http.post(CHAT, json=chat))[0].json()["prysm"]["request_id"]
    for path, body in ((MESSAGES, message), (RESPONSES, response)):
        assert cached(sandbox.http.post(path, json=body))["original"] == original
        streamed = sandbox.http.post(path, json=body | {"stream": True})
        assert (streamed.headers["x-prysm-cache"], f'"original":"{original}"' in streamed.text) == ("hit", True)


def test_vectors_come_back_as_they_were(sandbox: Served) -> None:
    asked = {"model": "sandbox-embedding", "input": [f"{uuid4()}", "b"], "cache": True}
    first, again = twice(lambda: sandbox.http.post(EMBEDDINGS, json=asked))
    assert cached(again)["hit"] is True
    assert again.json()["data"] == first.json()["data"]


def test_a_key_can_ask_for_it_by_default_and_a_request_do_without(sandbox: Served) -> None:
    key, asked = holder(sandbox, cache=True), body_of(f"Say {uuid4()}")
    assert cached(twice(lambda: key.post(CHAT, asked))[1])["hit"] is True
    assert cached(key.post(CHAT, asked | {"cache": False})) is None


@pytest.mark.parametrize("zero", [{"retention": "zero"}, {}], ids=["the request's", "the key's"])
def test_what_is_not_to_be_retained_is_not_kept_here_either(sandbox: Served, zero: dict[str, str]) -> None:
    key = holder(sandbox, **({} if zero else {"retention": "zero"}))
    asked = body_of(f"Say {uuid4()}", cache=True) | zero
    told = [cached(key.post(CHAT, asked)) for _ in range(3)]
    time.sleep(0.2)
    assert [*told, cached(key.post(CHAT, asked))] == [{"hit": False}] * 4


def test_an_answer_is_given_again_only_while_it_is_young_enough(sandbox: Served) -> None:
    asked = body_of(f"Say {uuid4()}", cache=True)
    twice(lambda: sandbox.http.post(CHAT, json=asked))
    time.sleep(1.1)
    assert cached(sandbox.http.post(CHAT, json=asked | {"cache": {"ttl_s": 60}}))["hit"] is True
    assert cached(sandbox.http.post(CHAT, json=asked | {"cache": {"ttl_s": 1}})) == {"hit": False}


@pytest.mark.parametrize("wish", ["yes", 1, {"ttl_s": 0}, {"ttl_s": "1h"}, {"sample": -1}, {"until": 3}])
def test_a_wish_that_cannot_be_understood_is_refused(sandbox: Served, wish: object) -> None:
    response = sandbox.chat("auto", "Hi", cache=wish)
    assert (response.status_code, response.json()["error"]["param"][:5]) == (400, "cache")


def test_a_hit_counts_as_a_request_and_costs_its_key_nothing_else(sandbox: Served) -> None:
    prompt = f"Say {uuid4()}"
    twice(lambda: sandbox.chat("sandbox-small", prompt, cache=True))
    key = made(sandbox, rpm=2, tpm=100_000)
    by = Holder(sandbox.url, key["key"])
    answers = [by.post(CHAT, body_of(prompt, cache=True)) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[1].headers["x-ratelimit-remaining-tokens"] == "100000"
    usage = by.get("/v1/usage").json()
    assert (usage["total_requests"], usage["total_tokens"], usage["total_cost_usd"]) == (2, 0, 0)


def test_who_has_spent_his_budget_still_gets_what_costs_nothing(sandbox: Served) -> None:
    prompt, key = f"Say {uuid4()}", holder(sandbox, budget_usd=0)
    twice(lambda: sandbox.chat("sandbox-small", prompt, cache=True))
    assert cached(key.post(CHAT, body_of(prompt, cache=True)))["hit"] is True
    assert key.post(CHAT, body_of(prompt)).status_code == 402


def test_answers_outlive_the_gateway(tmp_path: Path, database_url: str) -> None:
    asked = body_of("Say it", cache=True)
    with served(tmp_path, SANDBOX, database_url) as gateway:
        first = gateway.http.post(CHAT, json=asked).json()["prysm"]["request_id"]
    with served(tmp_path, SANDBOX, database_url) as gateway:
        assert cached(gateway.http.post(CHAT, json=asked))["original"] == first


def test_an_operator_can_keep_nothing(tmp_path: Path, database_url: str) -> None:
    with served(tmp_path, f'[cache]\nttl = "none"\n{SANDBOX}', database_url) as gateway:
        told = [cached(gateway.chat("auto", "Hi", cache={"ttl_s": 60})) for _ in range(2)]
        time.sleep(0.1)
        assert [*told, cached(gateway.chat("auto", "Hi", cache=True))] == [{"hit": False}] * 3


def test_who_keeps_nothing_any_more_deletes_what_was_kept(tmp_path: Path, database_url: str) -> None:
    with served(tmp_path, SANDBOX, database_url) as gateway:
        twice(lambda: gateway.http.post(CHAT, json=body_of("Say it", cache=True)))
    with served(tmp_path, f'[cache]\nttl = "none"\n{SANDBOX}', database_url) as gateway:
        until = time.monotonic() + 5
        while (kept := on(gateway, COUNT)) and time.monotonic() < until:
            time.sleep(0.02)
        assert kept == 0


def test_an_answer_of_a_run_that_was_deleted_is_given_to_nobody(sandbox: Served) -> None:
    asked = body_of(f"Say {uuid4()}", cache=True)
    first, again = (each.headers["x-request-id"] for each in twice(lambda: sandbox.http.post(CHAT, json=asked)))
    on(sandbox, delete, UUID(again))  # what it was given is another run's
    assert cached(sandbox.http.post(CHAT, json=asked))["original"] == first
    on(sandbox, delete, UUID(first))
    assert cached(sandbox.http.post(CHAT, json=asked)) == {"hit": False}


def test_who_looks_for_a_young_answer_takes_none_away_from_others(sandbox: Served) -> None:
    asked = body_of(f"Say {uuid4()}", cache={"ttl_s": 100})
    first, _ = twice(lambda: sandbox.http.post(CHAT, json=asked))
    time.sleep(1.1)
    twice(lambda: sandbox.http.post(CHAT, json=asked | {"cache": {"ttl_s": 1}}))
    time.sleep(1.1)
    assert cached(sandbox.http.post(CHAT, json=asked))["original"] == first.headers["x-request-id"]


SIMULATED = """
[[providers]]
id = "acme"
kind = "sandbox"
[[models]]
id = "acme-1"
provider = "acme"
upstream = "sandbox-strong"
tier = "strong"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
quality = {}
"""


@pytest.mark.parametrize("changed", ["provider", "quality"])
def test_a_change_of_the_catalog_empties_the_cache(
    tmp_path: Path, database_url: str, scripted: Served, left: Upstream, changed: str
) -> None:
    del scripted  # only for a fresh upstream
    real = SIMULATED.replace('"sandbox"', f'"openai"\nbase_url = "{left.url}"')
    other = real if changed == "provider" else SIMULATED.replace("{}", "{ default = 0.5 }")
    asked = body_of("Say it", model="acme-1", cache=True)
    with served(tmp_path, SIMULATED, database_url) as gateway:
        twice(lambda: gateway.http.post(CHAT, json=asked))
    left.plays(completion("Paris"))
    with served(tmp_path, other, database_url) as gateway:
        answer = gateway.http.post(CHAT, json=asked)
        assert cached(answer) == {"hit": False}
        assert answer.json()["prysm"]["simulated"] is (changed != "provider")
    with served(tmp_path, SIMULATED, database_url) as gateway:
        assert cached(gateway.http.post(CHAT, json=asked))["hit"] is True


COUNT = "SELECT count(*) FROM cached_answer"


def on(gateway: Served, done: Any, *values: object) -> Any:
    """What comes of a statement, or of what an operator's command does, on the gateway's database."""

    async def run() -> Any:
        connection = await asyncpg.connect(gateway.database_url)
        try:
            return await (connection.fetchval(done) if isinstance(done, str) else done(connection, *values))
        finally:
            await connection.close()

    return asyncio.run(run())
