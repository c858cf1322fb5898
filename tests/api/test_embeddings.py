"""`POST /v1/embeddings`, by the unmodified `openai` package and by hand: vectors, receipts, and what goes wrong."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types import CreateEmbeddingResponse
from tests.api.wire import error
from tests.providers.upstream import Act, answer
from tests.serving import ROOT_KEY

from prysm.proof.canonical import canonical
from prysm.proof.verify import verify_opening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx import Response
    from tests.providers.upstream import Upstream
    from tests.serving import Served

MODEL = "sandbox-embedding"
FIRST, SECOND = (0.25, -0.5, 1.0), (0.0, 0.125, -2.0)


@pytest.fixture
def client(sandbox: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{sandbox.url}/v1", api_key=ROOT_KEY, max_retries=0) as opened:
        yield opened


def embed(gateway: Served, given: object, model: str = "auto", **more: Any) -> Response:
    return gateway.http.post("/v1/embeddings", json={"model": model, "input": given} | more)


def vectors(*rows: tuple[float, ...] | str, order: tuple[int, ...] | None = None, **more: Any) -> bytes:
    """What a host answers: the rows as they are, at the places in `order`."""
    data = [
        {"object": "embedding", "index": i, "embedding": row}
        for i, row in zip(order or range(len(rows)), rows, strict=True)
    ]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return answer(
        json.dumps({"object": "list", "data": data, "model": "vectors-1-0101", "usage": usage} | more).encode()
    )


def b64(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_the_sdk_gets_a_vector_of_unit_length_for_each_text(client: openai.OpenAI) -> None:
    made = client.embeddings.create(model=MODEL, input=["the sea is wide", "the sea is deep", "tax law"])
    assert [each.index for each in made.data] == [0, 1, 2]
    assert all(math.isclose(cosine(each.embedding, each.embedding), 1, rel_tol=1e-6) for each in made.data)
    near, far = (cosine(made.data[0].embedding, made.data[i].embedding) for i in (1, 2))
    assert near > far
    assert (made.model, made.object, made.usage.prompt_tokens) == (MODEL, "list", 10)


def test_numbers_and_base64_are_the_same_vector(client: openai.OpenAI, sandbox: Served) -> None:
    numbers = client.embeddings.create(model=MODEL, input="Grüße", encoding_format="float")
    CreateEmbeddingResponse.model_validate(numbers.model_dump(warnings="error"), strict=True)
    packed = embed(sandbox, "Grüße", MODEL, encoding_format="base64").json()["data"][0]["embedding"]
    assert struct.unpack("<256f", base64.b64decode(packed)) == tuple(numbers.data[0].embedding)
    assert client.embeddings.create(model=MODEL, input="Grüße").data[0].embedding == numbers.data[0].embedding


@pytest.mark.parametrize(("given", "count"), [([1, 2, 3], 1), ([[1, 2], [3]], 2)])
def test_tokens_are_taken_as_they_are(client: openai.OpenAI, given: Any, count: int) -> None:
    made = client.embeddings.create(model=MODEL, input=given)
    assert (len(made.data), made.usage.total_tokens) == (count, 3)


def test_vectors_are_as_long_as_was_asked_for(client: openai.OpenAI) -> None:
    made = client.embeddings.create(model=MODEL, input="a", dimensions=32, user="someone")
    assert len(made.data[0].embedding) == 32


def test_the_answer_has_our_block_and_a_place_for_its_proof(sandbox: Served) -> None:
    response = embed(sandbox, ["a", "b"])
    block = response.json()["prysm"]
    assert response.headers["x-prysm-proof-url"] == f"/v1/proof/{block['request_id']}"
    assert (block["simulated"], block["routing"]["model"], block["routing"]["task"]) == (True, MODEL, "embedding")
    assert block["cost"]["total_usd"] == pytest.approx(2 * 0.02 / 1e6)
    assert (block["cost"]["output_usd"], block["routing"]["confidence"]) == (0, None)


def test_its_receipt_commits_to_the_inputs_and_to_every_number(sandbox: Served) -> None:
    body = embed(sandbox, ["a", "b"], MODEL, encoding_format="base64").json()
    found = sandbox.proof(body["prysm"]["request_id"])
    assert (found["verified"], found["entry"]["strategy"]) == (True, "single")
    payload = base64.b64decode(found["proof"]["envelope"]["payload"])
    raw = b"".join(base64.b64decode(each["embedding"]) for each in body["data"])
    opened = {"prompt": canonical(["a", "b"]), "answer": base64.b64encode(raw)}
    for label, data in opened.items():
        assert verify_opening(payload, label, body["prysm"]["openings"][label], data).ok
    assert not verify_opening(payload, "answer", body["prysm"]["openings"]["answer"], base64.b64encode(raw[:-4])).ok


def test_a_long_answer_arrives_whole(client: openai.OpenAI) -> None:
    made = client.embeddings.create(model=MODEL, input=["x"] * 2048, dimensions=512, encoding_format="float")
    assert [each.index for each in made.data] == list(range(2048))
    assert {len(each.embedding) for each in made.data} == {512}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": [1, -2]}, "input[1]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": {"text": "a"}}, "input"),
        ({}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "messages": []}, "messages"),
        ({"input": "a", "max_cost_usd": -1}, "max_cost_usd"),
    ],
)
def test_a_wrong_field_is_named(sandbox: Served, body: dict[str, Any], param: str) -> None:
    response = sandbox.http.post("/v1/embeddings", json={"model": MODEL} | body)
    assert error(response)[0] == 400
    assert response.json()["error"]["param"] == param


def test_neither_kind_of_model_does_the_others_work(sandbox: Served) -> None:
    assert error(embed(sandbox, "a", "sandbox-mid")) == (400, "invalid_request")
    assert error(sandbox.chat(MODEL)) == (400, "invalid_request")
    assert error(sandbox.chat("sandbox-mid", fallback=[MODEL])) == (400, "invalid_request")
    assert error(embed(sandbox, "a", "nobody")) == (404, "model_not_found")
    assert error(sandbox.orchestrate(strategy="ensemble_moa", models=["sandbox-mid", MODEL])) == (
        422,
        "invalid_request",
    )


def test_the_list_of_models_tells_them_apart(sandbox: Served) -> None:
    kinds = {each["id"]: each["kind"] for each in sandbox.http.get("/v1/models").json()["data"]}
    assert (kinds[MODEL], kinds["sandbox-mid"]) == ("embedding", "model")


def test_a_ceiling_holds_before_the_call(sandbox: Served) -> None:
    assert error(embed(sandbox, "x" * 10_000, max_cost_usd=1e-9)) == (402, "budget_exceeded")
    assert embed(sandbox, "x", max_cost_usd=0.01).status_code == 200


def test_a_host_is_asked_for_base64_and_may_send_numbers_in_any_order(scripted: Served, left: Upstream) -> None:
    left.plays(vectors(SECOND, FIRST, order=(1, 0)))
    body = embed(scripted, ["a", "b"], "left-vectors", dimensions=3, user="me").json()
    assert [tuple(each["embedding"]) for each in body["data"]] == [FIRST, SECOND]
    assert left.seen[0].target == "/v1/embeddings"
    assert left.seen[0].json == {
        "model": "vectors-1",
        "input": ["a", "b"],
        "encoding_format": "base64",
        "dimensions": 3,
        "user": "me",
    }
    assert (body["usage"], body["model"]) == ({"prompt_tokens": 7, "total_tokens": 7}, "left-vectors")


def test_auto_takes_the_cheapest_and_only_its_twin_stands_in(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    left.plays(answer(b"{}", "503 Service Unavailable"))
    right.plays(vectors(b64(*FIRST)))
    body = embed(scripted, "a").json()
    assert [call["model"] for call in body["prysm"]["calls"]] == ["left-vectors", "right-vectors"]
    assert body["prysm"]["routing"]["degraded"] == ["fallback"]
    assert tuple(body["data"][0]["embedding"]) == FIRST


def test_tokens_a_host_did_not_count_are_estimated(scripted: Served, left: Upstream) -> None:
    left.plays(vectors(b64(*FIRST), usage=None))
    body = embed(scripted, "x" * 40, "left-vectors").json()
    assert (body["usage"]["prompt_tokens"], body["prysm"]["cost"]["estimated"]) == (10, True)


WRONG = {
    "fewer vectors": vectors(FIRST),
    "the same place twice": vectors(FIRST, SECOND, order=(0, 0)),
    "no place": vectors(FIRST, SECOND, order=(1, 2)),
    "two lengths": vectors(FIRST, SECOND[:2]),
    "nothing": vectors((), ()),
    "a word": vectors(FIRST, ("x",)),  # type: ignore[arg-type]  # what a broken host might send
    "a number beyond float32": vectors(FIRST, (1e39, 0, 0)),
    "no number": vectors(b64(*FIRST), b64(math.nan, 0, 0)),
    "infinity": vectors(b64(*FIRST), b64(0, -math.inf, 0)),
    "no base64": vectors(b64(*FIRST), "???"),
    "half a number": vectors(b64(*FIRST), base64.b64encode(b"abc").decode()),
    "another length": vectors(FIRST[:2], SECOND[:2]),
    "no list": answer(b'{"data": null}'),
}


@pytest.mark.parametrize("sent", WRONG.values(), ids=WRONG.keys())
def test_vectors_that_are_not_what_was_asked_for_are_a_failure(
    scripted: Served, left: Upstream, right: Upstream, sent: bytes
) -> None:
    left.plays(sent)
    right.plays(sent)
    response = embed(scripted, ["a", "b"], "left-vectors", dimensions=3)
    assert error(response) == (502, "all_models_failed")
    assert [each["error"] for each in response.json()["attempts"]] == ["malformed", "malformed"]
    assert scripted.outcome(response.headers["x-request-id"]) == "failed"


def test_an_input_that_is_too_long_is_the_callers_to_shorten(
    scripted: Served, left: Upstream, right: Upstream
) -> None:
    refusal = answer(b'{"error": {"code": "context_length_exceeded"}}', "400 Bad Request")
    left.plays(refusal)
    right.plays(refusal)
    response = embed(scripted, ["x" * 100_000] * 3, "left-vectors")
    assert error(response) == (400, "context_length_exceeded")
    assert response.json()["error"]["param"] == "input"


def test_large_numbers_are_numbers_all_the_same(scripted: Served, left: Upstream) -> None:
    left.plays(vectors(b64(3e38, -3e38)))
    body = embed(scripted, "a", "left-vectors").json()
    assert body["data"][0]["embedding"] == pytest.approx([3e38, -3e38])


def test_when_the_twin_fails_too_nobody_else_is_asked(scripted: Served, left: Upstream, right: Upstream) -> None:
    left.plays(Act.RESET)
    right.plays(answer(b'{"error": {"code": "invalid_api_key"}}', "401 Unauthorized"))
    response = embed(scripted, "a", "left-vectors")
    assert error(response) == (502, "all_models_failed")
    assert response.json()["attempts"] == [
        {"model": "left-vectors", "error": "truncated"},
        {"model": "right-vectors", "error": "auth"},
    ]
