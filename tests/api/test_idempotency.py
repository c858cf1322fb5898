"""`Idempotency-Key` over real HTTP: one run, one payment, one answer."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs
from tests.api.holder import made, tenant
from tests.api.wire import completion, error, stream_start, streamed
from tests.providers.upstream import Act, answer
from tests.serving import SANDBOX, served

from prysm.api import replays
from prysm.errors import ProofUnavailable
from prysm.store.deletion import delete
from prysm.store.idempotency import IdempotencyStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.providers.upstream import Upstream
    from tests.serving import Served

CHAT = "/v1/chat/completions"
MARK = "zqtext5c1f0aqz"


def ask(gateway: Served, key: str, path: str = CHAT, **more: Any) -> httpx.Response:
    """Ask the model `left` under a key."""
    headers = {"idempotency-key": key}
    body = {"model": "left", "messages": [{"role": "user", "content": "Hi"}]} if path == CHAT else {}
    return gateway.http.post(path, json=body | more, headers=headers)


def new() -> str:
    return uuid4().hex


def query(gateway: Served, statement: str, *values: object) -> Any:
    """The first value of what a statement finds in the gateway's database."""

    async def run() -> Any:
        connection = await asyncpg.connect(gateway.database_url)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(run())


def same(first: httpx.Response, second: httpx.Response) -> None:
    """Check that the second is the first again, byte for byte, under a request id of its own."""
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (second.status_code, second.content) == (first.status_code, first.content)
    own = {"x-request-id", "request-id", "date", "idempotent-replayed"}
    assert {k: v for k, v in second.headers.items() if k not in own} == {
        k: v for k, v in first.headers.items() if k not in own
    }
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_the_same_key_gives_the_same_answer_and_asks_no_model_again(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    first = ask(scripted, key)
    with capture_logs() as logs:
        second = ask(scripted, key)
    same(first, second)
    assert first.status_code == 200
    assert first.json()["prysm"]["request_id"] == first.headers["x-request-id"]
    assert len(left.seen) == 1
    runs = "SELECT count(*) FROM usage WHERE request_id = ANY($1::uuid[])"
    ids = [UUID(each.headers["x-request-id"]) for each in (first, second)]
    assert query(scripted, runs, ids) == 1
    assert query(scripted, "SELECT count(*) FROM receipt WHERE request_id = ANY($1::uuid[])", ids) == 1
    assert [(line["status"], line["path"]) for line in logs if line["event"] == "request"] == [(200, CHAT)]


def test_replays_are_counted_under_their_route(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    for _ in range(2):
        ask(scripted, key)
    assert f'route="{CHAT}"' in scripted.http.get("/metrics").text
    assert 'route="unmatched",status="200"' not in scripted.http.get("/metrics").text


def test_without_a_key_every_request_runs(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    for _ in range(2):
        assert "idempotent-replayed" not in scripted.chat("left").headers
    assert len(left.seen) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"stream_options": {"include_usage": True}}),
        ("/v1/responses", {"model": "left", "input": "Hi"}),
        ("/v1/messages", {"model": "left", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}),
        ("/v2/orchestrate", {"prompt": "Hi", "models": ["left"], "strategy": "self_consistency", "samples": 2}),
    ],
)
def test_a_stream_is_replayed_byte_for_byte(
    scripted: Served, left: Upstream, path: str, body: dict[str, Any]
) -> None:
    left.plays(streamed("Par", "is"))
    if path == "/v2/orchestrate":
        left.plays(completion("Paris"))
    key = new()
    first = ask(scripted, key, path, stream=True, **body)
    asked = len(left.seen)
    same(first, ask(scripted, key, path, stream=True, **body))
    assert first.headers["content-type"].startswith("text/event-stream")
    assert "Paris" in first.text or "Par" in first.text
    assert len(left.seen) == asked > 0


def test_twenty_at_once_are_one_run(scripted: Served, left: Upstream) -> None:
    go = threading.Event()
    left.plays(go, completion("Paris"))
    key = new()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask, scripted, key) for _ in range(20)]
        time.sleep(0.4)
        go.set()
        answers = [each.result() for each in asked]
    assert len(left.seen) == 1
    assert {(each.status_code, each.content) for each in answers} == {(200, answers[0].content)}
    assert len({each.headers["x-request-id"] for each in answers}) == 20
    assert sum("idempotent-replayed" in each.headers for each in answers) == 19


