"""What the Python verifier says of a fixture: what the page in `docs/verify.html` must say too."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from prysm.proof.document import decoded
from prysm.proof.keys import read_keys
from prysm.proof.trust import Remembered, Trust
from prysm.proof.verify import verify_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prysm.proof.keys import PublicKey
    from prysm.proof.report import Report

Judgement = dict[str, tuple[int, bool | None]]
"""Level and verdict of each check, by name."""


def judged(text: str) -> Report:
    """The report of a fixture's file, every part of it used as the command line would."""
    case = json.loads(text)
    file = case["file"] if "file" in case else json.dumps(case["document"])
    witnesses = case.get("witnesses", {})
    keys = None if case["keys"] is None else read_keys(case["keys"])
    return verify_bytes(
        file.encode(),
        request_id=case.get("request_id"),
        keys=keys,
        trust=_trust(case["remembered"], keys) if "remembered" in case else None,
        consistency=case.get("consistency"),
        witnesses={name: base64.b64decode(public) for name, public in witnesses.items()},
        openings=case.get("openings"),
        texts={label: words.encode(errors="surrogatepass") for label, words in case.get("texts", {}).items()},
    )


def _trust(kept: dict[str, Any], pinned: Iterable[PublicKey] | None) -> Trust:
    entries = {}
    for name, entry in kept.items():
        origin, _, kid = name.rpartition("|")
        entries[origin, kid] = Remembered(entry["size"], decoded(entry["root"], "a root"), entry["note"])
    return Trust(entries, None if pinned is None else frozenset(key.kid for key in pinned))


def judgement(report: Report) -> Judgement:
    return {check.name: (check.level, check.ok) for check in report.checks}
