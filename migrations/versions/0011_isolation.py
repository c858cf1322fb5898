"""Three roles that the gateway's connections take on, and row-level security beneath every statement of theirs.

Whoever migrates owns the tables, and is held back by none of it: operators' commands, the log and pruning go on as
before. The decision 0010 says which table is whose.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from prysm.errors import ConfigError

revision = "0011"
down_revision = "0010"

TENANT, SEALER, PUBLIC = ROLES = ("prysm_tenant", "prysm_sealer", "prysm_public")

EVERYBODY = "(SELECT acting_for_everybody())"
OWN = "org = (SELECT acting_org())"
A_RUN_OF_ITS = "EXISTS (SELECT FROM usage WHERE usage.request_id = {table}.request_id)"

# Read and written by the organisation whose rows they are.
OWNED = {
    "project": "SELECT, INSERT, UPDATE",
    "api_key": "SELECT, INSERT, UPDATE",
    "api_secret": "SELECT, INSERT, UPDATE",
    "budget": "SELECT, INSERT, UPDATE",
    "provider_key": "SELECT, INSERT, UPDATE",
    "response": "SELECT, INSERT, DELETE",
    "audit_event": "SELECT, INSERT",
    "idempotency": "SELECT, INSERT, UPDATE, DELETE",
    "cached_answer": "SELECT, INSERT, UPDATE, DELETE",
    "feedback": "SELECT, INSERT, UPDATE",
}
# Read by the organisation whose rows they are, written only for everybody: nobody gives itself credits.
SHOWN = {
    "organisation": "SELECT, INSERT, UPDATE",
    "ledger_account": "SELECT, INSERT, UPDATE",
    "ledger_entry": "SELECT, INSERT",
    "budget_window": "SELECT",
    "usage": "SELECT",
    "usage_pruned": "SELECT",
    "receipt": "SELECT (request_id, payload)",
    "intent": "SELECT (request_id)",
    "log_leaf": "SELECT (log, idx, kind, request_id)",
    "secret": "SELECT, INSERT",
}
WHOSE = {
    "organisation": "id = (SELECT acting_org())",
    "budget_window": "EXISTS (SELECT FROM budget WHERE budget.id = budget_window.budget)",
    "feedback": A_RUN_OF_ITS.format(table="feedback"),
    "receipt": A_RUN_OF_ITS.format(table="receipt"),
    "intent": "(payer ->> 'org')::uuid = (SELECT acting_org())",
    "log_leaf": "EXISTS (SELECT FROM audit_event WHERE audit_event.id = log_leaf.request_id)",
    "secret": "false",
}
# What nobody's rows are in.
SHARED = {
    TENANT: {"instance": "SELECT", "log": "SELECT (n, origin)", "log_queue": "INSERT (kind, request_id, digest)"},
    # What storing needs: the id and the hash of a receipt tell a batch that was sent again from one that clashes.
    SEALER: {
        "receipt": "SELECT (request_id, proof_hash), INSERT",
        "stage": "INSERT",
        "log_queue": "INSERT",
        "intent": "SELECT, INSERT, UPDATE (instance), DELETE",
        "instance": "SELECT, INSERT, UPDATE, DELETE",
        "idempotency": "SELECT (instance, expires_at), UPDATE (instance)",
        "log": "SELECT (n, origin)",
        "log_key": "SELECT (log, kid, use, public, wrapped, status, from_index)",
    },
    # The log is for strangers; ids of runs are not, since who knows one may read its receipt.
    PUBLIC: {
        "log": "SELECT",
        "log_leaf": "SELECT (log, idx, kind, digest, body)",
        "log_tile": "SELECT",
        "checkpoint": "SELECT",
        "log_key": "SELECT (log, kid, use, public, status, from_index, to_index)",
    },
}
# Where row-level security is on, these see every row of the columns that they were granted.
UNHINDERED = {SEALER: ("receipt", "intent", "idempotency"), PUBLIC: ("log_leaf",)}

CALLED = {
    TENANT: ("acting_org()", "acting_for_everybody()", "window_start(text)"),
    SEALER: ("admit(uuid[], bytea[], jsonb, uuid)", "settle(uuid[], jsonb, jsonb, uuid)"),
    PUBLIC: ("receipt_of(uuid)", "place_of(uuid, smallint)"),
}


def upgrade() -> None:
    _roles()
    _owners()
    for function in (*SETTING, RECEIPT, PLACE):
        op.execute(function)
    _functions()
    _tenants()
    for role, tables in SHARED.items():
        for table, what in tables.items():
            op.execute(f"GRANT {what} ON {table} TO {role}")
    for role, unhindered in UNHINDERED.items():
        for table in unhindered:
            op.execute(f"CREATE POLICY {role} ON {table} TO {role} USING (true) WITH CHECK (true)")


def _roles() -> None:
    """Make the roles, which belong to the whole server and may be there already, and be one of their members."""
    for role in ROLES:
        if not _member(role):
            _done(f"CREATE ROLE {role} NOLOGIN")
            _done(f"GRANT {role} TO CURRENT_USER")
    missing = [role for role in ROLES if not _member(role)]
    if missing:
        raise ConfigError(_ask_for(missing))
    strong = (
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles) AND (rolsuper OR rolbypassrls OR rolcanlogin)"
    )
    if found := op.get_bind().execute(text(strong), {"roles": list(ROLES)}).scalar():
        raise ConfigError(
            f"The role {found} of this database server can log in or see every row, so that it keeps nobody apart. "
            f"Have an administrator run, once: ALTER ROLE {found} NOLOGIN NOSUPERUSER NOBYPASSRLS;"
        )


def _ask_for(missing: list[str]) -> str:
    known = "SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)"
    there = set(op.get_bind().execute(text(known), {"roles": missing}).scalars())
    user = op.get_bind().execute(text("SELECT quote_ident(current_user)")).scalar()
    made = "".join(f"CREATE ROLE {role} NOLOGIN; " for role in missing if role not in there)
    return (
        "The database user of PRYSM_DATABASE_URL may not make roles, or not be one of them. Have an administrator of "
        f"the database server run, once: {made}GRANT {', '.join(missing)} TO {user}; Then start again."
    )


def _member(role: str) -> bool:
    return _done(f"SET LOCAL ROLE {role}", "RESET ROLE")


def _done(*statements: str) -> bool:
    """Whether all of it was done; nothing is, where one was refused."""
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            for statement in statements:
                connection.execute(text(statement))
    except DBAPIError:
        return False
    return True


def _owners() -> None:
    """Give rows that are a tenant's, and did not say so, their organisation."""
    op.execute("ALTER TABLE response ADD COLUMN org uuid REFERENCES organisation")
    op.execute("""
        UPDATE response SET org = coalesce(
            (SELECT org FROM api_key WHERE id::text = owner), '00000000-0000-0000-0000-000000000001'
        )
    """)
    op.execute("ALTER TABLE response ALTER COLUMN org SET NOT NULL")
    # A secret opens whatever its key does: it must not name another organisation than that.
    op.execute("ALTER TABLE api_key ADD UNIQUE (id, org)")
    op.execute("ALTER TABLE api_secret ADD COLUMN org uuid, DROP CONSTRAINT api_secret_key_fkey")
    op.execute("UPDATE api_secret SET org = (SELECT org FROM api_key WHERE id = key)")
    op.execute("""
        ALTER TABLE api_secret ALTER COLUMN org SET NOT NULL,
            ADD FOREIGN KEY (key, org) REFERENCES api_key (id, org)
    """)