def test_another_request_under_the_same_key_is_a_conflict(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    ask(scripted, key)
    refused = ask(scripted, key, temperature=0.5)
    assert error(refused) == (409, "idempotency_conflict")
    assert refused.headers["x-should-retry"] == "false"
    assert refused.json()["error"]["param"] == "Idempotency-Key"
    assert error(ask(scripted, key, "/v1/embeddings", model="left-vectors", input="Hi"))[0] == 409
    assert len(left.seen) == 1


def test_another_request_is_a_conflict_while_the_first_still_runs(scripted: Served, left: Upstream) -> None:
    go = threading.Event()
    left.plays(go, completion("Paris"))
    key = new()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, scripted, key)
        _until(lambda: bool(left.seen))
        assert error(ask(scripted, key, temperature=0.5)) == (409, "idempotency_conflict")
        go.set()
        assert first.result().status_code == 200


def test_a_key_is_its_callers_alone(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    _, admin = tenant(scripted)
    mine = ask(scripted, key)
    for holder in (admin.key, made(scripted)["key"]):
        theirs = httpx.post(
            scripted.url + CHAT,
            json={"model": "left", "messages": [{"role": "user", "content": "Hi"}]},
            headers={"authorization": f"Bearer {holder}", "idempotency-key": key},
            trust_env=False,
        )
        assert theirs.json()["prysm"]["request_id"] != mine.json()["prysm"]["request_id"]
    assert len(left.seen) == 3


@pytest.mark.parametrize("given", [[""], ["x" * 256], ["ä"], ["a", "b"]])
def test_a_key_that_is_none_is_refused(scripted: Served, given: list[str]) -> None:
    for path, status in ((CHAT, 400), ("/v2/orchestrate", 422)):
        headers = [(b"idempotency-key", each.encode()) for each in given]
        response = scripted.http.post(path, json={"prompt": "Hi", "dry_run": True}, headers=headers)
        assert error(response) == (status, "invalid_request")


def test_what_nobody_paid_for_runs_again(scripted: Served, left: Upstream) -> None:
    key = new()
    left.plays(answer(b"{}", "429 Too Many Requests", retry_after="1"))
    assert ask(scripted, key).status_code == 429
    left.plays(completion("Paris"))
    again = ask(scripted, key)
    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)


def test_a_request_that_was_refused_leaves_its_key_free(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    assert ask(scripted, key, model="nobody").status_code == 404
    assert ask(scripted, key, nonsense=1).status_code == 400
    assert ask(scripted, key).status_code == 200


def test_a_failure_that_was_paid_for_is_replayed(scripted: Served, left: Upstream) -> None:
    left.plays(answer(b"not json", "200 OK"))
    key = new()
    first = ask(scripted, key)
    assert (first.status_code, first.headers["x-should-retry"]) == (502, "false")
    left.plays(completion("Paris"))
    same(first, ask(scripted, key))


def test_a_stream_that_broke_off_is_not_replayed_and_not_run_again(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.RESET)
    key = new()
    first = ask(scripted, key, stream=True)
    assert '"error"' in first.text
    refused = ask(scripted, key, stream=True)
    assert error(refused) == (409, "replay_unavailable")
    assert first.headers["x-request-id"] in refused.text
    assert refused.headers["x-should-retry"] == "false"
    assert len(left.seen) == 1


def test_who_hangs_up_on_a_run_that_cost_something_is_told_so(scripted: Served, left: Upstream) -> None:
    left.plays(stream_start("Par"), Act.HANG)
    key = new()
    body = {"model": "left", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    with scripted.http.stream("POST", CHAT, json=body, headers={"idempotency-key": key}) as response:
        next(response.iter_raw())
    left.plays(completion("Paris"))
    assert error(ask(scripted, key, stream=True)) == (409, "replay_unavailable")
    assert scripted.outcome(response.headers["x-request-id"]) == "client_aborted"


def test_a_caller_who_only_waited_leaves_the_run_alone(scripted: Served, left: Upstream) -> None:
    go = threading.Event()
    left.plays(go, completion("Paris"))
    key = new()
    body = {"model": "left", "messages": [{"role": "user", "content": "Hi"}]}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, scripted, key)
        _until(lambda: bool(left.seen))
        with pytest.raises(httpx.ReadTimeout):
            scripted.http.post(CHAT, json=body, headers={"idempotency-key": key}, timeout=0.2)
        go.set()
        same(first.result(), ask(scripted, key))
    assert len(left.seen) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_zero_retention_is_answered_from_memory_and_never_after(
    scripted: Served, left: Upstream, *, stream: bool
) -> None:
    go = threading.Event()
    left.plays(go, streamed(MARK) if stream else completion(MARK))
    key = new()
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, scripted, key, stream=stream, retention="zero") for _ in range(3)]
        time.sleep(0.3)
        go.set()
        answers = [each.result() for each in asked]
    assert {each.content for each in answers} == {answers[0].content}
    assert MARK in answers[0].text
    refused = ask(scripted, key, stream=stream, retention="zero")
    assert error(refused) == (409, "replay_unavailable")
    assert len(left.seen) == 1
    assert (
        query(
            scripted, "SELECT count(*) FROM idempotency WHERE request_id = $1 AND answer IS NOT NULL", _run(answers)
        )
        == 0
    )


