"""The application over a log and receipts that a test makes up: real hashes and signatures, and no database."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import httpx
from tests.proof import made
from tests.serving import ROOT_KEY, SANDBOX

from prysm.api.services import Services
from prysm.app import create_app
from prysm.config import Settings, load_config
from prysm.proof.hashing import proof_hash
from prysm.proof.merkle import leaf_hash
from prysm.proof.sealed import Sealed
from prysm.proof.tiles import Appender, consistency_path
from prysm.proof.tiles import width as widest
from prysm.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from prysm.api.services import Place

BODY_LIMIT = 10_000_000


@dataclass(frozen=True)
class Stands:
    """Where a receipt stands."""

    state: Any = "pending"
    origin: str = made.ORIGIN
    index: int | None = None
    size: int | None = None
    inclusion: tuple[bytes, ...] | None = None
    note: str | None = None


@dataclass(frozen=True)
class Held:
    """A leaf."""

    hash: bytes


class ToldLog:
    """A log of these entries. A receipt stands at the first of its places when asked, then at the next."""

    def __init__(self, told: Sequence[bytes]) -> None:
        grown = Appender(0, {})
        grown.append([leaf_hash(entry) for entry in told])
        self.told, self.tiles, self.note = told, grown.changed(), made.checkpoint(told)
        self.places: dict[UUID, list[Place]] = {}
        self.looks = 0

    async def place(self, request_id: UUID) -> Place | None:
        """Say where the receipt stands now."""
        self.looks += 1
        listed = self.places.get(request_id, [])
        return listed.pop(0) if len(listed) > 1 else next(iter(listed), None)

    async def event_place(self, event: UUID) -> Place | None:
        """Say where an event stands; there is none."""
        return await self.place(event)

    async def checkpoint(self, origin: str | None = None) -> str | None:
        """Show the only one."""
        return self.note if origin in (None, made.ORIGIN) else None

    async def consistency(self, old: int, new: int, origin: str | None = None) -> tuple[bytes, ...] | None:
        """Prove it."""
        return tuple(consistency_path(old, new, self.tiles)) if origin == made.ORIGIN else None

    async def tile(self, level: int, idx: int, width: int = 256, origin: str | None = None) -> bytes | None:
        """Show hashes."""
        there = origin in (None, made.ORIGIN) and width <= widest((level, idx), len(self.told))
        return self.tiles[level, idx][: 32 * width] if there else None

    async def entries(self, idx: int, width: int = 256, origin: str | None = None) -> bytes | None:
        """Show entries."""
        if await self.tile(0, idx, width, origin) is None:
            return None
        return b"".join(len(entry).to_bytes(2, "big") + entry for entry in self.told[256 * idx :][:width])

    async def leaf(self, index: int, origin: str | None = None) -> Held | None:
        """Show a leaf."""
        return Held(leaf_hash(self.told[index])) if origin == made.ORIGIN else None

    async def keys(self) -> list[dict[str, Any]]:
        """List the keys."""
        return [key.listed(made.ORIGIN) for key in made.KEYS]


@dataclass
class ToldReceipts:
    """Receipts by id."""

    held: dict[UUID, Sealed] = field(default_factory=dict)

    async def get(self, request_id: UUID) -> Sealed | None:
        """Give it."""
        return self.held.get(request_id)

    async def ping(self) -> bool:
        """Answer."""
        return True


@dataclass
class Told:
    """The application, and what it stands on."""

    http: httpx.AsyncClient
    log: ToldLog
    receipts: ToldReceipts
    services: Services

    def keep(self, case: made.Case, *places: Place) -> str:
        """Store the receipt of a case, which stands at these places; default: where its document says."""
        document = case["document"]
        request_id = UUID(document["request_id"])
        self.receipts.held[request_id] = sealed_of(document)
        self.log.places[request_id] = list(places or [place_of(document)])
        return str(request_id)


def sealed_of(document: dict[str, Any]) -> Sealed:
    """What the database holds of a receipt."""
    envelope = document["proof"]["envelope"]
    payload = base64.b64decode(envelope["payload"])
    stages = tuple(base64.b64decode(stage["body"]) for stage in document["stages"])
    kept = Sealed(UUID(document["request_id"]), payload, proof_hash(payload), stages)
    for each in envelope["signatures"]:
        kept = replace(kept, kid=each["keyid"], signature=base64.b64decode(each["sig"]))
    return kept


def place_of(document: dict[str, Any]) -> Stands:
    """Where a document says that its receipt is."""
    log = document["proof"]["log"]
    path = tuple(map(base64.b64decode, log["inclusion"]))
    return Stands("included", log["origin"], log["index"], log["size"], path, log["checkpoint"])


@asynccontextmanager
async def told(folder: Path, entries: Sequence[bytes], toml: str = SANDBOX) -> AsyncIterator[Told]:
    """Serve in this process, without the lifespan; `http` carries no key."""
    path = folder / "prysm.toml"
    path.write_text(toml)
    settings = Settings(data_dir=folder, config_path=path, root_key=ROOT_KEY)
    app = create_app(settings, load_config(settings, {}))
    log, receipts, unused = ToldLog(entries), ToldReceipts(), cast("Any", None)
    needed = (each.name for each in fields(Services) if each.default is each.default_factory is MISSING)
    given = {"receipts": receipts, "log": log, "telemetry": Telemetry(), "body_limit": BODY_LIMIT}
    parts = Services(**dict.fromkeys(needed, unused) | given)
    app.state.services = parts
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        yield Told(http, log, receipts, parts)
