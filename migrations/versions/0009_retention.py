"""Stages by month, as usage is, and what is known of the rows that were pruned."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _stage()
    # How far a table is pruned: of what was stored before, nothing need be there.
    op.execute("CREATE TABLE pruned (name text PRIMARY KEY, before timestamptz NOT NULL)")
    # With it the usage that is left still adds up to what the ledger says was spent.
    op.execute("CREATE TABLE usage_pruned (org uuid PRIMARY KEY, cost_nano bigint NOT NULL)")


def _stage() -> None:
    # The stages that are there are taken for as old as this migration: a constant default rewrites no row, and what
    # was promised to be kept is kept. The table becomes this month's partition, and is read once to see that it may.
    # A stage has the time of its receipt, since one transaction stores both.
    op.execute("ALTER TABLE stage ADD COLUMN at timestamptz NOT NULL DEFAULT now()")
    op.execute("ALTER INDEX stage_pkey RENAME TO stage_first_pkey")
    op.execute("ALTER TABLE stage RENAME TO stage_first")
    # No key over all the partitions: it would have to contain `at`, and to be built for the rows that are there.
    op.execute("""
        CREATE TABLE stage (
            request_id uuid NOT NULL, i integer NOT NULL, body bytea NOT NULL, at timestamptz NOT NULL DEFAULT now()
        ) PARTITION BY RANGE (at)
    """)
    op.execute("""
        DO $$
        DECLARE
            month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
            name text := to_char(month, '"stage_"YYYY_MM');
        BEGIN
            EXECUTE format('ALTER TABLE stage_first RENAME TO %I', name);
            EXECUTE format('ALTER INDEX stage_first_pkey RENAME TO %I', name || '_pkey');
            EXECUTE format('ALTER TABLE stage ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                name, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
        END
        $$
    """)
    op.execute("CREATE TABLE stage_rest PARTITION OF stage DEFAULT")
    op.execute("ALTER TABLE stage_rest ADD PRIMARY KEY (request_id, i)")
    # One says it where no row is touched, the other goes with every partition.
    for name, each in (("append_only", "STATEMENT"), ("append_only_rows", "ROW")):
        op.execute(f"""
            CREATE TRIGGER {name} BEFORE UPDATE ON stage
            FOR EACH {each} EXECUTE FUNCTION refuse_update()
        """)