def test_the_key_of_a_caller_that_keeps_nothing_keeps_nothing(scripted: Served, left: Upstream) -> None:
    left.plays(completion(MARK))
    headers = {"authorization": f"Bearer {made(scripted, retention='zero')['key']}", "idempotency-key": new()}
    body = {"model": "left", "messages": [{"role": "user", "content": "Hi"}]}
    first, second = (httpx.post(scripted.url + CHAT, json=body, headers=headers, trust_env=False) for _ in range(2))
    assert first.status_code == 200
    assert error(second) == (409, "replay_unavailable")


def test_a_new_key_is_made_once_and_shown_once(scripted: Served) -> None:
    key = new()
    first = ask(scripted, key, "/v1/keys", name=MARK)
    again = ask(scripted, key, "/v1/keys", name=MARK)
    assert (first.status_code, error(again)) == (201, (409, "replay_unavailable"))
    assert sum(item["name"] == MARK for item in scripted.http.get("/v1/keys").json()["data"]) == 1
    rotated = f"/v1/keys/{first.json()['id']}/rotate"
    key = new()
    assert ask(scripted, key, rotated).status_code == 200
    assert error(ask(scripted, key, rotated)) == (409, "replay_unavailable")


def test_other_posts_are_replayed_too(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    judged = {"request_id": ask(scripted, new()).headers["x-request-id"], "correct": True}
    key = new()
    first = ask(scripted, key, "/v1/feedback", **judged)
    assert first.status_code == 200
    same(first, ask(scripted, key, "/v1/feedback", **judged))


def test_what_is_stored_shows_nothing(scripted: Served, left: Upstream) -> None:
    left.plays(completion(MARK))
    key = new()
    first = ask(scripted, key)
    assert MARK in first.text
    row = query(scripted, "SELECT i::text FROM idempotency i WHERE request_id = $1", _run([first]))
    stored = query(scripted, "SELECT answer FROM idempotency WHERE request_id = $1", _run([first]))
    assert len(stored) > len(first.content)
    assert MARK.encode() not in stored
    for secret in (MARK, MARK.encode().hex(), key, key.encode().hex(), "Hi"):
        assert secret not in row.replace(stored.hex(), "")


def test_the_answer_of_a_run_that_was_deleted_is_not_replayed_and_not_paid_for_again(
    scripted: Served, left: Upstream
) -> None:
    left.plays(completion("Paris"))
    key = new()
    first = ask(scripted, key)

    async def deleted() -> None:
        connection = await asyncpg.connect(scripted.database_url)
        await delete(connection, UUID(first.headers["x-request-id"]))
        await connection.close()

    asyncio.run(deleted())
    assert error(ask(scripted, key)) == (409, "replay_unavailable")
    assert len(left.seen) == 1


def test_an_expired_answer_is_forgotten(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    first = ask(scripted, key)
    query(scripted, "UPDATE idempotency SET expires_at = now() WHERE request_id = $1", _run([first]))
    again = ask(scripted, key)
    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)
    assert len(left.seen) == 2


def test_the_claim_of_a_dead_process_is_not_run_again(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    first = ask(scripted, key)
    cut = "UPDATE idempotency SET answer = NULL, expires_at = NULL, instance = NULL WHERE request_id = $1"
    query(scripted, cut, _run([first]))
    for _ in range(2):
        refused = ask(scripted, key)
        assert error(refused) == (409, "replay_unavailable")
        assert first.headers["x-request-id"] in refused.text
    assert len(left.seen) == 1
    assert query(scripted, "SELECT expires_at > now() FROM idempotency WHERE request_id = $1", _run([first]))


def test_a_claim_of_another_process_is_waited_for(scripted: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    key = new()
    first = ask(scripted, key)
    stored = query(scripted, "SELECT answer FROM idempotency WHERE request_id = $1", _run([first]))
    under_way = "UPDATE idempotency SET answer = NULL, expires_at = NULL WHERE request_id = $1"
    query(scripted, under_way, _run([first]))
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(ask, scripted, key) for _ in range(3)]
        time.sleep(0.4)
        assert not any(each.done() for each in waiting)
        done = "UPDATE idempotency SET answer = $2, expires_at = now() + interval '1h' WHERE request_id = $1"
        query(scripted, done, _run([first]), stored)
        for each in waiting:
            same(first, each.result())
    assert len(left.seen) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_an_answer_that_cannot_be_kept_yet_is_withheld_and_given_once_it_is(
    scripted: Served, left: Upstream, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    left.plays(streamed("Paris") if stream else completion("Paris"))
    key = new()
    with _unable_to_keep(monkeypatch):
        first = ask(scripted, key, stream=stream)
        assert "could not be kept" in first.text
        assert first.status_code == (200 if stream else 503)
        assert "x-should-retry" not in first.headers
        assert '"openings"' not in first.text
    again = ask(scripted, key, stream=stream)
    assert (again.status_code, '"openings"' in again.text) == (200, True)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] in again.text
    assert len(left.seen) == 1


def test_a_judgement_whose_answer_cannot_be_kept_is_no_defect(
    scripted: Served, left: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    left.plays(completion("Paris"))
    judged = {"request_id": ask(scripted, new()).headers["x-request-id"], "correct": True}
    key = new()
    with _unable_to_keep(monkeypatch), capture_logs() as logs:
        assert error(ask(scripted, key, "/v1/feedback", **judged)) == (503, "proof_unavailable")
    assert [line for line in logs if line["event"] == "defect"] == []
    assert ask(scripted, key, "/v1/feedback", **judged).headers["idempotent-replayed"] == "true"


@contextmanager
def _unable_to_keep(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the database were away for what is stored under keys; patience is short."""

    async def away(*_: object) -> None:
        raise ProofUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(replays, "WITHHELD_AFTER_S", 0.1)
        patched.setattr(replays, "AGAIN_S", 0.05)
        patched.setattr(IdempotencyStore, "end", away)
        yield


def test_a_body_over_the_limit_is_refused_as_ever(scripted: Served) -> None:
    body = b'{"model": "' + b"x" * 10_000_001
    headers = {"idempotency-key": new(), "content-type": "application/json"}
    assert error(scripted.http.post(CHAT, content=body, headers=headers)) == (413, "request_too_large")


def test_every_post_with_a_key_says_409_and_takes_the_header(scripted: Served) -> None:
    document = scripted.http.get("/openapi.json").json()
    posts = [item["post"] for item in document["paths"].values() if "post" in item]
    keyed = [each for each in posts if each["security"]]
    assert len(keyed) > 10
    for each in keyed:
        assert "409" in each["responses"]
        assert "Idempotency-Key" in [given["name"] for given in each["parameters"]]


def test_a_restarted_gateway_replays_what_the_one_before_answered(database_url: str, tmp_path: Path) -> None:
    key, answers = new(), []
    for _ in range(2):
        with served(tmp_path, SANDBOX, database_url) as gateway:
            answers.append(ask(gateway, key, model="sandbox-small"))
    same(*answers)


def test_two_gateways_on_one_database_run_it_once(
    database_url: str, tmp_path: Path, scripted: Served, left: Upstream
) -> None:
    del scripted  # only for a fresh upstream
    go = threading.Event()
    left.plays(go, completion("Paris"))
    toml = _over(left)
    (tmp_path / "other").mkdir()
    key = new()
    with (
        served(tmp_path, toml, database_url) as one,
        _sharing(tmp_path, toml, database_url) as other,
        ThreadPoolExecutor(6) as pool,
    ):
        asked = [pool.submit(ask, gateway, key) for gateway in (one, other) * 3]
        time.sleep(0.5)
        go.set()
        answers = [each.result() for each in asked]
        assert {each.status_code for each in answers} == {200}
        assert len({each.content for each in answers}) == 1
        assert len(left.seen) == 1
        hidden = new()
        go.clear()
        asked = [pool.submit(ask, gateway, hidden, retention="zero") for gateway in (one, other)]
        _until(lambda: any(each.done() for each in asked))  # refused at once: it will never see the answer
        go.set()
        statuses = sorted(each.result().status_code for each in asked)
    assert statuses == [200, 409]
    assert len(left.seen) == 2


def _over(upstream: Upstream) -> str:
    return (
        '[[models]]\nid = "left"\nprovider = "host"\ntier = "mid"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n'
        f'[[providers]]\nid = "host"\nkind = "openai"\nbase_url = "{upstream.url}"\n'
    )


def _sharing(folder: Path, toml: str, database_url: str) -> Any:
    """Serve from another data directory with the encryption key of the first."""
    (folder / "other" / "encryption.key").write_bytes((folder / "encryption.key").read_bytes())
    (folder / "other" / "encryption.key").chmod(0o600)
    return served(folder / "other", toml, database_url)


def _run(answers: list[httpx.Response]) -> UUID:
    """The id of the run behind answers that are all the same."""
    found = next(each for each in answers if "idempotent-replayed" not in each.headers)
    return UUID(found.headers["x-request-id"])


def _until(there: Any) -> None:
    deadline = time.monotonic() + 5
    while not there() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert there()
