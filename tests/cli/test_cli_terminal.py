"""What only a real terminal shows: a conversation that survives errors, and text that cannot steer the screen."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scripted_gateway import ScriptedGateway

CTRL_D = b"\x04"
MAIN = "from prysm.cli import main; main()"


def on_terminal(gateway: ScriptedGateway, *command: str, typed: tuple[bytes, ...] = ()) -> tuple[int, str]:
    """Run `prysm` on a pseudo-terminal, type one piece at each prompt; its exit code and all the screen got."""
    ours, theirs = os.openpty()
    line = [sys.executable, "-c", MAIN, *command, "--url", gateway.url, "--key", "k"]
    env = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:  # noqa: S603 -- fixed
        os.close(theirs)
        screen, keys = b"", iter(typed)
        with suppress(OSError):  # how Linux tells that the other side was closed
            while select.select([ours], [], [], 20)[0] and (piece := os.read(ours, 4096)):
                screen += piece
                if screen.endswith(b"> "):
                    os.write(ours, next(keys, CTRL_D))
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    os.close(ours)
    return process.returncode, screen.decode()


def test_a_conversation_goes_on_after_an_error_and_ends_with_ctrl_d(gateway: ScriptedGateway) -> None:
    gateway.says("/v1/chat/completions", {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, 429)
    gateway.streams("/v1/chat/completions", {"choices": [{"delta": {"content": "Paris"}}]})
    code, screen = on_terminal(gateway, "chat", typed=(b"one\n", b"\n", b"two\n"))
    assert code == 0
    assert "prysm: slow down" in screen
    assert "Paris" in screen
    assert [message["content"] for message in gateway.asked[1].body["messages"]] == ["two"]


def test_an_answer_cannot_steer_the_terminal(gateway: ScriptedGateway) -> None:
    gateway.streams(
        "/v1/chat/completions",
        {"choices": [{"delta": {"content": "a\x1b]0;title\x07b\n\tc\x9bd"}}]},
        {"choices": [], "prysm": {"routing": {"model": "a", "why": "short"}}},
    )
    code, screen = on_terminal(gateway, "chat", "hi")
    assert code == 0
    assert "a]0;titleb\r\n" in screen
    assert "\x07" not in screen
    assert "model      a: short" in screen
