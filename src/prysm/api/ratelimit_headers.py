"""What a run was told when it was let in: what is left of its caller's limits, in the headers of OpenAI (https://platform.openai.com/docs/guides/rate-limits).

Runs at once have no such header: there is no moment at which that limit is whole again.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from prysm.core.payer import FREELY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prysm.core.payer import Admitted, Meter

KINDS = ("requests", "tokens")


def told(admitted: Admitted) -> list[tuple[bytes, bytes]]:
    """The headers of an answer whose run was limited, and a warning for each soft budget that it goes beyond."""
    if admitted is FREELY:
        return []
    warnings = [(b"x-prysm-warning", f"budget {budget} is used up".encode()) for budget in admitted.warned]
    return [*ratelimit_headers(admitted.meters), *warnings]


def ratelimit_headers(meters: Iterable[Meter]) -> list[tuple[bytes, bytes]]:
    """Limit, what remains and in how long it is whole again, of requests and tokens, where they are limited.

    Of several meters of a kind, a key's and its organisation's, the scarcest speaks.
    """
    scarcest: dict[str, Meter] = {}
    for meter in meters:
        held = scarcest.get(meter.kind)
        if held is None or (meter.left, meter.limit) < (held.left, held.limit):
            scarcest[meter.kind] = meter
    return [header for kind in KINDS if kind in scarcest for header in _headers(scarcest[kind])]


def _headers(meter: Meter) -> list[tuple[bytes, bytes]]:
    values = {"limit": str(meter.limit), "remaining": str(meter.left), "reset": _duration(meter.full_s or 0)}
    return [(f"x-ratelimit-{name}-{meter.kind}".encode(), value.encode()) for name, value in values.items()]


def _duration(seconds: float) -> str:
    """As Go writes durations, in whole milliseconds: "0s", "120ms", "8.64s", "6m0s", "1h0m0.5s"."""
    ms = max(0, ceil(round(seconds * 1000, 3)))
    if 0 < ms < 1000:  # noqa: PLR2004 - a second
        return f"{ms}ms"
    minutes, ms = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    rest = f"{ms / 1000:g}s"
    return f"{hours}h{minutes}m{rest}" if hours else f"{minutes}m{rest}" if minutes else rest
