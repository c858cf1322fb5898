"""A keys document is as specified, or nothing of it is believed."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.signed_receipts import Log, b64

from prysm.proof.defect import Defect
from prysm.proof.keys import PublicKey, read_keys
from prysm.proof.signing import kid_of

KEYS = Log().keys()


def test_a_keys_document_is_read_whole() -> None:
    receipt, log = read_keys(KEYS)
    assert (receipt.kid, receipt.use, receipt.from_index, receipt.to_index) == (
        kid_of(receipt.public),
        "receipt",
        0,
        None,
    )
    assert (log.use, log.status) == ("log", "active")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"alg": "ed25519"}, "unknown algorithm 'ed25519'"),
        ({"alg": None}, "unknown algorithm None"),
        ({"use": "mail"}, "unknown use 'mail'"),
        ({"status": ["active"]}, "unknown status"),
        ({"public": b64(bytes(32))}, "is not that of the key"),
        ({"public": b64(bytes(31))}, "has 32 bytes"),
        ({"public": "*"}, "not base64"),
        ({"kid": None}, "the kid of a key is not a string"),
        ({"origin": 7}, "the origin of a key is not a string"),
        ({"from_index": -1}, "from_index"),
        ({"to_index": True}, "to_index"),
        ({"to_index": "9"}, "to_index"),
    ],
)
def test_a_key_that_is_not_as_specified_is_refused(spoil: Any, why: str) -> None:
    with pytest.raises(Defect, match=why):
        read_keys({"keys": [KEYS["keys"][0] | spoil]})


@pytest.mark.parametrize("absent", ["kid", "use", "alg", "public", "origin", "from_index", "to_index", "status"])
def test_a_key_without_one_of_its_fields_is_refused(absent: str) -> None:
    document = copy.deepcopy(KEYS)
    del document["keys"][0][absent]
    with pytest.raises(Defect):
        read_keys(document)


def test_one_key_has_one_use_and_stands_once_for_a_log() -> None:
    (receipt, _) = KEYS["keys"]
    with pytest.raises(Defect, match="stands twice"):
        read_keys({"keys": [receipt, receipt]})
    with pytest.raises(Defect, match="two uses"):
        read_keys({"keys": [receipt, receipt | {"use": "log", "origin": "prysm/x"}]})
    assert len(read_keys({"keys": [receipt, receipt | {"origin": "prysm/x"}]})) == 2


@given(st.integers(0, 20), st.none() | st.integers(0, 20), st.none() | st.integers(0, 20))
def test_a_key_is_good_between_its_announcement_and_its_end(
    index: int, since: int | None, until: int | None
) -> None:
    key = PublicKey("k", "receipt", bytes(32), "o", since, until, "retired")
    good = (since is None or index > since) and (until is None or index < until)
    try:
        key.refuse_leaf(index)
    except Defect:
        assert not good
    else:
        assert good


def test_a_revoked_key_keeps_what_was_logged_before_its_end() -> None:
    key = PublicKey("k", "receipt", bytes(32), "o", 0, 9, "revoked")
    key.refuse_leaf(8)
    with pytest.raises(Defect, match="not before 9"):
        key.refuse_leaf(9)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(JSON)
def test_no_json_makes_reading_keys_fall_over(value: Any) -> None:
    for document in (value, {"keys": value}, {"keys": [value]}):
        with suppress(Defect):
            assert read_keys(document) == ()
