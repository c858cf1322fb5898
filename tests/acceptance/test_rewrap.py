"""Another encryption key: what was handed out under the old one goes on to work."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import httpx
from tests.acceptance.conftest import PRYSM
from tests.serving import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Process

ASKED = {"model": "sandbox-mid", "messages": [{"role": "user", "content": "Name a colour."}]}
OLD, NEW = "the key that there was until today", "the key that there is from today on"


def ask(gateway: Process, key: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "once and for all"}
    return httpx.post(
        gateway.url + "/v1/chat/completions", json=ASKED, headers=headers, timeout=20, trust_env=False
    )


def rewrap(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "old.key").write_text(OLD + "\n")
    env = {"PATH": os.environ["PATH"], "PRYSM_ENCRYPTION_KEY": NEW, "PRYSM_DATA_DIR": str(folder / ".prysm")}
    command = [str(PRYSM), "keys", "rewrap", "--old-key-file", str(folder / "old.key"), *more]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - ours


def test_keys_receipts_and_idempotent_answers_survive_a_new_encryption_key(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    gateway = serve(toml=SANDBOX, PRYSM_ENCRYPTION_KEY=OLD).wait_ready()
    key = gateway.post("/v1/keys", {"name": "a team", "role": "member"}).json()["key"]
    first = ask(gateway, key)
    assert first.status_code == httpx.codes.OK
    running = rewrap(tmp_path)
    assert running.returncode == 2
    assert "Stop it" in running.stderr
    gateway.popen.send_signal(signal.SIGTERM)
    assert gateway.popen.wait(30) == 0
    done = rewrap(tmp_path)
    assert done.returncode == 0, done.stderr
    gateway = serve(toml=SANDBOX, PRYSM_ENCRYPTION_KEY=NEW).wait_ready()
    again = ask(gateway, key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
    assert gateway.get(f"/v1/proof/{first.headers['x-request-id']}").json()["verified"] is True
    fresh = gateway.post("/v1/chat/completions", ASKED)
    assert gateway.get(f"/v1/proof/{fresh.headers['x-request-id']}").json()["verified"] is True
