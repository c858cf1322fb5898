"""The catalog of a replay: the pool's models in the order the caller gave, with prices from a file."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from prysm.core.model import Model, Price
from prysm.core.provider import ProviderSpec
from prysm.errors import InvalidRequest
from prysm.registry.catalog import Catalog
from prysm.registry.prices import nano_usd
from prysm.replay.recording import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from prysm.core.model import Tier

_VENDOR = re.compile(r"[^/]+(?=/)|[A-Za-z]+")
Prices = dict[str, Price]


def read_prices(path: Path) -> Prices:
    """Read `{"model": [input, output, …]}`, USD per million tokens; names that begin with `_` are remarks."""
    try:
        raw: Mapping[str, Any] = json.loads(path.read_text("utf-8"), parse_float=Decimal, parse_int=Decimal)
        return {name: _price(rates) for name, rates in raw.items() if not name.startswith("_")}
    except OSError as error:
        raise InvalidRequest(f"{path.name} cannot be read ({type(error).__name__}).", param="prices") from None
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        raise InvalidRequest(
            f'{path.name} is not a table of prices: {{"model": [input, output]}}, USD per million tokens.',
            param="prices",
        ) from None


def catalog(pool: Sequence[str], prices: Prices) -> Catalog:
    """Make the catalog of a pool listed from cheap to strong. Raises `InvalidRequest` for one without a price."""
    missing = [name for name in pool if name not in prices]
    if missing or not pool or len(set(pool)) < len(pool):
        named = f"no price for {', '.join(missing)}" if missing else "name each model once, from cheap to strong"
        raise InvalidRequest(f"The pool cannot be used: {named}.", param="pool")
    models = [_model(name, tier(at, len(pool)), prices[name]) for at, name in enumerate(pool)]
    return Catalog(models, (ProviderSpec(PROVIDER, "sandbox"),))


def tier(at: int, size: int) -> Tier:
    """The tier of position `at` in a pool: the last is strong, the cheaper half of the others small."""
    if at == size - 1:
        return "strong"
    return "small" if 2 * at < size - 1 else "mid"


def family(name: str) -> str:
    """The vendor: what stands before a slash, else the name's leading letters."""
    found = _VENDOR.match(name)
    return found[0].lower() if found else name


def _model(name: str, own_tier: Tier, price: Price) -> Model:
    return Model(name, PROVIDER, name, name, family(name), own_tier, price)


def _price(rates: Sequence[Decimal]) -> Price:
    if min(rates[:2]) < 0:
        raise ValueError
    return Price(input=nano_usd(rates[0]), output=nano_usd(rates[1]))
