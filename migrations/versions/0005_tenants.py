"""Organisations, projects and keys; the ledger, budgets and meters that a run is admitted by and settled into.

Two functions do all of the money, each in one statement of the group committer: `admit` before the first call,
`settle` together with the receipt. Both lock in one order (accounts, budget windows, meters; each by its key), so
that gateways cannot lock each other out.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _tenants()
    _money()
    _usage()
    op.execute("ALTER TABLE intent ADD COLUMN payer jsonb")  # null: begun by an earlier release
    op.execute(WINDOW_START)
    op.execute(METER_TOLD)
    op.execute(METERED)
    op.execute(ADMIT)
    op.execute(SETTLE)


def _tenants() -> None:
    op.execute("""
        CREATE TABLE organisation (
            id uuid PRIMARY KEY,
            name text NOT NULL UNIQUE,
            prepaid boolean NOT NULL DEFAULT false,
            rpm integer CHECK (rpm > 0),
            tpm integer CHECK (tpm > 0),
            concurrency integer CHECK (concurrency > 0),
            created_at timestamptz NOT NULL DEFAULT now(),
            changed_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        CREATE TABLE project (
            id uuid PRIMARY KEY,
            org uuid NOT NULL REFERENCES organisation,
            name text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (org, name)
        )
    """)
    # Lists are null where everything is allowed; an empty one allows nothing.
    op.execute("""
        CREATE TABLE api_key (
            id uuid PRIMARY KEY,
            org uuid NOT NULL REFERENCES organisation,
            project uuid NOT NULL REFERENCES project,
            name text NOT NULL,
            role text NOT NULL CHECK (role IN ('admin', 'member', 'reader')),
            scopes text[],
            allowed_models text[],
            allowed_strategies text[],
            rpm integer CHECK (rpm > 0),
            tpm integer CHECK (tpm > 0),
            concurrency integer CHECK (concurrency > 0),
            retention text CHECK (retention = 'zero'),
            cache boolean NOT NULL DEFAULT false,
            tags text[] NOT NULL DEFAULT '{}',
            expires_at timestamptz,
            revoked_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            changed_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX api_key_changed_at ON api_key (changed_at)")
    op.execute("CREATE INDEX api_key_org ON api_key (org)")
    # What a key is known by: `prefix` finds it, `digest` is HMAC-SHA256 of the whole under a pepper that is not in
    # the database. A key that was rotated has two for a while.
    op.execute("""
        CREATE TABLE api_secret (
            prefix text PRIMARY KEY,
            key uuid NOT NULL REFERENCES api_key,
            digest bytea NOT NULL,
            expires_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX api_secret_key ON api_secret (key)")
    # What must not change with the encryption key, encrypted under it.
    op.execute("CREATE TABLE secret (name text PRIMARY KEY, wrapped bytea NOT NULL)")
    op.execute("INSERT INTO organisation (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'default')")
    op.execute("INSERT INTO project (id, org, name) SELECT id, id, name FROM organisation")


def _money() -> None:
    # What every gateway keeps in memory is read again where `changed_at` moved; so nothing of it is ever deleted.
    op.execute("""
        CREATE TABLE budget (
            id uuid PRIMARY KEY,
            org uuid NOT NULL REFERENCES organisation,
            project uuid REFERENCES project,
            key uuid REFERENCES api_key,
            tag text,
            period text NOT NULL CHECK (period IN ('day', 'month', 'total')),
            limit_nano bigint NOT NULL CHECK (limit_nano >= 0),
            hard boolean NOT NULL DEFAULT true,
            created_at timestamptz NOT NULL DEFAULT now(),
            changed_at timestamptz NOT NULL DEFAULT now(),
            deleted_at timestamptz,
            CHECK (num_nonnulls(project, key, tag) <= 1)
        )
    """)
    op.execute("CREATE INDEX budget_changed_at ON budget (changed_at)")
    # `unknown_nano`: held by runs that a crash cut off. What they cost nobody knows; a limit has to count them.
    op.execute("""
        CREATE TABLE budget_window (
            budget uuid NOT NULL REFERENCES budget,
            starts date NOT NULL,
            spent_nano bigint NOT NULL DEFAULT 0 CHECK (spent_nano >= 0),
            held_nano bigint NOT NULL DEFAULT 0 CHECK (held_nano >= 0),
            unknown_nano bigint NOT NULL DEFAULT 0 CHECK (unknown_nano >= 0),
            PRIMARY KEY (budget, starts)
        )
    """)
    # Double entry: every row of `ledger_entry` takes from one account what it gives to another, so the balances of
    # all accounts add up to nothing. "funding" is where credits come from, "open" where the spending of an
    # organisation comes from that does not pay in advance; these two run below zero. Accounts that every run of a
    # gateway touches have a shard for each sixteenth of the gateways, so that they need not wait for each other.
    op.execute("""
        CREATE TABLE ledger_account (
            org uuid NOT NULL REFERENCES organisation,
            name text NOT NULL CHECK (name IN ('funding', 'credits', 'held', 'open', 'spent')),
            shard smallint NOT NULL,
            balance_nano bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (org, name, shard),
            CHECK (name IN ('funding', 'open') OR balance_nano >= 0)
        )
    """)
    op.execute("""
        CREATE TABLE ledger_entry (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            org uuid NOT NULL,
            request_id uuid,
            kind text NOT NULL CHECK (kind IN ('trial', 'topup', 'adjust', 'hold', 'release', 'settle')),
            source text NOT NULL,
            target text NOT NULL CHECK (target <> source),
            shard smallint NOT NULL,
            amount_nano bigint NOT NULL CHECK (amount_nano > 0),
            note text,
            made_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX ledger_entry_org ON ledger_entry (org, id)")
    # A booking that is sent twice is made once.
    op.execute("""
        CREATE UNIQUE INDEX ledger_entry_booking ON ledger_entry (request_id)
        WHERE kind IN ('trial', 'topup', 'adjust')
    """)
    op.execute("""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_entry
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_update()
    """)
    # "requests" and "tokens" are token buckets that fill at their limit per minute and hold a minute's worth;
    # "runs" counts what is under way. `subject` is a key or an organisation.
    op.execute("""
        CREATE TABLE meter (
            subject uuid NOT NULL,
            kind text NOT NULL CHECK (kind IN ('requests', 'tokens', 'runs')),
            level double precision NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (subject, kind)
        ) WITH (fillfactor = 50)
    """)


def _usage() -> None:
    # A row for every run that began, by month, so that forgetting a month is dropping a table. The sum of its costs
    # is the balance of the accounts "spent", for as long as nothing is forgotten.
    op.execute("""
        CREATE TABLE usage (
            request_id uuid NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            org uuid NOT NULL,
            project uuid NOT NULL,
            key uuid,
            model text,
            provider text,
            strategy text NOT NULL,
            mode text NOT NULL,
            policy text NOT NULL,
            task text NOT NULL,
            outcome text NOT NULL,
            tokens_in bigint,
            tokens_out bigint,
            cost_nano bigint,
            estimated boolean NOT NULL,
            tags text[] NOT NULL,
            PRIMARY KEY (request_id, at)
        ) PARTITION BY RANGE (at)
    """)
    op.execute("CREATE TABLE usage_rest PARTITION OF usage DEFAULT")
    op.execute("CREATE INDEX usage_org ON usage (org, at)")


WINDOW_START = """
    CREATE FUNCTION window_start(period text) RETURNS date LANGUAGE sql STABLE AS $$
        SELECT CASE period
            WHEN 'day' THEN (now() AT TIME ZONE 'UTC')::date
            WHEN 'month' THEN date_trunc('month', now() AT TIME ZONE 'UTC')::date
            ELSE date '1970-01-01'
        END
    $$
"""

METER_TOLD = """
    CREATE FUNCTION meter_told(kind text, most integer, level double precision) RETURNS jsonb LANGUAGE sql AS $$
        SELECT jsonb_build_object('kind', kind, 'limit', most, 'left', greatest(0, floor(level)),
            'full_s', CASE kind WHEN 'runs' THEN NULL ELSE (most - level) * 60 / most END)
    $$
"""

# One run against the meters of its key and organisation: `{subject, rpm, tpm, concurrency, tokens}` each.
# The answer tells what is left; with `refused` nothing was taken. A bucket lends one request of any size when full.
METERED = """
    CREATE FUNCTION metered(meters jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
        m record; filled double precision; amount bigint; needs bigint; refused jsonb;
        told jsonb := '[]'; as_before jsonb := '[]';
    BEGIN
        FOR m IN
            SELECT x.subject, k.kind, k.most, x.tokens FROM jsonb_to_recordset(meters)
                AS x (subject uuid, rpm integer, tpm integer, concurrency integer, tokens bigint),
                LATERAL (VALUES ('requests', x.rpm), ('tokens', x.tpm), ('runs', x.concurrency)) AS k (kind, most)
            WHERE k.most IS NOT NULL ORDER BY x.subject, k.kind
        LOOP
            SELECT CASE m.kind WHEN 'runs' THEN m.most - level
                ELSE least(m.most, level + extract(epoch FROM clock_timestamp() - at) * m.most / 60) END
            INTO filled FROM meter WHERE subject = m.subject AND kind = m.kind;
            amount := CASE m.kind WHEN 'tokens' THEN m.tokens ELSE 1 END;
            needs := least(amount, m.most);
            IF filled < needs AND refused IS NULL THEN
                refused := jsonb_build_object('kind', m.kind, 'limit', m.most, 'wait_s',
                    CASE m.kind WHEN 'runs' THEN 1 ELSE (needs - filled) * 60 / m.most END);
            END IF;
            told := told || meter_told(m.kind, m.most, filled - amount);
            as_before := as_before || meter_told(m.kind, m.most, filled);
        END LOOP;
        IF refused IS NOT NULL THEN
            RETURN jsonb_build_object('refused', refused, 'meters', as_before);
        END IF;
        UPDATE meter SET
            level = CASE meter.kind
                WHEN 'runs' THEN level + 1
                ELSE least(k.most, level + extract(epoch FROM clock_timestamp() - at) * k.most / 60)
                    - CASE meter.kind WHEN 'tokens' THEN x.tokens ELSE 1 END
            END,
            at = clock_timestamp()
        FROM jsonb_to_recordset(meters)
            AS x (subject uuid, rpm integer, tpm integer, concurrency integer, tokens bigint),
            LATERAL (VALUES ('requests', x.rpm), ('tokens', x.tpm), ('runs', x.concurrency)) AS k (kind, most)
        WHERE meter.subject = x.subject AND meter.kind = k.kind AND k.most IS NOT NULL;
        RETURN jsonb_build_object('meters', told);
    END
    $$
"""

# Runs in the order they came. Each gets `{}` with what is left of its meters and the soft budgets it goes beyond,
# or why it is refused; a run that was admitted before, by a statement whose answer was lost, is admitted.
ADMIT = """
    CREATE FUNCTION admit(ids uuid[], bodies bytea[], payers jsonb, gateway uuid) RETURNS jsonb
    LANGUAGE plpgsql AS $$
    DECLARE
        orgs uuid[]; credits bigint[]; held bigint[];
        budgets uuid[]; room bigint[]; hard boolean[]; starting date[]; taken bigint[];
        payer jsonb; amount bigint; org uuid; b uuid; j integer; told jsonb; warned jsonb; windows jsonb;
        verdict jsonb; verdicts jsonb := '[]';
    BEGIN
        INSERT INTO ledger_account (org, name, shard)
            SELECT DISTINCT (p ->> 'org')::uuid, n, 0 FROM jsonb_array_elements(payers) p,
                unnest('{credits,held}'::text[]) n WHERE (p ->> 'prepaid')::boolean ORDER BY 1, 2
            ON CONFLICT DO NOTHING;
        SELECT array_agg(a.org) FILTER (WHERE name = 'credits'),
            array_agg(a.balance_nano) FILTER (WHERE name = 'credits')
        INTO orgs, credits FROM (
            SELECT * FROM ledger_account WHERE name IN ('credits', 'held') AND ledger_account.org IN (
                SELECT (p ->> 'org')::uuid FROM jsonb_array_elements(payers) p WHERE (p ->> 'prepaid')::boolean
            ) ORDER BY ledger_account.org, name FOR UPDATE
        ) a;
        held := array_fill(0::bigint, ARRAY[coalesce(cardinality(orgs), 0)]);

        INSERT INTO budget_window (budget, starts)
            SELECT id, window_start(period) FROM budget WHERE id IN (
                SELECT jsonb_array_elements_text(p -> 'budgets')::uuid FROM jsonb_array_elements(payers) p
            ) ORDER BY id
            ON CONFLICT DO NOTHING;
        SELECT array_agg(x.id), array_agg(x.room), array_agg(x.hard), array_agg(x.starts)
        INTO budgets, room, hard, starting FROM (
            SELECT id, limit_nano - spent_nano - held_nano - unknown_nano AS room, budget.hard, w.starts
            FROM budget JOIN budget_window w ON w.budget = id AND w.starts = window_start(period)
            WHERE deleted_at IS NULL AND id IN (
                SELECT jsonb_array_elements_text(p -> 'budgets')::uuid FROM jsonb_array_elements(payers) p
            ) ORDER BY id FOR UPDATE OF w
        ) x;
        taken := array_fill(0::bigint, ARRAY[coalesce(cardinality(budgets), 0)]);

        INSERT INTO meter (subject, kind, level)
            SELECT DISTINCT x.subject, k.kind, CASE k.kind WHEN 'runs' THEN 0 ELSE k.most END
            FROM jsonb_array_elements(payers) p, jsonb_to_recordset(p -> 'meters')
                AS x (subject uuid, rpm integer, tpm integer, concurrency integer),
                LATERAL (VALUES ('requests', x.rpm), ('tokens', x.tpm), ('runs', x.concurrency)) AS k (kind, most)
            WHERE k.most IS NOT NULL ORDER BY 1, 2
            ON CONFLICT DO NOTHING;
        PERFORM FROM meter WHERE subject IN (
            SELECT (m ->> 'subject')::uuid
            FROM jsonb_array_elements(payers) p, jsonb_array_elements(p -> 'meters') m
        ) ORDER BY subject, kind FOR UPDATE;

        FOR i IN 1 .. cardinality(ids) LOOP
            payer := payers -> (i - 1);
            amount := (payer ->> 'held')::bigint;
            verdict := NULL; warned := '[]'; windows := '[]'; told := '{}';
            IF EXISTS (SELECT FROM intent WHERE request_id = ids[i]) THEN
                verdicts := verdicts || jsonb_build_array(told);
                CONTINUE;
            END IF;
            FOR b IN SELECT x::uuid FROM jsonb_array_elements_text(payer -> 'budgets') x LOOP
                j := array_position(budgets, b);
                CONTINUE WHEN j IS NULL;
                windows := windows || jsonb_build_object('budget', b, 'starts', starting[j]);
                IF amount > 0 AND room[j] - taken[j] < amount THEN
                    IF hard[j] THEN
                        verdict := jsonb_build_object('refused', jsonb_build_object(
                            'kind', 'budget', 'budget', b, 'left', room[j] - taken[j]));
                        EXIT;
                    END IF;
                    warned := warned || to_jsonb(b);
                END IF;
            END LOOP;
            IF verdict IS NULL AND (payer ->> 'prepaid')::boolean THEN
                org := (payer ->> 'org')::uuid;
                j := array_position(orgs, org);
                IF amount > 0 AND credits[j] - held[j] < amount THEN
                    verdict := jsonb_build_object('refused', jsonb_build_object(
                        'kind', 'credits', 'left', credits[j] - held[j]));
                END IF;
            END IF;
            IF verdict IS NULL THEN
                told := metered(payer -> 'meters');
                IF told ? 'refused' THEN
                    verdict := told;
                END IF;
            END IF;
            IF verdict IS NULL THEN
                IF (payer ->> 'prepaid')::boolean AND amount > 0 THEN
                    held[j] := held[j] + amount;
                    INSERT INTO ledger_entry (org, request_id, kind, source, target, shard, amount_nano)
                        VALUES (org, ids[i], 'hold', 'credits', 'held', 0, amount);
                END IF;
                FOR b IN SELECT (x ->> 'budget')::uuid FROM jsonb_array_elements(windows) x LOOP
                    j := array_position(budgets, b);
                    taken[j] := taken[j] + amount;
                END LOOP;
                INSERT INTO intent (request_id, instance, body, payer)
                    VALUES (ids[i], gateway, bodies[i], payer || jsonb_build_object('windows', windows))
                    ON CONFLICT DO NOTHING;  -- sent twice at once, by a run that nothing is locked for
                verdict := told || jsonb_build_object('warned', warned);
            END IF;
            verdicts := verdicts || jsonb_build_array(verdict);
        END LOOP;

        UPDATE budget_window w SET held_nano = held_nano + x.amount
            FROM unnest(budgets, starting, taken) AS x (budget, starts, amount)
            WHERE w.budget = x.budget AND w.starts = x.starts AND x.amount > 0;
        UPDATE ledger_account a
            SET balance_nano = balance_nano + CASE name WHEN 'held' THEN x.amount ELSE -x.amount END
            FROM unnest(orgs, held) AS x (org, amount)
            WHERE a.org = x.org AND a.name IN ('credits', 'held') AND x.amount > 0;
        RETURN verdicts;
    END
    $$
"""

# `sealed`: the runs whose receipts this statement stores. `ended`: `{id, payer}` of the intents it deletes; the
# hold of one that is not sealed goes back whole. `charges`: what the sealed runs used. A sealed run without a charge
# was cut off by a crash: its credits go back, since nobody is billed for what nobody knows, but its budgets go on to
# count what it held.
SETTLE = """
    CREATE FUNCTION settle(sealed uuid[], ended jsonb, charges jsonb, gateway uuid) RETURNS integer
    LANGUAGE plpgsql AS $$
    DECLARE
        own smallint := get_byte(uuid_send(gateway), 0) / 16;
        runs jsonb;
    BEGIN
        INSERT INTO usage (request_id, org, project, key, model, provider, strategy, mode, policy, task, outcome,
                tokens_in, tokens_out, cost_nano, estimated, tags)
            SELECT id, org, project, key, model, provider, strategy, mode, policy, task, outcome,
                tokens_in, tokens_out, cost, estimated, tags
            FROM jsonb_to_recordset(charges) AS c (id uuid, org uuid, project uuid, key uuid, model text,
                provider text, strategy text, mode text, policy text, task text, outcome text, tokens_in bigint,
                tokens_out bigint, cost bigint, estimated boolean, tags text[])
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
