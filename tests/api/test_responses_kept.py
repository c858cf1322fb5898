"""Responses where the operator keeps text: `previous_response_id`, reading back, deleting; and where none is kept."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import openai
import pytest
from tests.api.conftest import PROVIDER_KEY, provider
from tests.api.wire import completion, error, streamed
from tests.databases import database
from tests.providers.upstream import answer
from tests.serving import PROMPT, ROOT_KEY, SANDBOX, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.responses import Response
    from tests.providers.upstream import Upstream
    from tests.serving import Served

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


@pytest.fixture(scope="module")
def _keeping(postgres_url: str, upstreams: dict[str, Upstream]) -> Iterator[Served]:
    url = upstreams["left"].url
    toml = '[retention]\ncontent = "1h"\n[server]\nbody_limit_mb = 0.05\n' + provider("left", url)
    toml += provider("claude", url).replace('kind = "openai"', 'kind = "anthropic"')
    environ = os.environ | {"UPSTREAM_KEY": PROVIDER_KEY}
    with (
        tempfile.TemporaryDirectory(prefix="prysm-api-") as folder,
        database(postgres_url) as url,
        served(Path(folder), toml, url, environ) as gateway,
    ):
        yield gateway


@pytest.fixture
def keeping(_keeping: Served, left: Upstream) -> Served:
    """A gateway that keeps text, over an upstream that has nothing to say yet."""
    left.plays()
    left.seen.clear()
    left.left.clear()
    return _keeping


@pytest.fixture
def client(keeping: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=ROOT_KEY, base_url=f"{keeping.url}/v1", max_retries=0) as opened:
        yield opened


def sql(gateway: Served, statement: str) -> Any:
    """The first value that a statement finds in the gateway's database."""

    async def execute() -> object:
        connection = await asyncpg.connect(gateway.database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(execute())


def stored(response: Response) -> object:
    """Whether the answer says that it was kept."""
    assert response.model_extra is not None
    return response.model_extra["store"]


def test_a_conversation_goes_on_from_its_last_response(
    keeping: Served, client: openai.OpenAI, left: Upstream
) -> None:
    left.plays(completion("Paris"))
    first = client.responses.create(model="left", input=PROMPT, instructions="Be brief.")
    left.plays(completion("So it is."))
    second = client.responses.create(model="left", input="Why?", previous_response_id=first.id)
    third = client.responses.create(
        model="left", input=[{"role": "user", "content": "Since when?"}], previous_response_id=second.id
    )
    assert stored(first) is stored(second) is True
    assert first.model_extra is not None
    receipt = keeping.proof(first.model_extra["prysm"]["request_id"])["proof"]["envelope"]
    assert json.loads(base64.b64decode(receipt["payload"]))["retention"] == "3600s"
    assert third.previous_response_id == second.id
    assert [(turn["role"], turn["content"]) for turn in left.seen[2].json["messages"]] == [
        ("user", PROMPT),
        ("assistant", "Paris"),
        ("user", "Why?"),
        ("assistant", "So it is."),
        ("user", "Since when?"),
    ]


def test_a_streamed_call_is_answered_by_its_id_alone(client: openai.OpenAI, left: Upstream) -> None:
    call = streamed({"reasoning_content": "Hm."}, {"tool_calls": [{"index": 0} | CALL]}, finish="tool_calls")
    left.plays(call)
    tool: Any = {"type": "function", "name": "weather", "parameters": None, "strict": None}
    with client.responses.stream(model="left", input="Weather?", tools=[tool]) as stream:
        first = stream.get_final_response()
    left.plays(completion("21 °C"))
    output: Any = [{"type": "function_call_output", "call_id": "c1", "output": "21"}]
    second = client.responses.create(model="left", input=output, previous_response_id=first.id)
    assert second.output_text == "21 °C"
    turn = left.seen[1].json["messages"][1]
    assert (turn["reasoning_content"], turn["tool_calls"]) == ("Hm.", [CALL])


def test_sealed_thoughts_go_back_to_their_provider(client: openai.OpenAI, left: Upstream) -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2VhbA=="},
        {"type": "redacted_thinking", "data": "b3BhcXVl"},
    ]
    said = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "served",
        "content": [*thoughts, {"type": "text", "text": "Paris"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 2},
    }
    left.plays(answer(json.dumps(said).encode()))
    first = client.responses.create(model="claude", input=PROMPT)
    assert [item.type for item in first.output] == ["reasoning", "reasoning", "message"]
    client.responses.create(model="claude", input="Why?", previous_response_id=first.id)
    turns: Any = [{"role": "user", "content": PROMPT}, *first.output, {"role": "user", "content": "Why?"}]
    client.responses.create(model="claude", input=turns)
    for seen in left.seen[1:]:
        assert seen.json["messages"][1]["content"] == said["content"]


def test_a_response_is_read_back_as_it_was_answered_and_deleted(client: openai.OpenAI, left: Upstream) -> None:
    left.plays(completion("Paris"))
    first = client.responses.create(model="left", input=PROMPT)
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match="deleted"):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError, match="not kept here") as gone:
        client.responses.create(model="left", input="Why?", previous_response_id=first.id)
    assert (gone.value.code, gone.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_gap_in_a_conversation_is_told(client: openai.OpenAI, left: Upstream) -> None:
    left.plays(completion("Paris"))
    first = client.responses.create(model="left", input=PROMPT)
    second = client.responses.create(model="left", input="Why?", previous_response_id=first.id)
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError, match="Part of the conversation"):
        client.responses.create(model="left", input="And?", previous_response_id=second.id)


