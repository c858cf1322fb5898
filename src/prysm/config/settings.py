"""What the environment says: every `PRYSM_*` variable and its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prysm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_PORT = 65_535
MAX_WORKERS = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Secrets, and addresses that may hold one, stay out of the repr."""

    database_url: str | None = field(default=None, repr=False)
    data_dir: Path = Path(".prysm")
    config_path: Path | None = None
    root_key: str | None = field(default=None, repr=False)
    encryption_key: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    log_level: str = "info"
    redis_url: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read every `PRYSM_*`, an empty one as unset. Raises `ConfigError` naming the variable and the fix."""
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        config_path = given.get("PRYSM_CONFIG")
        return cls(
            database_url=_url(given, "PRYSM_DATABASE_URL", ("postgresql://",)),
            data_dir=Path(given.get("PRYSM_DATA_DIR", ".prysm")).expanduser(),
            config_path=Path(config_path).expanduser() if config_path else None,
            root_key=_bearer(given, "PRYSM_ROOT_KEY"),
            encryption_key=_secret(given, "PRYSM_ENCRYPTION_KEY"),
            host=given.get("PRYSM_HOST", "127.0.0.1"),
            port=_whole(given, "PRYSM_PORT", 8080, 0, MAX_PORT),
            workers=_whole(given, "PRYSM_WORKERS", 1, 1, MAX_WORKERS),
            log_level=_log_level(given),
            redis_url=_url(given, "PRYSM_REDIS_URL", ("redis://", "rediss://", "unix://")),
        )


def _url(given: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    value = given.get(name)
    if value is not None and not value.startswith(schemes):
        raise ConfigError(f"{name} must begin with {' or '.join(schemes)}; unset it to do without.", param=name)
    return value


def _secret(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not (value.isascii() and value.isprintable()):
        raise ConfigError(f"{name} must be printable ASCII, so that it can be given again.", param=name)
    return value


def _bearer(given: Mapping[str, str], name: str) -> str | None:
    value = _secret(given, name)
    if value is not None and " " in value:
        raise ConfigError(f"{name} must be printable ASCII without blanks, as it travels in a header.", param=name)
    return value


def _whole(given: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = given.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(high)) and low <= int(value) <= high):
        raise ConfigError(
            f"{name} must be a whole number from {low} to {high}; the default is {default}.", param=name
        )
    return int(value)


def _log_level(given: Mapping[str, str]) -> str:
    level = given.get("PRYSM_LOG_LEVEL", "info").lower()
    if level not in LOG_LEVELS:
        raise ConfigError(f"PRYSM_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}.", param="PRYSM_LOG_LEVEL")
    return level
