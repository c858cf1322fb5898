"""The schema as this code expects it. The migrations make it; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    DOUBLE_PRECISION,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

receipt = Table(
    "receipt",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("proof_hash", LargeBinary, nullable=False),
    Column("sealed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("kid", Text),
    Column("signature", LargeBinary),
)

stage = Table(
    "stage",
    metadata,
    Column("request_id", Uuid, nullable=False),
    Column("i", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

pruned = Table(
    "pruned",
    metadata,
    Column("name", Text, primary_key=True),
    Column("before", DateTime(timezone=True), nullable=False),
)

usage_pruned = Table(
    "usage_pruned",
    metadata,
    Column("org", Uuid, primary_key=True),
    Column("cost_nano", BigInteger, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("request_id", Uuid, ForeignKey("receipt.request_id"), nullable=False, unique=True),
    Column("score", Numeric(4, 3), CheckConstraint("score BETWEEN 0 AND 1"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("given_by", Uuid),
)

response = Table(
    "response",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("previous", Uuid),
    Column("input", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("org", Uuid, ForeignKey("organisation.id"), nullable=False),
    Index("response_expires_at", "expires_at"),
)

log = Table(
    "log",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

log_key = Table(
    "log_key",
    metadata,
    Column("log", Integer, ForeignKey("log.n"), primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("use", Text, CheckConstraint("use IN ('receipt', 'log')"), nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("from_index", BigInteger),
    Column("to_index", BigInteger),
    Column("retire_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

log_queue = Table(
    "log_queue",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("kid", Text),
    Column("digest", LargeBinary, nullable=False),
    Column("kind", SmallInteger, nullable=False, server_default="1"),
)

log_leaf = Table(
    "log_leaf",
    metadata,
    Column("log", Integer, ForeignKey("log.n"), primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("request_id", Uuid),
    Column("body", LargeBinary),
    Index("log_leaf_request_id", "request_id", unique=True),
)

log_tile = Table(
    "log_tile",
    metadata,
    Column("log", Integer, ForeignKey("log.n"), primary_key=True),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("log", Integer, ForeignKey("log.n"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

instance = Table(
    "instance",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("lease_until", DateTime(timezone=True), nullable=False),
)

intent = Table(
    "intent",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("instance", Uuid),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("payer", JSONB),
)

organisation = Table(
    "organisation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("prepaid", Boolean, nullable=False, server_default=false()),
    Column("rpm", Integer),
    Column("tpm", Integer),
    Column("concurrency", Integer),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

project = Table(
    "project",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("org", Uuid, ForeignKey("organisation.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("org", "name"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("org", Uuid, ForeignKey("organisation.id"), nullable=False),
    Column("project", Uuid, ForeignKey("project.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, CheckConstraint("role IN ('admin', 'member', 'reader')"), nullable=False),
    Column("scopes", ARRAY(Text)),
    Column("allowed_models", ARRAY(Text)),
    Column("allowed_strategies", ARRAY(Text)),
    Column("rpm", Integer),
    Column("tpm", Integer),
    Column("concurrency", Integer),
    Column("retention", Text, CheckConstraint("retention = 'zero'")),
    Column("cache", Boolean, nullable=False, server_default=false()),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("api_key_changed_at", "changed_at"),
    Index("api_key_org", "org"),
    UniqueConstraint("id", "org"),
)

api_secret = Table(
    "api_secret",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("key", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("org", Uuid, nullable=False),
    ForeignKeyConstraint(["key", "org"], ["api_key.id", "api_key.org"]),
    Index("api_secret_key", "key"),
)

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

budget = Table(
    "budget",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("org", Uuid, ForeignKey("organisation.id"), nullable=False),
    Column("project", Uuid, ForeignKey("project.id")),
    Column("key", Uuid, ForeignKey("api_key.id")),
    Column("tag", Text),
    Column("period", Text, CheckConstraint("period IN ('day', 'month', 'total')"), nullable=False),
    Column("limit_nano", BigInteger, nullable=False),
    Column("hard", Boolean, nullable=False, server_default=true()),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("deleted_at", DateTime(timezone=True)),
    Index("budget_changed_at", "changed_at"),
)

budget_window = Table(
    "budget_window",
    metadata,
    Column("budget", Uuid, ForeignKey("budget.id"), primary_key=True),
    Column("starts", Date, primary_key=True),
    Column("spent_nano", BigInteger, nullable=False, server_default="0"),
    Column("held_nano", BigInteger, nullable=False, server_default="0"),
    Column("unknown_nano", BigInteger, nullable=False, server_default="0"),
)

ledger_account = Table(
    "ledger_account",
    metadata,
    Column("org", Uuid, ForeignKey("organisation.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("balance_nano", BigInteger, nullable=False, server_default="0"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("org", Uuid, nullable=False),
    Column("request_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    Column("note", Text),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ledger_entry_org", "org", "id"),
    Index(
        "ledger_entry_booking",
        "request_id",
        unique=True,
        postgresql_where=text("kind IN ('trial', 'topup', 'adjust')"),
    ),
)

meter = Table(
    "meter",
    metadata,
    Column("subject", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("level", DOUBLE_PRECISION, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

usage = Table(
    "usage",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True, server_default=func.now()),
    Column("org", Uuid, nullable=False),
    Column("project", Uuid, nullable=False),
    Column("key", Uuid),
    Column("model", Text),
    Column("provider", Text),
    Column("strategy", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("tokens_in", BigInteger),
    Column("tokens_out", BigInteger),
    Column("cost_nano", BigInteger),
    Column("estimated", Boolean, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("parts", JSONB(none_as_null=True)),
    Index("usage_org", "org", "at"),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("org", Uuid, ForeignKey("organisation.id")),
    Column("actor", Text, nullable=False),
    Column("actor_key", Uuid),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("audit_event_at", "at", "id"),
    Index("audit_event_org", "org", "at", "id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("org", Uuid, ForeignKey("organisation.id"), primary_key=True),
    Column("caller", Text, primary_key=True),
    Column("name", LargeBinary, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("request_id", Uuid, nullable=False),
    Column("instance", Uuid),
    Column("answer", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True)),
    Index("idempotency_expires_at", "expires_at"),
    Index("idempotency_running", "instance", postgresql_where=text("expires_at IS NULL")),
)

provider_key = Table(
    "provider_key",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("org", Uuid, ForeignKey("organisation.id"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("label", Text),
    Column("wrapped_key", LargeBinary),
    Column("sealed", LargeBinary),
    Column("last4", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("revoked_at", DateTime(timezone=True)),
    Index("provider_key_one", "org", "provider", unique=True, postgresql_where=text("revoked_at IS NULL")),
    Index("provider_key_changed_at", "changed_at"),
)

cached_answer = Table(
    "cached_answer",
    metadata,
    Column("org", Uuid, ForeignKey("organisation.id"), primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("cached_answer_expires_at", "expires_at"),
)