def test_a_conversation_over_the_body_limit_is_refused(client: openai.OpenAI, left: Upstream) -> None:
    left.plays(completion("Yes."))
    last: str | None = None
    for _ in range(3):
        last = client.responses.create(model="left", input="x" * 20_000, previous_response_id=last).id
    with pytest.raises(openai.APIStatusError, match="Begin a new one") as large:
        client.responses.create(model="left", input="x", previous_response_id=last)
    assert large.value.status_code == 413


def test_input_items_are_listed_page_by_page(client: openai.OpenAI, left: Upstream) -> None:
    left.plays(completion("Fine."))
    turns: Any = [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": [{"type": "input_text", "text": "3"}]},
    ]
    first = client.responses.create(model="left", input=turns)
    listed = [item.to_dict() for item in client.responses.input_items.list(first.id, limit=1, order="asc")]
    assert [item["content"][0]["text"] for item in listed] == ["1", "2", "3"]  # type: ignore[index]  # JSON
    newest = client.responses.input_items.list(first.id)
    assert [item.to_dict() for item in newest.data] == listed[::-1]
    assert newest.has_more is False
    with pytest.raises(openai.BadRequestError, match="after"):
        client.responses.input_items.list(first.id, after="nothing")


def test_nothing_is_kept_of_who_asks_for_that(keeping: Served, client: openai.OpenAI, left: Upstream) -> None:
    left.plays(completion("Paris"))
    kept = sql(keeping, "SELECT count(*) FROM response")
    for more in ({"store": False}, {"retention": "zero"}):
        unkept = client.responses.create(model="left", input=PROMPT, extra_body=more)
        assert stored(unkept) is False
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(unkept.id)
    assert sql(keeping, "SELECT count(*) FROM response") == kept
    both = {"model": "left", "input": PROMPT, "store": True, "retention": "zero"}
    refused = keeping.http.post("/v1/responses", json=both)
    assert error(refused)[0] == 400
    assert refused.json()["error"]["param"] == "store"


def test_what_no_json_can_carry_is_kept_without(keeping: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    said = '{"type": "output_text", "text": "Hm.", "annotations": [NaN, 99999999999999999999]}'
    raw = '{"model": "left", "input": [{"role": "user", "content": "\\u0000"}, {"role": "assistant", "content": [%s]}]}'
    headers = {"content-type": "application/json"}
    first = keeping.http.post("/v1/responses", content=raw % said, headers=headers)
    assert first.status_code == 200
    more = {"model": "left", "input": "Why?", "previous_response_id": first.json()["id"]}
    assert keeping.http.post("/v1/responses", json=more).status_code == 200
    assert left.seen[1].json["messages"][0]["content"] == "\0"


def test_a_failed_run_is_not_kept(keeping: Served, left: Upstream) -> None:
    kept = sql(keeping, "SELECT count(*) FROM response")
    left.plays(completion("no", status="500 Internal Server Error"))
    assert keeping.http.post("/v1/responses", json={"model": "left", "input": PROMPT}).status_code == 502
    assert sql(keeping, "SELECT count(*) FROM response") == kept


def test_an_answer_that_cannot_be_kept_is_withheld(keeping: Served, left: Upstream) -> None:
    left.plays(completion("Paris"))
    sql(keeping, "ALTER TABLE response RENAME TO away")
    try:
        refused = keeping.http.post("/v1/responses", json={"model": "left", "input": PROMPT})
        assert error(refused) == (503, "proof_unavailable")
        assert refused.headers["x-should-retry"] == "false"
        assert refused.headers["x-prysm-proof-url"]
        unkept = {"model": "left", "input": PROMPT, "store": False}
        assert keeping.http.post("/v1/responses", json=unkept).status_code == 200
    finally:
        sql(keeping, "ALTER TABLE away RENAME TO response")


def test_where_no_text_is_kept_that_is_what_everything_says(sandbox: Served) -> None:
    first = sandbox.http.post("/v1/responses", json={"model": "auto", "input": PROMPT})
    assert first.json()["store"] is False
    for more in ({"previous_response_id": first.json()["id"]}, {"store": True}):
        refused = sandbox.http.post("/v1/responses", json={"model": "auto", "input": PROMPT} | more)
        assert error(refused) == (400, "unsupported_parameter")
        assert "[retention]" in refused.json()["error"]["message"]
    url = f"/v1/responses/{first.json()['id']}"
    for refused in (sandbox.http.get(url), sandbox.http.delete(url), sandbox.http.get(f"{url}/input_items")):
        assert error(refused) == (404, "not_found")
        assert "[retention]" in refused.json()["error"]["message"]
    assert error(sandbox.http.get(url, params={"stream": True})) == (400, "unsupported_parameter")
    assert sql(sandbox, "SELECT count(*) FROM response") == 0


def test_back_at_none_the_next_start_deletes_it_all(database_url: str, tmp_path: Path) -> None:
    with served(tmp_path, '[retention]\ncontent = "1h"\n' + SANDBOX, database_url) as gateway:
        assert gateway.http.post("/v1/responses", json={"model": "auto", "input": PROMPT}).json()["store"] is True
        assert sql(gateway, "SELECT count(*) FROM response") == 1
    with served(tmp_path, SANDBOX, database_url) as gateway:
        deadline = time.monotonic() + 5
        while sql(gateway, "SELECT count(*) FROM response") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert sql(gateway, "SELECT count(*) FROM response") == 0
