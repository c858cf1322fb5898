"""Signed notes: ours, and those of other software."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.proof.foreign_notes import NOTES, verifier_key

from prysm.proof import note
from prysm.proof.defect import Defect
from prysm.proof.note import Signature
from prysm.proof.signing import SigningKey

KEY, OTHER = SigningKey.from_private(b"k" * 32), SigningKey.from_private(b"o" * 32)
TEXT = "first line\n\nthird line\n"
NOTE = note.sign(TEXT, "example.com/log", [KEY])
LINE = NOTE.splitlines()[-1]
BLOB = LINE.split(" ")[2]


@pytest.mark.parametrize("name", NOTES)
def test_notes_of_other_software_open(name: str) -> None:
    signer, key_id, algorithm, public = verifier_key(NOTES[name]["keys"][0])
    assert note.key_id(signer, public, algorithm).hex() == key_id
    assert note.opened(NOTES[name]["note"], signer, [public]) == NOTES[name]["text"]


@pytest.mark.parametrize("name", NOTES)
def test_an_altered_note_of_other_software_does_not_open(name: str) -> None:
    signer, _, _, public = verifier_key(NOTES[name]["keys"][0])
    with pytest.raises(Defect, match="does not verify"):
        note.opened("x" + NOTES[name]["note"], signer, [public])


def test_the_key_id_of_sum_golang_org_is_the_published_one() -> None:
    public = base64.b64decode("zjNy11rR7l7Nr4cnKT1LER2H6zdTHXyG1NMAPw64Cfw=")
    assert note.key_id("sum.golang.org", public) == bytes.fromhex("033de0ae")


def test_a_note_is_signed_as_other_software_signs_it() -> None:
    peter = NOTES["peter"]
    private = base64.b64decode(peter["private"].split("+", 4)[4])[1:]
    assert note.sign(peter["text"], "PeterNeumann", [SigningKey.from_private(private)]) == peter["note"]


@given(st.text(st.characters(min_codepoint=32, codec="utf-8")), st.integers(0, 3))
def test_what_was_signed_is_what_opens(text: str, breaks: int) -> None:
    text = text + "\n" * (breaks + 1)
    signed = note.sign(text, "prysm/a", [KEY, OTHER])
    assert note.opened(signed, "prysm/a", [KEY.public]) == text
    assert note.opened(signed, "prysm/a", [OTHER.public]) == text
    assert len(note.signatures(signed)[1]) == 2


def test_a_note_that_no_known_key_signed_does_not_open() -> None:
    for name, publics in [("example.com/log", [OTHER.public]), ("example.com/log", []), ("else", [KEY.public])]:
        with pytest.raises(Defect, match="not signed by a known key"):
            note.opened(NOTE, name, publics)


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    stranger = Signature("example.com/log", b"\0\0\0\0", bytes(64))
    witness = Signature("witness", note.key_id("witness", KEY.public), b"of a kind nobody knows")
    more = note.add_signature(note.add_signature(NOTE, stranger), witness)
    assert note.opened(more, "example.com/log", [KEY.public]) == TEXT
    assert [each.name for each in note.signatures(more)[1]] == ["example.com/log", "example.com/log", "witness"]


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    bad = Signature("example.com/log", note.key_id("example.com/log", OTHER.public), bytes(64))
    more = note.add_signature(NOTE, bad)
    assert note.opened(more, "example.com/log", [KEY.public]) == TEXT
    with pytest.raises(Defect, match="does not verify"):
        note.opened(more, "example.com/log", [KEY.public, OTHER.public])


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "more\n",
        NOTE.replace("first", "fi\trst"),
        NOTE.replace("first", "fi\x00rst"),
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("first", "fi\ud800rst"),
        NOTE.replace("\N{EM DASH}", "-"),
        NOTE.replace(LINE, "\N{EM DASH}  " + BLOB),
        NOTE.replace(LINE, "\N{EM DASH} " + BLOB),
        NOTE.replace("example.com/log", "example.com+log"),
        NOTE.replace("example.com/log", "example.com\u00a0log"),
        NOTE.replace("example.com/log", "example.com/log "),
        *(NOTE.replace("example.com/log", f"example.com/{odd}") for odd in ("\u0085", "\ufeff", "é", "\x7f")),
        NOTE.replace(BLOB, BLOB + " "),
        NOTE.replace(BLOB, BLOB.rstrip("=")),
        NOTE.replace(BLOB, BLOB + "="),
        NOTE.replace(BLOB, "AAAAAB=="),
        NOTE.replace(BLOB, "AAAAAA=="[:4]),
        NOTE.replace(BLOB, "AAAAAA=="),
        NOTE.replace(BLOB, "-" + BLOB[1:]),
        NOTE.replace(BLOB, BLOB.replace("=", "\N{GREEK SMALL LETTER ALPHA}")),
        NOTE + (LINE + "\n") * note.MAX_SIGNATURES,
        "x" * note.MAX_BYTES + NOTE,
    ],
)
def test_a_malformed_note_is_a_defect(broken: str) -> None:
    with pytest.raises(Defect):
        note.signatures(broken)


@given(st.text(st.sampled_from("\N{EM DASH} \na+=0A/\t\ud800"), max_size=30))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    for candidate in (text, f"{TEXT}\n{text}", NOTE + text):
        try:
            note.opened(candidate, "example.com/log", [KEY.public])
        except Defect:
            continue


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("no newline", "n"),
        ("tab\t\n", "n"),
        ("\ud800\n", "n"),
        ("x\n", ""),
        ("x\n", "a b"),
        ("x\n", "a+b"),
        ("x\n", "é"),
        ("x\n", "\ufeff"),
        ("x\n", "\n"),
    ],
)
def test_what_would_be_no_note_is_not_signed(text: str, name: str) -> None:
    with pytest.raises(Defect):
        note.sign(text, name, [KEY])


def test_a_note_without_a_key_is_not_signed() -> None:
    with pytest.raises(Defect):
        note.sign(TEXT, "n", [])
