"""Kept answers name the run that gave them, and a receipt is read after whoever drops its stages."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # Nothing finds the entries of an earlier release. One key has several answers while the older lives longer; each
    # goes with the receipt of its run.
    op.execute("TRUNCATE cached_answer")
    op.execute("""
        ALTER TABLE cached_answer ADD COLUMN request_id uuid NOT NULL,
            DROP CONSTRAINT cached_answer_pkey, ADD PRIMARY KEY (org, key, request_id)
    """)
    # A stable function sees what its caller saw before it waited for the tables: a month that was dropped meanwhile
    # would be gone, and not known to be pruned.
    op.execute("ALTER FUNCTION receipt_of(uuid) VOLATILE")
