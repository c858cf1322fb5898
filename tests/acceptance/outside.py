"""A Postgres that is not the gateway's own, and that a test takes away and brings back."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prysm.store.embedded import EmbeddedPostgres
from prysm.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outside:
    """The server of a folder, which is short enough that its address stays the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = EmbeddedPostgres.start(folder)
        self.url = self._server.url

    def stop(self) -> None:
        """Shut it down."""
        self._server.stop()

    def start(self) -> None:
        """Start it again."""
        self._server = EmbeddedPostgres.start(self.folder)
        assert self._server.url == self.url


@contextmanager
def started() -> Iterator[Outside]:
    """A migrated server, gone with its folder after the block."""
    with tempfile.TemporaryDirectory(prefix="prysm-test-") as folder:
        server = Outside(Path(folder))
        try:
            migrate(server.url)
            yield server
        finally:
            server.stop()
