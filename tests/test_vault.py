"""What is wrapped comes back under the same key for the same purpose, and under no other."""

from __future__ import annotations

import pickle
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.errors import ConfigError
from prysm.vault import Vault, WrongEncryptionKey, key_path

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a secret of some length"
VAULT = Vault(SECRET)


@given(plaintext=st.binary(max_size=200), aad=st.binary(max_size=50))
def test_what_was_wrapped_comes_back(plaintext: bytes, aad: bytes) -> None:
    assert Vault(SECRET).unwrap(VAULT.wrap(plaintext, aad), aad) == plaintext


@given(bit=st.integers(0, 8 * 61 - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    sealed = bytearray(VAULT.wrap(bytes(32), b"for this"))
    assert len(sealed) == 61
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WrongEncryptionKey):
        VAULT.unwrap(bytes(sealed), b"for this")


def test_another_key_another_purpose_and_a_stump_are_refused() -> None:
    sealed = VAULT.wrap(b"text", b"for this")
    for vault, given_, aad in [
        (Vault(SECRET + "!"), sealed, b"for this"),
        (VAULT, sealed, b"for that"),
        (VAULT, sealed[:9], b"for this"),
    ]:
        with pytest.raises(ConfigError, match="another PRYSM_ENCRYPTION_KEY: set the one"):
            vault.unwrap(given_, aad)


def test_nothing_is_wrapped_twice_alike() -> None:
    assert VAULT.wrap(b"text", b"") != VAULT.wrap(b"text", b"")


def test_what_is_derived_depends_on_the_key_and_on_the_purpose_alone(tmp_path: Path) -> None:
    made = VAULT.derived(b"this")
    assert (len(made), Vault(SECRET).derived(b"this")) == (32, made)
    assert len({made, VAULT.derived(b"that"), Vault(SECRET + "!").derived(b"this")}) == 3
    assert Vault(key_path(tmp_path)).derived(b"this") == Vault(key_path(tmp_path)).derived(b"this")


def test_a_vault_shows_and_hands_out_nothing() -> None:
    assert SECRET not in repr(VAULT)
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.dumps(VAULT)


def test_the_first_to_encrypt_makes_the_key_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = key_path(tmp_path / "data")
    sealed = Vault(path).wrap(b"text", b"")
    assert len(path.read_text().strip()) == 43
    assert Vault(path).unwrap(Vault(path).wrap(b"more", b""), b"") == b"more"
    assert Vault(path.read_text().strip()).unwrap(sealed, b"") == b"text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_written_to_decrypt(tmp_path: Path) -> None:
    with pytest.raises(WrongEncryptionKey, match=r"no .*encryption\.key: restore it"):
        Vault(key_path(tmp_path)).unwrap(VAULT.wrap(b"text", b""), b"")
    assert list(tmp_path.iterdir()) == []


def test_a_short_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PRYSM_ENCRYPTION_KEY is shorter than 16") as refused:
        Vault("short secret")
    assert "short secret" not in str(refused.value)
    key_path(tmp_path).touch()
    with pytest.raises(ConfigError, match=r"encryption\.key is shorter"):
        Vault(key_path(tmp_path)).wrap(b"text", b"")
