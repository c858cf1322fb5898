"""The options by which every command finds its gateway."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from prysm.client import Prysm
from prysm.client.wire import DEFAULT_URL, Target
from prysm.errors import ConfigError

Url: TypeAlias = Annotated[
    str, typer.Option("--url", envvar="PRYSM_BASE_URL", metavar="URL", help="Address of the gateway.")
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="PRYSM_API_KEY",
        metavar="KEY",
        show_default="root key of this machine's gateway",
        help="API key. The variable is safer: other users can see the arguments of a process.",
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for a program, and nothing else.")]
URL = DEFAULT_URL


def connect(url: str, key: str | None) -> Prysm:
    """Make a client. Raises `ConfigError` for an address or a key that cannot be used."""
    target = Target.resolve(key, url)
    return Prysm(target.api_key or (_root_key() if target.loopback else None), target.base_url)


def data_dir() -> Path:
    """Where a gateway that is started here keeps its keys."""
    return Path(os.environ.get("PRYSM_DATA_DIR") or ".prysm")


def _root_key() -> str | None:
    """Read the key that the gateway generated on its first start, if there is one."""
    path = data_dir() / "root.key"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The root key {path} cannot be read: set PRYSM_API_KEY, or --key.") from error


def text_of(prompt: str) -> str:
    """The prompt as typed, or standard input for `-`. Raises `BadParameter` when it is empty."""
    text = typer.get_text_stream("stdin").read() if prompt == "-" else prompt
    if not text.strip():
        raise typer.BadParameter("the prompt is empty", param_hint="PROMPT")
    return text
