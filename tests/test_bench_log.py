"""The bench of the log runs, and what it prints can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LITTLE = ("--receipts", "2000", "--rate", "500", "--seconds", "1", "--leaves", "5000", "--json")


def test_the_bench_of_the_log_measures_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "bench.log", *LITTLE],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert found["drained_per_s"] > 0
    assert found["leaves"] == 5000
    assert 0 < found["proof_p50_ms"] <= found["proof_p99_ms"]
    assert "proofs are read" in done.stderr
    assert list(tmp_path.iterdir()) == []
