"""Requests that were sent under an idempotency key, and their answers."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # `name` and `request` are HMACs of the key and of the request; `answer` is encrypted under a key that takes the
    # caller's own to make. A row without `expires_at` is of a request under way, one with it and without `answer` of
    # one whose answer nobody has. `instance` as in intent; null: its process is known to be dead.
    op.execute("""
        CREATE TABLE idempotency (
            org uuid NOT NULL REFERENCES organisation,
            caller text NOT NULL,
            name bytea NOT NULL,
            request bytea NOT NULL,
            request_id uuid NOT NULL,
            instance uuid,
            answer bytea,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz,
            PRIMARY KEY (org, caller, name),
            CHECK (answer IS NULL OR expires_at IS NOT NULL)
        )
    """)
    op.execute("CREATE INDEX idempotency_expires_at ON idempotency (expires_at)")
    op.execute("CREATE INDEX idempotency_running ON idempotency (instance) WHERE expires_at IS NULL")
