"""Bytes that are nearly right: what a parser was made for, bent in a few places."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD_BYTES = (
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\n", b"\r\n\r\n", b"{", b"}", b"[", b"]", b'"', b"\\", b","),
    *(b":", b"data: ", b"event: ", b"null", b"true", b"-", b"1e999", b"NaN", b"-0", b"9" * 40, b"[" * 2000),
    *(b'{"a":' * 2000, b"\\ud800", b"=", b"\xef\xbb\xbf", b"\xe2\x80\x94 ", b"A" * 64, b" ", b"\t", b"'", b"#"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, -(2**63) - 1, 10**40, 0.5, 1e308, -0.0, 1e-320),
    *(
        "",
        " ",
        "\x00",
        "\ud83d\ude00",
        "x" * 5000,
        "NaN",
        "null",
        "-1",
        "1e9",
        "2026-13-45T99:99:99Z",
        "stop",
        "user",
    ),
    *([], [None], [[]], {}, {"": None}, {"type": None}, {"type": "text"}, [{"type": "text", "text": 1}]),
)


KINDS: tuple[Any, ...] = (None, True, 3, 0.5, "x", [], {}, [[]], {"type": {}}, {"type": []})
"""A value of each JSON type, and what looks like an object that says what it is."""


def mutated(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the samples with up to five edits: cut out, put in, doubled, or cut off."""
    edit = st.tuples(
        st.sampled_from(["cut", "insert", "double", "end", "set"]),
        st.integers(0, 1 << 20),
        st.integers(0, 64),
        st.sampled_from(ODD_BYTES) | st.binary(min_size=1, max_size=4),
    )
    return st.builds(_edited, st.sampled_from(samples), st.lists(edit, min_size=1, max_size=5))


def _edited(sample: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, at, length, odd in edits:
        start = at % (len(sample) + 1)
        part = sample[start : start + length]
        middle = {"cut": b"", "insert": odd + part, "double": part * 2, "end": odd, "set": odd}[kind]
        rest = b"" if kind == "end" else sample[start + length :]
        sample = sample[:start] + middle + rest
    return sample


def bent(sample: Any) -> st.SearchStrategy[Any]:
    """JSON like the sample, with up to three of its values, or names, exchanged for odd ones, or gone."""
    change = st.tuples(st.integers(0, 1 << 16), st.sampled_from(["value", "gone", "name", "twice"]), odd_values())
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: _bent(sample, changes))


def each_bent(sample: Any) -> Iterator[Any]:
    """The sample over and over, each time with one value of another type, or with a `type` of another type."""
    for at, _ in enumerate(_places({"": sample})):
        for odd in KINDS:
            yield _bent(sample, [(at, "value", odd)])
    typed = [at for at, (holder, key) in enumerate(_places({"": sample})) if isinstance(holder[key], dict)]
    for at in typed:
        for odd in KINDS:
            whole = {"": deepcopy(sample)}
            holder, key = list(_places(whole))[at]
            holder[key]["type"] = odd
            yield whole[""]


def odd_values() -> st.SearchStrategy[Any]:
    """Values of every type, few of them what was expected."""
    return st.sampled_from(ODD_VALUES) | st.text(max_size=20) | st.floats(allow_nan=False) | st.integers()


def _bent(sample: Any, changes: list[tuple[int, str, Any]]) -> Any:
    whole = {"": json.loads(json.dumps(sample))}
    for at, how, shared in changes:
        odd = deepcopy(shared)
        places = list(_places(whole))
        holder, key = places[at % len(places)]
        if isinstance(holder, dict):
            _change_entry(holder, key, how, odd)
        else:
            _change_item(holder, key, how, odd)
    return whole.get("")


def _change_entry(holder: dict[str, Any], key: str, how: str, odd: Any) -> None:
    if key == "" and how != "value":
        return
    if how == "gone":
        del holder[key]
    elif how == "name":
        holder[str(odd)[:40]] = holder.pop(key)
    else:
        holder[key] = [holder[key]] * 2 if how == "twice" else odd


def _change_item(holder: list[Any], i: int, how: str, odd: Any) -> None:
    if how == "gone":
        del holder[i]
    elif how == "twice":
        holder.insert(i, holder[i])
    else:
        holder[i] = odd


def _places(node: Any) -> Any:
    """Every place that holds a value, as the container and the name or number in it."""
    entries: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(entries):
        yield node, key
        yield from _places(value)
