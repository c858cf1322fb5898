"""Requests that make no run count in the limits of requests: each takes one, and nothing else."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
    op.execute(REQUESTED)
    op.execute("REVOKE EXECUTE ON FUNCTION requested(jsonb) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION requested(jsonb) TO prysm_sealer")


# The meters `{subject, rpm}` of the callers, in the order in which they asked. Each gets what `metered` says. It locks
# in the order of `admit`, and waits for no disk: what a crash of the database forgets is a request or two.
REQUESTED = """
    CREATE FUNCTION requested(callers jsonb) RETURNS jsonb LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        meters jsonb; told jsonb := '[]';
    BEGIN
        PERFORM set_config('synchronous_commit', 'off', true);
        INSERT INTO meter (subject, kind, level)
            SELECT DISTINCT x.subject, 'requests', x.rpm FROM jsonb_array_elements(callers) c,
                jsonb_to_recordset(c) AS x (subject uuid, rpm integer) ORDER BY 1
            ON CONFLICT DO NOTHING;
        PERFORM FROM meter WHERE kind = 'requests' AND subject IN (
            SELECT x.subject FROM jsonb_array_elements(callers) c, jsonb_to_recordset(c) AS x (subject uuid)
        ) ORDER BY subject FOR UPDATE;
        FOR meters IN SELECT * FROM jsonb_array_elements(callers) LOOP
            told := told || jsonb_build_array(metered(meters));
        END LOOP;
        RETURN told;
    END
    $$
"""
