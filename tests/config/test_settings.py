from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.config import Settings
from prysm.errors import ConfigError


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    assert Settings.from_environment({}) == Settings(
        database_url=None,
        data_dir=Path(".prysm"),
        config_path=None,
        root_key=None,
        encryption_key=None,
        host="127.0.0.1",
        port=8080,
        workers=1,
        log_level="info",
        redis_url=None,
    )


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        {
            "PRYSM_DATABASE_URL": "postgresql://db/prysm",
            "PRYSM_DATA_DIR": "/srv/prysm",
            "PRYSM_CONFIG": "/etc/prysm.toml",
            "PRYSM_ROOT_KEY": "root",
            "PRYSM_ENCRYPTION_KEY": "four words of a phrase",
            "PRYSM_HOST": "0.0.0.0",  # noqa: S104 - a value to read back, nothing binds
            "PRYSM_PORT": "80",
            "PRYSM_WORKERS": "4",
            "PRYSM_LOG_LEVEL": "DEBUG",
            "PRYSM_REDIS_URL": "redis://cache:6379/0",
        }
    )
    assert (settings.database_url, settings.redis_url) == ("postgresql://db/prysm", "redis://cache:6379/0")
    assert (settings.data_dir, settings.config_path) == (Path("/srv/prysm"), Path("/etc/prysm.toml"))
    assert (settings.root_key, settings.encryption_key) == ("root", "four words of a phrase")
    assert (settings.port, settings.workers, settings.log_level) == (80, 4, "debug")


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_environment({"PRYSM_PORT": "", "PRYSM_DATABASE_URL": " "}) == Settings()


def test_a_variable_nobody_knows_is_not_an_error() -> None:
    assert Settings.from_environment({"PRYSM_API_KEY": "sk", "PRYSM_NEWER": "1"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("PRYSM_PORT", "abc", "whole number from 0 to 65535"),
        ("PRYSM_PORT", "-1", "whole number"),
        ("PRYSM_PORT", "65536", "whole number"),
        ("PRYSM_PORT", "9" * 5000, "whole number"),
        ("PRYSM_WORKERS", "0", "whole number from 1"),
        ("PRYSM_WORKERS", "1.5", "whole number"),
        ("PRYSM_LOG_LEVEL", "loud", "debug, info, warning"),
        ("PRYSM_DATABASE_URL", "mysql://u:hunter2@db/x", "postgresql://"),
        ("PRYSM_REDIS_URL", "http://u:hunter2@cache", "redis://"),
        ("PRYSM_ROOT_KEY", "hunter2 hunter2", "travels in a header"),
        ("PRYSM_ENCRYPTION_KEY", "hünter2", "printable ASCII"),
    ],
)
def test_a_bad_value_is_refused_by_variable_and_fix_and_never_repeated(name: str, value: str, fix: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_environment({name: value})
    assert name in refused.value.message
    assert fix in refused.value.message
    assert "nter2" not in refused.value.message


def test_secrets_stay_out_of_the_repr() -> None:
    settings = Settings(
        database_url="postgresql://u:hunter2@db/x",
        root_key="hunter2",
        encryption_key="hunter2",
        redis_url="hunter2",
    )
    assert "hunter2" not in repr(settings)


@given(st.integers(0, 65535), st.integers(1, 256))
def test_numbers_come_back_as_written(port: int, workers: int) -> None:
    settings = Settings.from_environment({"PRYSM_PORT": str(port), "PRYSM_WORKERS": str(workers)})
    assert (settings.port, settings.workers) == (port, workers)


@given(st.text(), st.sampled_from(["PRYSM_PORT", "PRYSM_WORKERS", "PRYSM_LOG_LEVEL", "PRYSM_DATABASE_URL"]))
def test_any_text_is_read_or_refused_never_a_crash(value: str, name: str) -> None:
    with suppress(ConfigError):
        Settings.from_environment({name: value})
