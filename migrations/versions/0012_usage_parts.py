"""What each model had of a run of several."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # All that this and the next revisions change, in the order in which gateways at work take them.
    op.execute("LOCK TABLE feedback, usage, cached_answer IN ACCESS EXCLUSIVE MODE")
    # `[{model, provider, calls, tokens_in, tokens_out, cost}]`, one a model; null where `model` is all that was
    # called, or nobody was.
    op.execute("ALTER TABLE usage ADD COLUMN parts jsonb")
    op.execute(SETTLE)
    # Replacing a function leaves its owner and who may call it as they are, and nothing else.
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
    op.execute("ALTER FUNCTION settle(uuid[], jsonb, jsonb, uuid) SECURITY DEFINER SET search_path FROM CURRENT")


# As in 0005, where it says what it does; a run's parts are stored besides.
SETTLE = """
    CREATE OR REPLACE FUNCTION settle(sealed uuid[], ended jsonb, charges jsonb, gateway uuid) RETURNS integer
    LANGUAGE plpgsql AS $$
    DECLARE
        own smallint := get_byte(uuid_send(gateway), 0) / 16;
        runs jsonb;
    BEGIN
        INSERT INTO usage (request_id, org, project, key, model, provider, strategy, mode, policy, task, outcome,
                tokens_in, tokens_out, cost_nano, estimated, tags, parts)
            SELECT id, org, project, key, model, provider, strategy, mode, policy, task, outcome,
                tokens_in, tokens_out, cost, estimated, tags, parts
            FROM jsonb_to_recordset(charges) AS c (id uuid, org uuid, project uuid, key uuid, model text,
                provider text, strategy text, mode text, policy text, task text, outcome text, tokens_in bigint,
                tokens_out bigint, cost bigint, estimated boolean, tags text[], parts jsonb)
            WHERE id = ANY(sealed);
        INSERT INTO usage (request_id, org, project, key, strategy, mode, policy, task, outcome, estimated, tags)
            SELECT e.id, org, project, key, strategy, mode, policy, task, 'interrupted', false, tags
            FROM jsonb_to_recordset(ended) AS e (id uuid, payer jsonb),
                jsonb_to_record(e.payer) AS p (org uuid, project uuid, key uuid, strategy text, mode text,
                    policy text, task text, tags text[])
            WHERE e.id = ANY(sealed) AND p.org IS NOT NULL  -- null: begun by an earlier release
                AND NOT EXISTS (SELECT FROM jsonb_array_elements(charges) c WHERE (c ->> 'id')::uuid = e.id);

        runs := (SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM (
            SELECT id, coalesce(c.org, (e.payer ->> 'org')::uuid) AS org, coalesce(c.cost, 0) AS cost,
                c.cost IS NULL AND id = ANY(sealed) AS unknown,
                coalesce((e.payer ->> 'held')::bigint, 0) AS held,
                coalesce((e.payer ->> 'prepaid')::boolean, false) AS prepaid,
                coalesce(e.payer -> 'windows', '[]') AS windows, coalesce(e.payer -> 'meters', '[]') AS meters,
                c.tokens_in + c.tokens_out AS used, coalesce(c.brought, 0) AS brought
            FROM (
                SELECT * FROM jsonb_to_recordset(charges)
                    AS x (id uuid, org uuid, cost bigint, tokens_in bigint, tokens_out bigint, brought bigint)
                WHERE id = ANY(sealed)
            ) c FULL JOIN jsonb_to_recordset(ended) AS e (id uuid, payer jsonb) USING (id)
        ) r);

        INSERT INTO ledger_account (org, name, shard)
            SELECT DISTINCT (r ->> 'org')::uuid, n, own FROM jsonb_array_elements(runs) r,
                unnest('{open,spent}'::text[]) n WHERE (r ->> 'cost')::bigint > 0 ORDER BY 1, 2
            ON CONFLICT DO NOTHING;
        PERFORM FROM ledger_account WHERE org IN (SELECT (r ->> 'org')::uuid FROM jsonb_array_elements(runs) r)
            AND shard = CASE WHEN name IN ('open', 'spent') THEN own ELSE 0 END AND name <> 'funding'
            ORDER BY org, name, shard FOR UPDATE;
        WITH entry AS (
            INSERT INTO ledger_entry (org, request_id, kind, source, target, shard, amount_nano)
            SELECT r.org, r.id, v.kind, v.source, v.target, own, v.amount
            FROM jsonb_to_recordset(runs)
                    AS r (id uuid, org uuid, cost bigint, held bigint, prepaid boolean, brought bigint),
                LATERAL (SELECT CASE WHEN prepaid THEN least(cost - brought, held) ELSE 0 END AS covered) paid,
                LATERAL (VALUES
                    ('settle', 'held', 'spent', covered),
                    ('settle', 'open', 'spent', cost - covered),
                    ('release', 'held', 'credits', CASE WHEN prepaid THEN held - covered ELSE 0 END)
                ) AS v (kind, source, target, amount)
            WHERE v.amount > 0
            RETURNING ledger_entry.org, source, target, amount_nano
        ), delta AS (
            SELECT x.org, x.name, sum(x.amount)::bigint AS amount FROM (
                SELECT entry.org, source AS name, -amount_nano AS amount FROM entry
                UNION ALL SELECT entry.org, target, amount_nano FROM entry
            ) x GROUP BY x.org, x.name
        )
        UPDATE ledger_account a SET balance_nano = balance_nano + delta.amount FROM delta
            WHERE a.org = delta.org AND a.name = delta.name
            AND a.shard = CASE WHEN a.name IN ('open', 'spent') THEN own ELSE 0 END;

        PERFORM FROM budget_window WHERE (budget, starts) IN (
            SELECT (w ->> 'budget')::uuid, (w ->> 'starts')::date
            FROM jsonb_array_elements(runs) r, jsonb_array_elements(r -> 'windows') w
        ) ORDER BY budget, starts FOR UPDATE;
        UPDATE budget_window b SET held_nano = held_nano - x.held, spent_nano = spent_nano + x.cost,
                unknown_nano = unknown_nano + x.unknown
            FROM (
                SELECT w.budget, w.starts, sum(r.held)::bigint AS held, sum(r.cost)::bigint AS cost,
                    sum(CASE WHEN r.unknown THEN r.held ELSE 0 END)::bigint AS unknown
                FROM jsonb_to_recordset(runs) AS r (cost bigint, unknown boolean, held bigint, windows jsonb),
                    jsonb_to_recordset(r.windows) AS w (budget uuid, starts date)
                GROUP BY w.budget, w.starts
            ) x WHERE b.budget = x.budget AND b.starts = x.starts;

        PERFORM FROM meter WHERE subject IN (
            SELECT (m ->> 'subject')::uuid FROM jsonb_array_elements(runs) r, jsonb_array_elements(r -> 'meters') m
        ) ORDER BY subject, kind FOR UPDATE;
        UPDATE meter SET
            level = CASE kind WHEN 'runs' THEN greatest(level - x.ended, 0)
                ELSE least(x.most, level + extract(epoch FROM clock_timestamp() - at) * x.most / 60) + x.back END,
            at = clock_timestamp()
            FROM (
                SELECT m.subject, count(m.concurrency) AS ended, max(m.tpm) AS most,
                    coalesce(sum(m.tokens - r.used), 0) AS back
                FROM jsonb_to_recordset(runs) AS r (used bigint, meters jsonb),
                    jsonb_to_recordset(r.meters) AS m (subject uuid, tpm integer, concurrency integer, tokens bigint)
                GROUP BY m.subject
            ) x WHERE meter.subject = x.subject AND (kind = 'runs' OR kind = 'tokens' AND x.most IS NOT NULL);
        RETURN jsonb_array_length(runs);
    END
    $$
"""
