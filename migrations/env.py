"""Run by Alembic, which prysm.store.migrate starts with an open connection."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
