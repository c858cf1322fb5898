"""Level 4: what a verifier remembers of every log, so that no log can show two histories to it.

A file of `{"<origin>|<kid of the log key>": {"size", "root", "note", "conflicts"}}`, `~/.prysm/trust.json` unless
PRYSM_TRUST_FILE names another.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

from prysm.errors import ConfigError
from prysm.proof.defect import Defect
from prysm.proof.document import decoded, load, text, whole
from prysm.proof.merkle import HASH_BYTES, verify_consistency
from prysm.proof.report import MEMORY, Unchecked, quoted
from prysm.proof.strict import to_base64

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prysm.proof.inclusion import Seen
    from prysm.proof.keys import PublicKey
    from prysm.proof.report import Report

MAX_CONFLICTS = 8


@dataclass(frozen=True, slots=True)
class Remembered:
    """The largest checkpoint that was seen under one log key. `conflicts` are notes that contradict it: evidence."""

    size: int
    root: bytes
    note: str
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """All that is remembered, by origin and kid of the log key. `pinned`: the kids that alone count; None: all do."""

    entries: Mapping[tuple[str, str], Remembered] = field(default_factory=dict)
    pinned: frozenset[str] | None = None

    def of(self, origin: str) -> dict[str, Remembered]:
        """What is remembered of one log, by kid."""
        found = {kid: entry for (each, kid), entry in self.entries.items() if each == origin}
        return {kid: entry for kid, entry in found.items() if self.pinned is None or kid in self.pinned}

    def latest(self, origin: str) -> tuple[str, Remembered] | None:
        """The largest checkpoint of one log, and the kid it is remembered under."""
        return max(self.of(origin).items(), key=lambda item: item[1].size, default=None)


@dataclass(frozen=True, slots=True)
class Refused:
    """In the place of a consistency proof: a gateway was asked for it, and `why` none came."""

    why: str


def check_memory(seen: Seen, trust: Trust | None, consistency: object) -> str:
    """Whether a checkpoint and the one that is remembered are of one history.

    `consistency` is an answer of `/v1/log/proof/consistency` between both sizes, None when nobody was asked.
    """
    if trust is None:
        raise Unchecked("nothing was to be remembered")
    latest = trust.latest(seen.origin)
    if latest is None:
        raise Unchecked("nothing was remembered of this log before")
    _, old = latest
    if trust.pinned is None and not seen.signers & trust.of(seen.origin).keys():
        raise Defect("the log is signed by another key than before: if its operator changed keys, pin the new ones")
    if old.size == seen.size:
        if old.root != seen.root:
            raise Defect(f"the log had another root at size {old.size}: it shows two histories")
        return f"the same checkpoint as remembered, of size {old.size}"
    if consistency is None:
        raise Unchecked(
            f"no proof between the remembered size {old.size} and {seen.size}: ask a gateway, by id, or give one"
        )
    if isinstance(consistency, Refused):
        raise Defect(_refusal(old, seen, consistency))
    _follow(old, seen, consistency)
    return f"one history with the remembered checkpoint of size {old.size}"


def gap(document: Mapping[str, Any], trust: Trust) -> tuple[str, int, int] | None:
    """The consistency proof that a receipt would need: origin, smaller and larger size. Nothing of it is verified."""
    match document.get("proof"):
        case {"log": {"origin": str(origin), "size": int(size)}}:
            latest = trust.latest(origin)
            if latest is not None and latest[1].size != size:
                smaller, larger = sorted((latest[1].size, size))
                return origin, smaller, larger
    return None


def default_path() -> Path:
    """Where the memory is kept."""
    return Path(os.environ.get("PRYSM_TRUST_FILE") or Path.home() / ".prysm" / "trust.json")


def read_trust(path: Path, pinned: Iterable[PublicKey] | None = None) -> Trust:
    """What is remembered; nothing when there is no file. Raises `ConfigError` for a file that cannot be used."""
    kids = None if pinned is None else frozenset(key.kid for key in pinned)
    try:
        return Trust(dict(_entry(name, item) for name, item in load(path.read_bytes()).items()), kids)
    except FileNotFoundError:
        return Trust(pinned=kids)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        why = error if isinstance(error, Defect) else type(error).__name__
        raise ConfigError(
            f"The memory of logs, {path}, cannot be read ({why}). Look into it and move it away, or use --no-memory."
        ) from error


def remember(path: Path, before: Trust, report: Report, *, learn: bool = True) -> str | None:
    """Keep what a verification showed; returns what a person must be told: that the log contradicts itself.

    What is remembered never shrinks, and a contradiction changes nothing but adds its note as evidence. An entry that
    another verification changed meanwhile is left alone. Without `learn` nothing is written: so it must be for a file
    that brought its own keys, or any stranger could speak for a log.
    """
    seen = report.seen
    if seen is None or report.failed_level in range(1, MEMORY):
        return None
    check = next(check for check in report.checks if check.level == MEMORY)
    latest = before.latest(seen.origin)
    if latest is None or check.ok:
        return _store(path, before, _grown(before, seen)) if learn else None
    if check.ok is None:
        return None
    kid, old = latest
    conflicts = tuple(dict.fromkeys((*old.conflicts, seen.note)))[:MAX_CONFLICTS]
    changed = {(seen.origin, kid): replace(old, conflicts=conflicts)}
    failed = _store(path, before, changed) if learn else None
    return "\n".join(filter(None, (_alarm(check.detail, old, seen), failed)))


def _refusal(old: Remembered, seen: Seen, refused: Refused) -> str:
    if seen.size < old.size:
        said = (
            f"the log is shorter than what was seen of it ({seen.size} leaves, not {old.size}), and the gateway was"
        )
        return f"{said} asked to prove that these are of one history and did not: {refused.why}"
    return (
        f"the gateway was asked to prove that the log only grew from {old.size} to {seen.size} leaves and did not: "
        f"{refused.why}"
    )


def _grown(before: Trust, seen: Seen) -> dict[tuple[str, str], Remembered]:
    """The entries of the keys that signed, where the checkpoint is larger than what they hold."""
    grown: dict[tuple[str, str], Remembered] = {}
    for kid in seen.signers:
        old = before.entries.get((seen.origin, kid))
        if old is None or old.size < seen.size:
            grown[seen.origin, kid] = Remembered(seen.size, seen.root, seen.note, old.conflicts if old else ())
    return grown


def _follow(old: Remembered, seen: Seen, answer: object) -> None:
    (smaller, small_root), (larger, large_root) = sorted([(old.size, old.root), (seen.size, seen.root)])
    match answer:
        case {"origin": origin, "from": start, "to": end, "proof": [*listed]}:
            pass
        case _:
            raise Defect("the consistency proof is malformed")
    if origin != seen.origin or not whole(start) or not whole(end) or (start, end) != (smaller, larger):
        raise Defect(f"the consistency proof is not from {smaller} to {larger} in {quoted(seen.origin)}")
    path = [decoded(each, "a hash of the consistency proof") for each in listed]
    verify_consistency(smaller, larger, small_root, large_root, path)


def _alarm(why: str, old: Remembered, seen: Seen) -> str:
    said = (
        f"SECURITY ERROR: the log {seen.origin} does not agree with what this verifier remembers of it: {why}. Do not "
        f"trust it, and keep both notes as evidence.\n\nremembered:\n{old.note}\nshown now:\n{seen.note}"
    )
    return "".join(each for each in said if each == "\n" or each.isprintable())


def _entry(name: str, item: Any) -> tuple[tuple[str, str], Remembered]:
    origin, bar, kid = name.rpartition("|")
    size, root = item.get("size"), decoded(item.get("root"), "a root")
    if not bar or not whole(size) or size < 0 or len(root) != HASH_BYTES:
        raise Defect(f"the entry {quoted(name)} is malformed")
    conflicts = tuple(text(each, "a conflict") for each in item.get("conflicts", ()))
    return (origin, kid), Remembered(size, root, text(item.get("note"), "a note"), conflicts)


def _store(path: Path, before: Trust, changed: Mapping[tuple[str, str], Remembered]) -> str | None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path.parent):
            now = read_trust(path).entries
            news = {key: entry for key, entry in changed.items() if now.get(key) == before.entries.get(key)}
            if news:
                _write(path, {**now, **news})
    except OSError as error:
        return f"The checkpoint was not remembered: {path} cannot be written ({error.strerror})."
    return None


def _write(path: Path, entries: Mapping[tuple[str, str], Remembered]) -> None:
    listed = {f"{origin}|{kid}": _as_json(entry) for (origin, kid), entry in sorted(entries.items())}
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(listed, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _as_json(entry: Remembered) -> dict[str, Any]:
    kept = {"size": entry.size, "root": to_base64(entry.root), "note": entry.note}
    return kept | ({"conflicts": list(entry.conflicts)} if entry.conflicts else {})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold off other verifications while the file is read and replaced."""
    if sys.platform == "win32":
        yield  # two at one moment may lose what one of them learnt
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
