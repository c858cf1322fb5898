from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.accounts.sealed_key import Belongs, SealedKey, rewrapped, seal, unseal
from prysm.vault import Vault, WrongEncryptionKey

VAULT, OTHER = Vault("an operator's key of some length"), Vault("another operator's key of some length")
TEXT = "sk-canary-of-a-tenant"
OURS = Belongs(uuid4(), uuid4(), "openai")


@given(st.text(min_size=1))
def test_what_was_sealed_opens_again(text: str) -> None:
    assert unseal(VAULT, seal(VAULT, text, OURS), OURS) == text


@pytest.mark.parametrize(
    "moved",
    [
        replace(OURS, id=uuid4()),
        replace(OURS, org=uuid4()),
        replace(OURS, provider="openai2"),
        replace(OURS, provider="opena"),
        replace(OURS, id=OURS.org, org=OURS.id),
    ],
)
def test_a_key_that_was_moved_to_another_row_does_not_open(moved: Belongs) -> None:
    key = seal(VAULT, TEXT, OURS)
    with pytest.raises(WrongEncryptionKey):
        unseal(VAULT, key, moved)
    theirs = seal(VAULT, TEXT, moved)
    for mixed in (SealedKey(theirs.wrapped_key, key.sealed), SealedKey(key.wrapped_key, theirs.sealed)):
        for belongs in (OURS, moved):
            with pytest.raises(WrongEncryptionKey):
                unseal(VAULT, mixed, belongs)


def test_no_byte_of_it_can_be_altered() -> None:
    key = seal(VAULT, TEXT, OURS)
    for name in ("wrapped_key", "sealed"):
        whole = getattr(key, name)
        for at in range(len(whole)):
            altered = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            for bad in (altered, whole[:at]):
                with pytest.raises(WrongEncryptionKey):
                    unseal(VAULT, replace(key, **{name: bad}), OURS)


def test_two_seals_of_one_key_have_nothing_in_common_and_do_not_show_it() -> None:
    one, other = seal(VAULT, TEXT, OURS), seal(VAULT, TEXT, OURS)
    assert one.sealed[1:] != other.sealed[1:]
    assert one.wrapped_key != other.wrapped_key
    assert TEXT.encode() not in one.sealed + one.wrapped_key
    assert repr(one) == "SealedKey()"


def test_rewrapping_changes_the_data_keys_wrapping_alone_and_can_be_repeated() -> None:
    key = seal(VAULT, TEXT, OURS)
    wrapped = rewrapped(VAULT, OTHER, key.wrapped_key, OURS)
    assert wrapped is not None
    assert unseal(OTHER, SealedKey(wrapped, key.sealed), OURS) == TEXT
    assert rewrapped(VAULT, OTHER, wrapped, OURS) is None
    with pytest.raises(WrongEncryptionKey):
        unseal(VAULT, SealedKey(wrapped, key.sealed), OURS)
    with pytest.raises(WrongEncryptionKey):
        rewrapped(OTHER, Vault("a third operator's key, unrelated"), key.wrapped_key, OURS)
