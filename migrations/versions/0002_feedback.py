"""What callers said of the answers they got: one judgement a run, which a later one replaces."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Of the run only its id: model, task and strategy are read from the receipt, which cannot be rewritten.
    op.execute("""
        CREATE TABLE feedback (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            request_id uuid NOT NULL UNIQUE REFERENCES receipt,
            score numeric(4, 3) NOT NULL CHECK (score BETWEEN 0 AND 1),
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
