"""`prysm keys rewrap`: another encryption key, and everything that is encrypted under it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

from prysm.accounts import sealed_key
from prysm.accounts.sealed_key import Belongs
from prysm.cli import attach, show
from prysm.cli.connection import Json  # noqa: TC001 - typer reads the annotation at run time
from prysm.errors import ConfigError
from prysm.store import rewrapping
from prysm.vault import Vault, rewrapped

if TYPE_CHECKING:
    from prysm.store.connection import Connection
    from prysm.store.provider_keys import KnownProviderKey


def rewrap(
    old_key_file: Annotated[
        Path, typer.Option("--old-key-file", metavar="FILE", help="Holds the PRYSM_ENCRYPTION_KEY there was.")
    ],
    *,
    anyway: Annotated[bool, typer.Option("--anyway", help="Though a gateway seems to run: it was killed.")] = False,
    json: Json = False,
) -> None:
    """Put all that lies encrypted in the database under the PRYSM_ENCRYPTION_KEY that is set now, or nothing of it.

    Needs the database, and no gateway: stop them first. API keys, receipts and provider keys stay what they are;
    answers of the response cache cannot be opened any more, and are forgotten in time.
    """
    found = attach.settings()
    old, new = Vault(_read(old_key_file)), attach.vault(found)

    def anew(wrapped: bytes, aad: bytes) -> bytes | None:
        return rewrapped(old, new, wrapped, aad)

    def provider(key: KnownProviderKey) -> bytes | None:
        return sealed_key.rewrapped(old, new, key.wrapped_key or b"", Belongs(key.id, key.org, key.provider))

    async def work(connection: Connection) -> dict[str, tuple[int, int]]:
        if not anyway and await rewrapping.in_use(connection):
            raise ConfigError(
                "A gateway runs on this database, or was killed a moment ago: it would go on under the old key. Stop "
                "it, or say --anyway when none runs."
            )
        return await rewrapping.rewrap(connection, anew, provider)

    done = attach.with_database(found, work)
    if json:
        show.as_json({kind: {"there": there, "rewrapped": changed} for kind, (there, changed) in done.items()})
        return
    for kind, (there, changed) in done.items():
        said = f"{kind.replace('_', ' ')}: {there} under the new key, {changed} of them since now"
        show.console(stderr=False).print(said)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read: --old-key-file names the file with the earlier key.") from None