def _functions() -> None:
    """Those that do more than who calls them may run as the owner, and find the owner's tables alone."""
    op.execute("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
    for name in (*CALLED[SEALER], *CALLED[PUBLIC]):
        op.execute(f"ALTER FUNCTION {name} SECURITY DEFINER SET search_path FROM CURRENT")
    op.execute(f"""
        DO $$
        DECLARE
            own regprocedure;
        BEGIN
            FOR own IN SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
                JOIN pg_roles r ON r.oid = proowner WHERE nspname = current_schema() AND rolname = current_user
            LOOP
                EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', own);
            END LOOP;
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO {", ".join(ROLES)}', current_schema());
        END
        $$
    """)  # noqa: S608 - constants
    for role, names in CALLED.items():
        op.execute(f"GRANT EXECUTE ON FUNCTION {', '.join(names)} TO {role}")


def _tenants() -> None:
    for table, what in (OWNED | SHOWN).items():
        seen = f"{EVERYBODY} OR {WHOSE.get(table, OWN)}"
        op.execute(f"GRANT {what} ON {table} TO {TENANT}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        if table in OWNED:
            op.execute(f"CREATE POLICY {TENANT} ON {table} TO {TENANT} USING ({seen})")
        else:
            op.execute(f"CREATE POLICY {TENANT} ON {table} FOR SELECT TO {TENANT} USING ({seen})")
            op.execute(f"CREATE POLICY everybody ON {table} TO {TENANT} USING ({EVERYBODY})")


# Without the setting, or when it was set back, nobody: both are null or false then.
SETTING = (
    """
    CREATE FUNCTION acting_for_everybody() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT coalesce(current_setting('prysm.org', true) = '*', false)
    $$
    """,
    """
    CREATE FUNCTION acting_org() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN current_setting('prysm.org', true) NOT IN ('', '*')
            THEN current_setting('prysm.org', true)::uuid END
    $$
    """,
)

# A join repeats the payload, which is small; an array of stages would cost every connection a look at pg_type.
RECEIPT = """
    CREATE FUNCTION receipt_of(run uuid) RETURNS TABLE (
        payload bytea, proof_hash bytea, kid text, signature bytea, body bytea, pruned timestamptz
    ) LANGUAGE sql STABLE AS $$
        SELECT r.payload, r.proof_hash, r.kid, r.signature, s.body,
            (SELECT before FROM pruned WHERE name = 'stage' AND before > r.sealed_at)
        FROM receipt r LEFT JOIN stage s USING (request_id) WHERE request_id = run ORDER BY s.i
    $$
"""

# All from one moment, so that a receipt on its way from the queue into the log is seen in one of them. `of`: 1 a
# receipt, 4 an audit event.
PLACE = """
    CREATE FUNCTION place_of(named uuid, of smallint) RETURNS TABLE (
        idx bigint, log integer, origin text, size bigint, note text, kept boolean, queued boolean
    ) LANGUAGE sql STABLE AS $$
        SELECT leaf.idx, n, l.origin, last.size, last.note,
            CASE of WHEN 1 THEN EXISTS (SELECT FROM receipt WHERE request_id = named)
                ELSE EXISTS (SELECT FROM audit_event WHERE id = named) END,
            leaf.idx IS NULL AND EXISTS (SELECT FROM log_queue q WHERE q.request_id = named AND q.kind = of)
        FROM (VALUES (true)) AS once
        LEFT JOIN log_leaf AS leaf ON leaf.request_id = named AND leaf.kind = of
        JOIN log l ON n = coalesce(leaf.log, (SELECT max(n) FROM log))
        CROSS JOIN LATERAL (
            SELECT c.size, c.note FROM checkpoint c WHERE c.log = n ORDER BY c.size DESC LIMIT 1
        ) AS last
    $$
"""
