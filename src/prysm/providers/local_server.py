"""A model of this machine as an OpenAI-format server: the child process that `managed.ManagedServer` starts.

`python -m prysm.providers.local_server --model PATH [--port N]`, then over its pipes:

- stdin: one line, the API key that every call must carry; after it the open pipe is the lifeline. When it closes,
  the parent is gone, however it went, and this process ends. A pipe works on every system and, unlike Linux's
  PR_SET_PDEATHSIG, does not fire when merely the *thread* that started the child ends.
- stdout: one JSON line, `{"address": "http://127.0.0.1:PORT"}` or `{"error": "…"}`. SIGTERM ends it at any time.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOTS = 4
"""Requests answered at the same time; the rest wait in the server's queue."""
SLOT_TOKENS = 4096
"""Context of one slot, prompt and answer together. Four slots of SmolLM2-135M take about 400 MB."""
ANSWER_TOKENS = 512
"""Output of a call that names no cap: a small model that wanders off would else fill its context."""
TEMPERATURE, TOP_P = 0.2, 0.9
"""What SmolLM2's model card samples with; the server's own default of 0.8 makes a model this small ramble."""
CHAT_TEMPLATE = """\
{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""ChatML, as the model was trained, but for its system prompt of last resort: with its own ("You are a helpful AI
assistant named SmolLM, trained by Hugging Face") it answers simple questions in French."""
LOAD_LIMIT_S = 120


def main(argv: Sequence[str] | None = None) -> None:
    """Load, report the address, serve until the lifeline closes."""
    parser = argparse.ArgumentParser(prog="prysm.providers.local_server")
    parser.add_argument("--model", type=Path, required=True, help="path of a .gguf file")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    args = parser.parse_args(argv)
    report = _silence()
    key = sys.stdin.readline().strip()
    # Loading holds the interpreter lock, so only the kernel can end a load that hangs.
    signal.alarm(LOAD_LIMIT_S)
    try:
        server = start(args.model, args.port, key)
    except (ImportError, OSError, RuntimeError) as error:
        _say(report, error=f"{type(error).__name__}: {error}")
        os._exit(1)
    signal.alarm(0)
    with suppress(OSError):  # the parent may be gone before it could be told
        _say(report, address=server.listening_address)
        sys.stdin.read()
    os._exit(0)  # running generations are native threads that an orderly exit would wait for


def start(model: Path, port: int, key: str) -> Any:
    """Load `model` and listen on 127.0.0.1; returns `xllamacpp.Server`. RuntimeError when it cannot."""
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {model.stem}  # else every answer names a path of this machine
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], port, [key]
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * SLOT_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    params.n_predict = ANSWER_TOKENS
    params.chat_template = CHAT_TEMPLATE
    params.sampling.temp, params.sampling.top_p = TEMPERATURE, TOP_P
    params.cache_ram_mib = 0  # the default keeps up to 8 GB of old prompts in memory
    params.ui = params.endpoint_slots = False
    params.verbosity = -1
    return xllamacpp.Server(params)


def _threads() -> int:
    """Half the logical cores: its threads wait for each other at every step, and crawl when they must share."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // 2)


def _silence() -> int:
    """Keep stdout for the report alone: native code writes to descriptors 1 and 2 as it likes."""
    report = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    return report


def _say(report: int, **line: str) -> None:
    os.write(report, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
