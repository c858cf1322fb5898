"""Signatures, the Merkle log over receipts, and the intents that a crash leaves behind."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Receipts from before have neither: they were not signed, and say so.
    op.execute("ALTER TABLE receipt ADD COLUMN kid text, ADD COLUMN signature bytea")
    # One statement stores a receipt with its stages; to check each stage against it again took a third of its time.
    op.execute("ALTER TABLE stage DROP CONSTRAINT stage_request_id_fkey")
    _log()
    _runs()
    for table in ("intent", "log_queue"):  # nearly empty, and every run passes through: dead rows must go soon
        op.execute(f"""
            ALTER TABLE {table} SET (
                autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
                autovacuum_vacuum_cost_delay = 0
            )
        """)
    for table in ("log", "log_leaf", "checkpoint"):
        op.execute(f"""
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_update()
        """)


def _log() -> None:
    # One row an origin: a database that was restored to an earlier state goes on under a new one.
    op.execute("""
        CREATE TABLE log (
            n integer PRIMARY KEY,
            origin text NOT NULL UNIQUE,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    # A private key is here only encrypted under PRYSM_ENCRYPTION_KEY. A key is valid from the leaf that announces
    # it to the leaf that closes it, both exclusive; "pending" until the sequencer has announced it.
    op.execute("""
        CREATE TABLE log_key (
            log integer NOT NULL REFERENCES log,
            kid text NOT NULL,
            use text NOT NULL CHECK (use IN ('receipt', 'log')),
            public bytea NOT NULL,
            wrapped bytea NOT NULL,
            status text NOT NULL CHECK (status IN ('pending', 'active', 'retiring', 'retired', 'revoked')),
            from_index bigint,
            to_index bigint,
            retire_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (log, kid)
        )
    """)
    # Filled by the statement that stores a receipt, emptied by the sequencer. Paging by a serial number instead
    # would skip receipts: numbers become visible out of order.
    op.execute("""
        CREATE TABLE log_queue (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            request_id uuid NOT NULL,
            kid text NOT NULL,
            digest bytea NOT NULL
        )
    """)
    # `kind`: 1 a receipt, 2 the beginning of a log, 3 a key event. `body` is the statement of a leaf that is no
    # receipt. A deleted receipt leaves its leaf.
    op.execute("""
        CREATE TABLE log_leaf (
            log integer NOT NULL REFERENCES log,
            idx bigint NOT NULL,
            kind smallint NOT NULL,
            digest bytea NOT NULL,
            request_id uuid,
            body bytea,
            PRIMARY KEY (log, idx)
        )
    """)
    op.execute("CREATE UNIQUE INDEX log_leaf_request_id ON log_leaf (request_id)")
    # Hashes of a level, 256 to a row as in C2SP tlog-tiles; the last row of a level grows until it is full.
    op.execute("""
        CREATE TABLE log_tile (
            log integer NOT NULL REFERENCES log,
            level smallint NOT NULL,
            idx bigint NOT NULL,
            hashes bytea NOT NULL,
            PRIMARY KEY (log, level, idx)
        )
    """)
    op.execute("""
        CREATE TABLE checkpoint (
            log integer NOT NULL REFERENCES log,
            size bigint NOT NULL,
            root bytea NOT NULL,
            note text NOT NULL,
            made_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (log, size)
        )
    """)


def _runs() -> None:
    # A gateway process that is alive renews its lease; the runs of one that is not are sealed by another.
    op.execute("CREATE TABLE instance (id uuid PRIMARY KEY, lease_until timestamptz NOT NULL)")
    # `instance` null: given up by a live one. `body` holds no text of a caller and no salt.
    op.execute("""
        CREATE TABLE intent (
            request_id uuid PRIMARY KEY,
            instance uuid,
            body bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
