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
)

stage = Table(
    "stage",
    metadata,
    Column("request_id", Uuid, ForeignKey("receipt.request_id"), primary_key=True),
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
