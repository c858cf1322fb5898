"""What a model costs: the catalog's own word first, then the `genai-prices` table that ships with the package.

Source: https://github.com/pydantic/genai-prices. Only the data in the wheel is read; it is never updated over the
network, so that the same installation always prices the same call alike.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import astuple
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from prysm.core.model import NANO_PER_USD, Price

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from genai_prices.types import ModelInfo, ModelPrice

    from prysm.core.model import Model

# Our name of a rate → the name in genai-prices.
_RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
}


def resolve(base_url: str, upstream: str, override: Price, on: date) -> Price:
    """Price of a model at one host on one day (UTC), in nano-dollars per million tokens.

    A catalog that states input and output states the whole price; otherwise its rates stand and the table fills the
    others. A rate that nobody knows is `None`, never 0. Rates that rise with the length of the prompt are taken at
    their base; rates that change during the day at their dearest hour, so that a ceiling on cost always holds.
    """
    if not base_url or (override.input is not None and override.output is not None):
        return override
    listed = _listed(base_url, upstream, on)
    return Price(**{name: _first(getattr(override, name), getattr(listed, name)) for name in _RATES})


def price_version(models: Iterable[Model]) -> str:
    """Name of the table that these models are priced by; equal tables have equal names."""
    table = {model.id: astuple(model.price) for model in models}
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
    return f"genai-prices {importlib.metadata.version('genai-prices')}+overrides:{digest[:12]}"


def nano_usd(usd: Decimal) -> int:
    """Dollars as integer nano-dollars, rounded half up where a rate is finer than that."""
    return int((usd * NANO_PER_USD).to_integral_value(ROUND_HALF_UP))


def _first(*rates: int | None) -> int | None:
    return next((rate for rate in rates if rate is not None), None)


def _listed(base_url: str, upstream: str, on: date) -> Price:
    # Imported here: it takes 0.3 s, which a start without any priced host does not owe.
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - see above

    try:
        _, info = get_snapshot().find_provider_model(upstream, None, None, base_url)
    except LookupError:
        return Price()
    rates = _dearest(info, on)
    return Price(**{name: _rate(rates, key) for name, key in _RATES.items()})


def _dearest(info: ModelInfo, on: date) -> ModelPrice:
    midnight = datetime.combine(on, time(), UTC)
    hours = (info.get_prices(midnight + timedelta(hours=hour)) for hour in range(24))
    return max(hours, key=lambda rates: (_rate(rates, "output_mtok") or 0, _rate(rates, "input_mtok") or 0))


def _rate(rates: ModelPrice, key: str) -> int | None:
    value = getattr(rates, key, None)
    if value is None:
        return None
    return nano_usd(value if isinstance(value, Decimal) else value.base)
