"""What administrators did, each action sealed in the proof log like a receipt."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # The log holds of an event only the digest of `body`, which a nonce in it blinds: tiles are public, events are
    # not. The other columns repeat what `body` says, to be looked up by; `body` is what counts.
    op.execute("""
        CREATE TABLE audit_event (
            id uuid PRIMARY KEY,
            at timestamptz NOT NULL,
            org uuid REFERENCES organisation,
            actor text NOT NULL,
            actor_key uuid,
            action text NOT NULL,
            target text NOT NULL,
            detail jsonb NOT NULL,
            body bytea NOT NULL
        )
    """)
    op.execute("CREATE INDEX audit_event_at ON audit_event (at, id)")
    op.execute("CREATE INDEX audit_event_org ON audit_event (org, at, id)")
    op.execute("""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_update()
    """)
    # `kind` as in log_leaf. `request_id` is the id of the run, or of the event (4), which no receipt key signs.
    op.execute("""
        ALTER TABLE log_queue
            ADD COLUMN kind smallint NOT NULL DEFAULT 1,
            ALTER COLUMN kid DROP NOT NULL,
            ADD CONSTRAINT log_queue_kind CHECK (kind = 1 AND kid IS NOT NULL OR kind = 4 AND kid IS NULL)
    """)
