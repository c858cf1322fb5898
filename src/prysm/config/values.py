"""How single values are written in `prysm.toml`, what they become, and the words that refuse them."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from prysm.core.model import NANO_PER_USD, TASKS
from prysm.core.plan import STRATEGIES
from prysm.registry.prices import nano_usd

MAX_USD_PER_MTOK = 1_000_000
MAX_NAME = 200
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Capability: TypeAlias = Literal[
    "tools",
    "json_schema",
    "vision",
    "audio",
    "files",
    "logprobs",
    "reasoning",
    "embeddings",
    "max_completion_tokens",
    "developer_role",
    "mid_system",
    "fixed_sampling",
    "always_thinks",
    "tools_without_thinking",
    "unforced_tools",
]
"""What a model can do.

`max_completion_tokens`, `developer_role` and `mid_system` (system messages in the middle of a conversation keep their
place) say how its host wants a request to be written. `fixed_sampling` (temperature and its like stay at their
defaults, thoughts have no budget), `always_thinks` (thinking cannot be switched off), `tools_without_thinking`
(no tools unless it is) and `unforced_tools` (no call can be demanded) say what it refuses.
"""


def _nano(value: object) -> int:
    """Dollars as written in TOML (a number or a string) as exact nano-dollars."""
    try:
        usd = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("must be a number of dollars") from None
    if not usd.is_finite() or usd < 0:
        raise ValueError("must be 0 or more; leave it out when the price is unknown")
    if usd > MAX_USD_PER_MTOK:
        raise ValueError(f"must be at most {MAX_USD_PER_MTOK} dollars per million tokens")
    if usd * NANO_PER_USD % 1:
        raise ValueError("must have at most 9 decimals (a nano-dollar)")
    return nano_usd(usd)


def _origin(value: object) -> object:
    """Refuse what is no HTTP address, and one with a secret inside, without repeating it."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or not value.isprintable() or " " in value:
        raise ValueError("must be an address such as https://api.example.com/v1")
    if "@" in value or "?" in value or "#" in value:
        raise ValueError("must hold no user, password, query or fragment; name the key's variable in api_key_env")
    return value.rstrip("/")


def _plain(value: str) -> str:
    if not value or len(value) > MAX_NAME or not value.isprintable() or " " in value:
        raise ValueError(f"must be 1–{MAX_NAME} characters without blanks or control characters")
    return value


def _callable(value: str) -> str:
    if value == "auto" or value.startswith("prysm/"):
        raise ValueError('must not be "auto" or begin with "prysm/": those ask for routing')
    return _plain(value)


def _policy(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", value) or value in {*STRATEGIES, "rank_fuse"}:
        raise ValueError("a policy's name must be lower-case letters, digits, _ and -, and not that of a strategy")
    return value


def _task(value: str) -> str:
    if value not in {*TASKS, "default"}:
        raise ValueError(f"must be one of {', '.join(TASKS)} or default")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("must name an environment variable, such as OPENAI_API_KEY; never the key itself")
    return value


def _period(value: object) -> object:
    """`"30d"`, `"24h"` or `"15m"`; `"none"` keeps nothing."""
    if value == "none":
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a period such as "30d", "24h" or "15m", or "none"')
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _days(value: object) -> object:
    """A period of a day or more: of runs under way something has to be kept."""
    period = _period(value)
    if period is None or (isinstance(period, timedelta) and period < timedelta(days=1)):
        raise ValueError('must be a period of a day or more, such as "90d"')
    return period


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("must be an IP address or a network such as 10.0.0.0/8") from None
    return value


def _origin_of_pages(value: str) -> str:
    if value == "*" or re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", value):
        return value
    raise ValueError('must be an origin such as https://app.example.com, without a path, or "*" for all')


Name: TypeAlias = Annotated[str, AfterValidator(_plain)]
ModelId: TypeAlias = Annotated[str, AfterValidator(_callable)]
TaskName: TypeAlias = Annotated[str, AfterValidator(_task)]
PolicyName: TypeAlias = Annotated[str, AfterValidator(_policy)]
Variable: TypeAlias = Annotated[str, AfterValidator(_variable)]
Address: TypeAlias = Annotated[str, BeforeValidator(_origin)]
Usd: TypeAlias = Annotated[int | None, BeforeValidator(_nano)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400)]
Tokens: TypeAlias = Annotated[int, Field(ge=1)]
Chance: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Period: TypeAlias = Annotated[timedelta | None, BeforeValidator(_period)]
Days: TypeAlias = Annotated[timedelta, BeforeValidator(_days)]
Origin: TypeAlias = Annotated[str, AfterValidator(_origin_of_pages)]
Network: TypeAlias = Annotated[str, AfterValidator(_network)]
Seal: TypeAlias = Literal["strict", "spool"]


class Table(BaseModel):
    """A TOML table: only known keys, no coercion, no infinities."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )
