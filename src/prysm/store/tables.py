"""The schema as this code expects it. The migrations make it; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
)

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
    Column("request_id", Uuid, primary_key=True),
    Column("i", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("request_id", Uuid, ForeignKey("receipt.request_id"), nullable=False, unique=True),
    Column("score", Numeric(4, 3), CheckConstraint("score BETWEEN 0 AND 1"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
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
    Column("kid", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
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
)
