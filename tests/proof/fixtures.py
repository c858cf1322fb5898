"""The receipts in `receipts/`, as made now. `python -m tests.proof.fixtures` writes the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proof import (
    bad_checkpoints,
    bad_histories,
    bad_log_keys,
    bad_openings,
    bad_paths,
    bad_prompts,
    bad_records,
    bad_shapes,
    bad_signatures,
    bad_stages,
    good_prompts,
)
from tests.proof.defects import BAD
from tests.proof.good_receipts import GOOD

if TYPE_CHECKING:
    from tests.proof.made import Case

FOLDER = Path(__file__).parent / "receipts"
MODULES = (
    *(bad_signatures, bad_records, bad_shapes, bad_stages, bad_paths, bad_checkpoints, bad_log_keys),
    *(bad_histories, bad_openings, bad_prompts, good_prompts),
)
"""Imported for what they enter in `BAD` and `GOOD`."""


def contents() -> dict[Path, str]:
    """Every fixture's file with its text."""
    makers = {"good": GOOD, "bad": BAD}
    cases = {FOLDER / kind / f"{name}.json": make() for kind in makers for name, make in makers[kind].items()}
    return {path: _spelled(case) for path, case in cases.items()}


def _spelled(case: Case) -> str:
    """JSON to be read by people; half a character, which UTF-8 does not have, stays an escape."""
    text = json.dumps(case, indent=1, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace").decode()


def write() -> None:
    """Write all files; a file without a case goes."""
    made = contents()
    for stale in set(FOLDER.glob("*/*.json")) - made.keys():
        stale.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    write()
