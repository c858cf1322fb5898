from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
from bench.processes import used

ROOT = Path(__file__).parent.parent
FEW = ("--requests", "100", "--rounds", "1", "--concurrency", "4")


def test_the_bench_prints_the_ratio_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "bench", *FEW],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1].startswith("ratio of CPU, Postgres apart: ")
    assert list(tmp_path.iterdir()) == []
    assert [found.pid for found in psutil.process_iter(["environ"]) if _of(found, tmp_path)] == []


def test_what_a_process_used_is_counted_with_its_children() -> None:
    found = used(os.getpid())
    assert found.cpu_s > 0
    assert found.rss > psutil.Process().memory_info().rss // 2


def _of(process: psutil.Process, folder: Path) -> bool:
    """Whether the process was started with this folder for its temporary files."""
    return (process.info["environ"] or {}).get("TMPDIR") == str(folder)
