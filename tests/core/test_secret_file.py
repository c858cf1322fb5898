"""A secret is made once, whoever comes first, and only its owner may read it."""

from __future__ import annotations

import itertools
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from prysm.core.secret_file import kept_in
from prysm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_is_made_once_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.key"
    assert kept_in(path, lambda: "made", "THE_VARIABLE") == "made"
    assert kept_in(path, lambda: "made again", "THE_VARIABLE") == "made"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_starters_at_once_read_the_same_and_leave_nothing_else(tmp_path: Path) -> None:
    numbers = itertools.count()
    with ThreadPoolExecutor(16) as threads:
        found = set(
            threads.map(lambda _: kept_in(tmp_path / "one.key", lambda: f"{next(numbers)}", "V"), range(64))
        )
    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one.key"]


def test_a_file_that_cannot_be_used_names_what_stands_in_for_it(tmp_path: Path) -> None:
    (tmp_path / "one.key").mkdir()
    with pytest.raises(ConfigError, match="or set THE_VARIABLE"):
        kept_in(tmp_path / "one.key", lambda: "made", "THE_VARIABLE")
