"""Reads `prysm.toml`, lays it over the built-in catalog and checks all of it at once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from prysm.config.complaints import complaints, dangling, duplicates, entries, entry_ids, has_id
from prysm.config.tables import (
    File,
    ModelTable,
    PolicyTable,
    Proof,
    ProviderTable,
    ResponseCache,
    Retention,
    Scoring,
    Server,
)
from prysm.core.plan import Policy
from prysm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prysm.config.settings import Settings
    from prysm.config.values import Table
    from prysm.core.model import Model
    from prysm.core.provider import ProviderSpec

DEFAULT_PATH = Path("prysm.toml")
_TABLES: Mapping[str, type[Table]] = {
    "": File,
    "server": Server,
    "retention": Retention,
    "cache": ResponseCache,
    "proof": Proof,
    "scoring": Scoring,
    "policies": PolicyTable,
    "providers": ProviderTable,
    "models": ModelTable,
}


@dataclass(frozen=True, slots=True)
class Config:
    """What the gateway is to serve. `path` is the file it came from, `None` for the built-in catalog alone."""

    path: Path | None
    server: Server
    retention: Retention
    cache: ResponseCache
    proof: Proof
    scoring: Scoring
    policies: Mapping[str, Policy]
    fallbacks: Mapping[str, tuple[str, ...]]
    providers: tuple[ProviderSpec, ...]
    models: tuple[Model, ...]

    @property
    def builtin(self) -> bool:
        """Whether there is no config file."""
        return self.path is None


def load_config(settings: Settings, environ: Mapping[str, str]) -> Config:
    """Read `PRYSM_CONFIG`, else `./prysm.toml` if present, else the built-in catalog alone.

    Keys of providers come from `environ`. Raises `ConfigError` that lists everything that is wrong, each with its
    table and key.
    """
    path = settings.config_path or (DEFAULT_PATH if DEFAULT_PATH.exists() else None)
    builtin = tomllib.loads(resources.files("prysm.registry").joinpath("builtin.toml").read_text("utf-8"))
    if path is None:
        return _config(None, _checked("built-in catalog", builtin, ()), environ)
    given = _read(path)
    return _config(path, _checked(path.name, _merged(builtin, given), duplicates(given)), environ)


def zero_key(config: Config) -> bool:
    """Whether the models of this machine are to serve: no config file, and no provider with a key."""
    return config.builtin and not _keyed(config.providers)


def _keyed(providers: Iterable[ProviderSpec]) -> bool:
    return any(spec.needs_key and spec.usable for spec in providers)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ConfigError(f"{path}: {reason}; PRYSM_CONFIG or --config names this file.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name}: not UTF-8 text; save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: not TOML: {error}.") from None
    except RecursionError:
        raise ConfigError(
            f"{path.name}: a list or table lies too deep in others; nothing here needs that."
        ) from None


def _merged(builtin: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the file over the built-in catalog; what has not the right shape stays, to be refused later."""
    extends = given.get("extends") == "builtin"
    local = {entry["id"] for entry in builtin["providers"] if "managed" in entry}
    listed = entry_ids(given.get("models"))
    kept = builtin["models"] if extends or "models" not in given else []
    models = [entry for entry in kept if entry["provider"] not in local or entry["id"] in listed]
    policies = given.get("policies", {})
    return {
        **given,
        "policies": _over(builtin["policies"], policies, deep=True) if isinstance(policies, dict) else policies,
        "providers": _by_id(builtin["providers"], given.get("providers", []), deep=extends),
        "models": _by_id(models, given.get("models", []), deep=extends),
    }


def _by_id(base: list[dict[str, Any]], given: object, *, deep: bool) -> object:
    if not isinstance(given, list):
        return given
    named = {entry["id"]: entry for entry in entries(given) if has_id(entry)}
    over = _over({entry["id"]: entry for entry in base}, named, deep=deep)
    return [*over.values(), *(entry for entry in given if not has_id(entry))]


def _over(base: Mapping[str, Any], given: Mapping[str, Any], *, deep: bool) -> dict[str, Any]:
    """`given` over `base`, name by name; `deep` keeps the keys of an entry that `given` leaves out."""
    merged = dict(base)
    for name, entry in given.items():
        merged[name] = {**base[name], **entry} if deep and name in base and isinstance(entry, dict) else entry
    return merged


def _checked(name: str, raw: Mapping[str, Any], wrong: Iterable[str]) -> File:
    found = list(wrong)
    try:
        file = File.model_validate(raw)
    except ValidationError as error:
        found += complaints(error, raw, _TABLES)
    found += dangling(raw)
    if found:
        raise ConfigError("\n".join(f"{name}: {sentence}" for sentence in found))
    return file


def _config(path: Path | None, file: File, environ: Mapping[str, str]) -> Config:
    today = datetime.now(UTC).date()
    specs = {table.id: table.spec(environ) for table in file.providers}
    local = {spec.id for spec in specs.values() if spec.managed}
    # Without a file, this machine's models serve only where no key does; a file has them only when it lists them.
    away = local if path is None and _keyed(specs.values()) else set()
    return Config(
        path=path,
        server=file.server,
        retention=file.retention,
        cache=file.cache,
        proof=file.proof,
        scoring=file.scoring,
        policies=MappingProxyType(
            {name: Policy(name, **table.model_dump()) for name, table in file.policies.items()}
        ),
        fallbacks=MappingProxyType({source: tuple(targets) for source, targets in file.fallbacks.items()}),
        providers=tuple(specs.values()),
        models=tuple(
            table.model(specs[table.provider], today) for table in file.models if table.provider not in away
        ),
    )
