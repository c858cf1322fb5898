"""`python -m prysm.proof FILE`: check a receipt with nothing but the standard library and `cryptography`.

Exit code: 0 when signature, stages and inclusion hold and nothing that was checked failed; 10 + N when level N failed
first; 1 when nothing failed but one of the three could not be checked; 2 when there was nothing to check.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from prysm.errors import PrysmError
from prysm.proof.document import NoReceipt
from prysm.proof.options import read_file, verification
from prysm.proof.trust import default_path, read_trust, remember
from prysm.proof.verify import verify_bytes

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import TextIO


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, print, and return the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return _verify(chosen)
    except (PrysmError, NoReceipt) as error:
        why = error.message if isinstance(error, PrysmError) else f"{chosen.file} is no receipt: {error}."
        _say(sys.stderr, f"prysm.proof: {why}")
        return 2


def _verify(chosen: Namespace) -> int:
    files = chosen.keys, chosen.openings, chosen.text, chosen.prompt
    given = verification(*files, chosen.witness, consistency=chosen.consistency)
    path = default_path()
    trust = None if chosen.no_memory else read_trust(path, given["keys"])
    report = verify_bytes(read_file(chosen.file), trust=trust, **given)
    _say(sys.stdout, json.dumps(report.as_json()) if chosen.json else "\n".join(report.lines()))
    if trust is not None and (alarm := remember(path, trust, report, learn=given["keys"] is not None)):
        _say(sys.stderr, alarm)
    return report.exit_code


def _say(out: TextIO, text: str) -> None:
    """Print, with a question mark for what the terminal's encoding does not have."""
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding) + "\n")


def _parser() -> ArgumentParser:
    parser = ArgumentParser("python -m prysm.proof", description="Check a receipt offline, level by level.")
    parser.add_argument("file", metavar="FILE", type=Path, help="a receipt from `prysm proof get ID --all`")
    parser.add_argument("--keys", metavar="FILE", type=Path, help="believe only these keys (prysm-keys.json)")
    parser.add_argument("--openings", metavar="FILE", type=Path, help="the answer with its openings, as JSON")
    parser.add_argument("--text", metavar="FILE", type=Path, help="the answer's text as received")
    parser.add_argument("--prompt", metavar="FILE", type=Path, help="the request, or its messages, as JSON")
    parser.add_argument("--witness", metavar="NAME=KEY", action="append", default=[], help="demand its cosignature")
    parser.add_argument("--consistency", metavar="FILE", type=Path, help="an answer of /v1/log/proof/consistency")
    parser.add_argument("--no-memory", action="store_true", help="neither compare nor remember the checkpoint")
    parser.add_argument("--json", action="store_true", help="print JSON for a program")
    return parser


if __name__ == "__main__":
    sys.exit(main())
