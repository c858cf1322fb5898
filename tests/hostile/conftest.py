from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.acceptance.conftest import launching
from tests.databases import database
from tests.serving import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Process

LONG = os.environ.get("FUZZ") == "long"
"""Whether this is `make fuzz`."""
FEW = settings(max_examples=2000 if LONG else 25, deadline=None)
HEAD_S, BODY_S, KEEP_S = 1.5, 1.5, 1
LIMITS = f"""
[server]
header_timeout_s = {HEAD_S}
body_timeout_s = {BODY_S}
keep_alive_s = {KEEP_S}
body_limit_mb = 0.5
"""


@pytest.fixture(scope="session")
def live(postgres_url: str) -> Iterator[Process]:
    """`prysm serve` over simulated models, with little patience, for all tests of this folder."""
    with (
        tempfile.TemporaryDirectory(prefix="prysm-hostile-") as folder,
        database(postgres_url) as url,
        launching(Path(folder)) as launch,
    ):
        process = launch(toml=LIMITS + SANDBOX, PRYSM_DATABASE_URL=url)
        yield process.wait_ready()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start `prysm serve` with settings of its own."""
    with launching(tmp_path) as launch:
        yield launch
