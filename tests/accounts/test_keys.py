"""The root key: made once, kept from everybody else, and needed by everybody."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.accounts.keys import PREFIX, Caller, KeyRing, root_key, root_key_path
from prysm.errors import ConfigError, InvalidApiKey

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a-long-enough-secret"
latin = st.text(alphabet=st.characters(max_codepoint=255), max_size=40)


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


@pytest.mark.parametrize("short", ["", "s3cret", "x" * 15])
def test_a_short_key_is_refused_without_being_shown(short: str) -> None:
    with pytest.raises(ConfigError, match="shorter than 16") as caught:
        KeyRing(short)
    assert not short or short not in str(caught.value)


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY} "])
def test_the_right_key_opens(header: str) -> None:
    assert KeyRing(KEY).authenticate(header) == Caller("root")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        f"Token {KEY}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY} {KEY}",
        f"Bearer\t{KEY}",
        f"Bearer {KEY.upper()}",
    ],
)
def test_anything_else_does_not(header: str | None) -> None:
    with pytest.raises(InvalidApiKey, match=r"root\.key"):
        KeyRing(KEY).authenticate(header)


@given(latin)
def test_no_header_opens_by_luck_or_raises_anything_else(header: str) -> None:
    with pytest.raises(InvalidApiKey):
        KeyRing(KEY).authenticate(header)


def test_the_key_is_nowhere_in_what_the_ring_shows() -> None:
    ring = KeyRing(KEY)
    assert KEY not in repr(ring)
    assert KEY not in repr(ring._root)
    assert KEY not in repr(ring.authenticate(f"Bearer {KEY}"))
    with pytest.raises(InvalidApiKey) as caught:
        ring.authenticate("Bearer another-secret-key")
    assert "another-secret-key" not in str(caught.value)
