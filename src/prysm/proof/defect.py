"""What every reader of a proof raises."""

from __future__ import annotations


class Defect(ValueError):
    """Something is malformed or does not hold; the message says what, in one sentence without the value itself."""
