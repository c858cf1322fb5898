"""The root key: made once and kept from everybody else. The others: random, and known by an HMAC only."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from prysm.accounts.keys import PREFIX, digest_of, is_well_formed, new_key, prefix_of, root_key, root_key_path
from prysm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a-long-enough-secret"
PEPPER = bytes(32)


def test_a_key_is_made_once_with_256_bits_and_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    first = root_key(data, None)
    assert first.startswith(PREFIX)
    assert len(first) == len(PREFIX) + 43
    assert root_key(data, None) == first
    assert stat.S_IMODE(root_key_path(data).stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_nothing_but_the_key_is_left_in_the_folder(tmp_path: Path) -> None:
    root_key(tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["root.key"]


def test_a_key_that_was_given_is_used_and_none_is_written(tmp_path: Path) -> None:
    assert root_key(tmp_path, KEY) == KEY
    assert list(tmp_path.iterdir()) == []


def test_threads_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        keys = list(threads.map(lambda _: root_key(tmp_path, None), range(64)))
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["root.key"]


def _start(data: Path) -> str:
    return root_key(data, None)


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as processes:
        keys = processes.map(_start, [tmp_path] * 8, chunksize=1)
    assert len(set(keys)) == 1


@pytest.mark.parametrize("in_the_way", ["", "root.key"])
def test_a_folder_that_cannot_be_used_says_what_to_do(tmp_path: Path, in_the_way: str) -> None:
    data = tmp_path / "data"
    if in_the_way:
        (data / in_the_way).mkdir(parents=True)
    else:
        data.touch()
    with pytest.raises(ConfigError, match=r"PRYSM_DATA_DIR.*PRYSM_ROOT_KEY"):
        root_key(data, None)


def test_a_new_key_has_a_prefix_to_find_it_by_and_256_bits_of_its_own() -> None:
    made = [new_key(PEPPER) for _ in range(100)]
    assert all(is_well_formed(key.text) and len(key.text) == 64 for key in made)
    assert all(key.prefix == prefix_of(key.text) == key.text[:21] for key in made)
    assert len({key.prefix for key in made} | {key.text[21:] for key in made}) == 200


def test_what_is_stored_of_a_key_depends_on_all_of_it_and_on_the_pepper() -> None:
    key = new_key(PEPPER)
    assert key.digest == digest_of(key.text, PEPPER)
    assert len({key.digest, digest_of(key.text + "x", PEPPER), digest_of(key.text, b"other")}) == 3
    assert len(key.digest) == 32


def test_no_repr_shows_a_key() -> None:
    key = new_key(PEPPER)
    assert key.text not in repr(key)
    assert str(key.digest) not in repr(key)


@pytest.mark.parametrize("other", ["", "x" * 64, PREFIX + "A" * 55, PREFIX + "a" * 54, PREFIX + "a" * 56])
def test_other_texts_are_told_from_keys(other: str) -> None:
    assert not is_well_formed(other)
