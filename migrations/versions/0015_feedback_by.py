"""Which key gave a judgement, so that no other replaces it. Null: the root key, or an earlier release."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE feedback ADD COLUMN given_by uuid")
