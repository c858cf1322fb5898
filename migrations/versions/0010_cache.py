"""Answers that are kept to be given again: the response cache."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # `key` is an HMAC of whatever shapes the answer, `body` the answer, encrypted and bound to organisation and key.
    # Most bodies are small and written once; one that is asked for again is read by its primary key alone.
    op.execute("""
        CREATE TABLE cached_answer (
            org uuid NOT NULL REFERENCES organisation,
            key bytea NOT NULL CHECK (octet_length(key) = 32),
            body bytea NOT NULL,
            made_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (org, key)
        )
    """)
    op.execute("CREATE INDEX cached_answer_expires_at ON cached_answer (expires_at)")
    # Encrypted bytes cannot be compressed.
    op.execute("ALTER TABLE cached_answer ALTER COLUMN body SET STORAGE EXTERNAL")
