"""Answers of the Responses API with their input, kept only where the operator keeps text, and for as long."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Bytes, not jsonb: text comes back as it came, NUL included. `previous` is no foreign key: what came before
    # expires before, and may be deleted.
    op.execute("""
        CREATE TABLE response (
            id uuid PRIMARY KEY,
            owner text NOT NULL,
            previous uuid,
            input bytea NOT NULL,
            body bytea NOT NULL,
            expires_at timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX response_expires_at ON response (expires_at)")
