"""Receipts and the stages they commit to, append-only."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    # bytea, not jsonb: the hash is over these bytes, and jsonb would reorder keys and rewrite numbers.
    op.execute("""
        CREATE TABLE receipt (
            request_id uuid PRIMARY KEY,
            payload bytea NOT NULL,
            proof_hash bytea NOT NULL,
            sealed_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        CREATE TABLE stage (
            request_id uuid NOT NULL REFERENCES receipt,
            i integer NOT NULL,
            body bytea NOT NULL,
            PRIMARY KEY (request_id, i)
        )
    """)
    op.execute("""
        CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END
        $$
    """)
    for table in ("receipt", "stage"):
        op.execute(f"""
            CREATE TRIGGER append_only BEFORE UPDATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_update()
        """)
