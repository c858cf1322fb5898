from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.api.wire import completion, error
from tests.providers.upstream import Act, answer
from tests.serving import SANDBOX, served

from prysm.store.embedded import EmbeddedPostgres
from prysm.store.migrate import migrate

if TYPE_CHECKING:
    from tests.providers.upstream import Step, Upstream
    from tests.serving import Served

SECRET_WORDS = b"the-providers-own-words"
BROKEN: dict[str, list[Step]] = {
    "not JSON": [answer(b"<html>" + SECRET_WORDS)],
    "invalid UTF-8": [answer(b'{"choices": [{"message": {"content": "\xff"}}]}')],
    "lone surrogate": [completion("Paris").replace(b"Paris", b"\\ud800")],
    "empty": [answer(b"")],
    "array": [answer(b"[]")],
    "no choices": [answer(b'{"choices": []}')],
    "wrong type": [answer(b"hello", content_type="text/html")],
    "cut": [answer(b'{"choices": [{"message":')[:-5], Act.CLOSE],
    "reset": [Act.RESET],
    "500": [answer(SECRET_WORDS, "500 Internal Server Error")],
    "401": [answer(SECRET_WORDS, "401 Unauthorized")],
    "redirect": [answer(b"", "302 Found", location="http://127.0.0.1:9/")],
}


@pytest.mark.parametrize("steps", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_model_that_answers_garbage_is_a_provider_error(
    scripted: Served, left: Upstream, steps: list[Step], *, stream: bool
) -> None:
    left.plays(*steps)
    response = scripted.chat("left", stream=stream)
    assert error(response) == (502, "provider_error")
    assert SECRET_WORDS.decode() not in response.text
    assert scripted.http.get(response.headers["x-prysm-proof-url"]).json()["verified"] is True


def test_a_rate_limit_upstream_passes_its_patience_on(scripted: Served, left: Upstream) -> None:
    left.plays(answer(b"{}", "429 Too Many Requests", retry_after="7"))
    response = scripted.chat("left")
    assert (error(response), response.headers["retry-after"]) == ((429, "rate_limit_exceeded"), "7")


def test_a_dead_provider_fails_its_call_and_nothing_else(scripted: Served, left: Upstream) -> None:
    response = scripted.chat("dead")
    assert error(response) == (502, "provider_error")
    assert "x-should-retry" not in response.headers
    left.plays(completion("Paris"))
    assert scripted.chat("left").status_code == 200


def test_when_all_fail_every_attempt_is_listed(scripted: Served, left: Upstream, right: Upstream) -> None:
    left.plays(answer(SECRET_WORDS, "500 Internal Server Error"))
    right.plays(answer(SECRET_WORDS, "503 Service Unavailable"))
    response = scripted.orchestrate(models=["left", "right", "dead"], strategy="ensemble_moa")
    assert error(response) == (502, "all_models_failed")
    assert {attempt["model"] for attempt in response.json()["attempts"]} == {"left", "right", "dead"}
    assert SECRET_WORDS.decode() not in response.text


def test_a_gateway_without_a_live_model_starts_and_says_so(database_url: str, tmp_path: Path) -> None:
    toml = """
        [[models]]
        id = "keyless"
        provider = "openai"
        tier = "mid"
    """
    with served(tmp_path, toml, database_url) as gateway:
        ready = gateway.http.get("/ready")
        assert (ready.status_code, ready.json()["live_models"]) == (503, 0)
        assert error(gateway.chat("auto")) == (503, "no_provider_available")
        pinned = gateway.chat("keyless")
        assert error(pinned) == (503, "no_provider_available")
        assert "OPENAI_API_KEY" in pinned.text
        assert gateway.http.get("/v1/models/keyless").json()["live"] is False


def test_a_database_that_goes_away_withholds_answers_and_loses_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="prysm-away-") as folder, tempfile.TemporaryDirectory() as home:
        postgres = EmbeddedPostgres.start(Path(folder))
        try:
            migrate(postgres.url)
            with served(Path(home), SANDBOX, postgres.url) as gateway:
                sealed = gateway.chat().json()["id"]
                postgres.stop()
                _check_without_database(gateway, sealed)
                postgres = _start_at(postgres.url, Path(folder))
                _check_recovery(gateway, sealed)
        finally:
            postgres.stop()


def _start_at(url: str, folder: Path) -> EmbeddedPostgres:
    """Start the server again where the gateway looks for it."""
    again = EmbeddedPostgres.start(folder)
    assert again.url == url, "the address is part of the data directory"
    return again


def _check_without_database(gateway: Served, sealed: str) -> None:
    """Ask for everything at once, since each answer takes the seconds in which the database might come back."""
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(gateway.chat)
        streaming = pool.submit(gateway.chat, stream=True)
        reading = pool.submit(gateway.http.get, f"/v1/proof/{sealed}")
    answer, streamed, proof = asking.result(), streaming.result(), reading.result()
    assert error(answer) == error(streamed) == error(proof) == (503, "proof_unavailable")
    assert "Paris" not in answer.text + streamed.text
    assert (answer.headers["x-should-retry"], "x-should-retry" in proof.headers) == ("false", False)
    ready = gateway.http.get("/ready")
    assert (ready.status_code, ready.json()["database"]) == (503, False)
    assert gateway.http.get("/health").status_code == 200
    assert "prysm_seal_failures_total 2.0" in gateway.http.get("/metrics").text


def _check_recovery(gateway: Served, sealed: str) -> None:
    deadline = time.monotonic() + 5
    while gateway.http.get("/ready").status_code != 200:
        assert time.monotonic() < deadline
    assert gateway.chat().status_code == 200
    assert gateway.proof(sealed)["verified"] is True
