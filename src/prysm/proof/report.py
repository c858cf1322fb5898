"""What a verification found, check by check, in six levels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from prysm.proof.defect import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prysm.proof.inclusion import Seen

SIGNATURE, STAGES, INCLUSION, MEMORY, WITNESSES, OPENINGS = range(1, 7)
NEEDED = frozenset({"signature", "stages", "inclusion"})
"""The checks without which a receipt is not called good."""

FAILED_EXIT = 10
_SAID = {True: "ok", False: "FAILED", None: "not checked"}
_CUT = 80
_UNCOMPARED = "the log was NOT compared with what is remembered of it: verify by id, or give --consistency."


class Unchecked(Exception):
    """Why something could not be checked: a fact about what was given, not about the receipt."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, on a level from 1 to 6. `ok=None`: not checked, and `detail` says why."""

    name: str
    ok: bool | None
    detail: str
    level: int

    def line(self) -> str:
        """The check for a person. What a forger wrote into a receipt cannot steer a terminal from here."""
        line = f"L{self.level} {_SAID[self.ok]:<11} {self.name:<14} {self.detail}"
        return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one receipt, by level. `seen` is the checkpoint that its inclusion was proved in, if it was.

    `uncompared`: something of that log is remembered, and nothing showed whether the checkpoint follows from it.
    """

    checks: tuple[Check, ...]
    seen: Seen | None = None
    uncompared: bool = False

    @property
    def ok(self) -> bool:
        """Whether signature, stages and inclusion hold and nothing that was checked failed."""
        held = {check.name for check in self.checks if check.ok}
        return held >= NEEDED and self.failed_level is None

    @property
    def failed_level(self) -> int | None:
        """The lowest level at which something failed."""
        return min((check.level for check in self.checks if check.ok is False), default=None)

    @property
    def exit_code(self) -> int:
        """0: good. 10 + N: level N failed first. 1: nothing failed, and not all that is needed could be checked."""
        if self.failed_level is not None:
            return FAILED_EXIT + self.failed_level
        return 0 if self.ok else 1

    def verdict(self) -> str:
        """All checks in one sentence."""
        if self.failed_level is not None:
            return f"BAD: level {self.failed_level} failed."
        if not self.ok:
            open_ = ", ".join(check.name for check in self.checks if check.name in NEEDED and not check.ok)
            return f"NOT PROVED: {open_ or 'what is needed'} could not be checked."
        return "GOOD." if not self.uncompared else f"GOOD, but {_UNCOMPARED}"

    def lines(self) -> Iterator[str]:
        """One line for each check, and the verdict."""
        yield from (check.line() for check in self.checks)
        yield self.verdict()

    def as_json(self) -> dict[str, Any]:
        """The report for a program."""
        checks = [asdict(check) for check in self.checks]
        return {"ok": self.ok, "failed_level": self.failed_level, "checks": checks}


def checked(name: str, level: int, examine: Callable[[], str]) -> Check:
    """Run one check: it returns what it found, or raises `Defect` or `Unchecked`.

    Whatever else malformed input makes Python raise is a failed check too: a verifier must not fall over.
    """
    try:
        return Check(name, ok=True, detail=examine(), level=level)
    except Unchecked as why:
        return Check(name, ok=None, detail=str(why), level=level)
    except Defect as defect:
        return Check(name, ok=False, detail=str(defect), level=level)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        return Check(name, ok=False, detail=f"it cannot be read ({type(error).__name__})", level=level)


def quoted(value: object) -> str:
    """A value of the receipt inside a sentence: short, and its control characters spelled out."""
    return repr(value[:_CUT] if isinstance(value, str) else value)[: _CUT + 20]
