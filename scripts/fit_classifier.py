"""Fit the prompt classifier from labelled prompts and print how well it does on prompts it has not seen.

    python scripts/fit_classifier.py prompts.jsonl.gz src/prysm/classify/weights.json

Rows are described in `classifier/rows.py`. The same rows give the same bytes. Needs numpy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from classifier.fit import fit
from classifier.measure import report
from classifier.rows import read_rows


def main() -> None:
    """Measure, then fit on all rows and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="JSON lines of prompts with labels, gzipped or not")
    parser.add_argument("weights", type=Path, help="the file to write")
    parser.add_argument("--version", default="1", help="kept in the file")
    parser.add_argument("--no-figures", action="store_true", help="fit only")
    given = parser.parse_args()
    rows = read_rows(given.data)
    if not given.no_figures:
        for line in report(rows):
            print(line, flush=True)
    given.weights.write_text(fit(rows).dumps(given.version), encoding="utf-8")


if __name__ == "__main__":
    main()
