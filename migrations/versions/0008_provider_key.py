"""Keys that organisations bring for providers, each sealed under a data key of its own."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # `wrapped_key` is the data key, 32 bytes under the operator's key; `sealed` the provider's key under the data key.
    # Both are bound to id, organisation and provider. A key that is revoked is no longer here, only that it was.
    op.execute("""
        CREATE TABLE provider_key (
            id uuid PRIMARY KEY,
            org uuid NOT NULL REFERENCES organisation,
            provider text NOT NULL,
            label text,
            wrapped_key bytea,
            sealed bytea,
            last4 text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            changed_at timestamptz NOT NULL DEFAULT now(),
            revoked_at timestamptz,
            CHECK (num_nonnulls(wrapped_key, sealed) = CASE WHEN revoked_at IS NULL THEN 2 ELSE 0 END)
        )
    """)
    op.execute("CREATE UNIQUE INDEX provider_key_one ON provider_key (org, provider) WHERE revoked_at IS NULL")
    op.execute("CREATE INDEX provider_key_changed_at ON provider_key (changed_at)")
