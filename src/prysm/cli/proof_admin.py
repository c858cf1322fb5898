"""What operators do with receipts and keys: `prysm proof export | delete | rotate | revoke | keys`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from prysm.cli import attach, show
from prysm.cli.connection import Json  # noqa: TC001 - typer reads it at run time
from prysm.errors import InvalidRequest, NotFound
from prysm.proof.document import plain_id
from prysm.store import deletion
from prysm.store.lease import any_alive
from prysm.store.log import rotation
from prysm.store.log.export import Wanted
from prysm.store.log.export import export as write_export
from prysm.store.log.reader import published_keys

if TYPE_CHECKING:
    from prysm.store.connection import Connection
    from prysm.store.deletion import Kept
    from prysm.store.log.rotation import Revoked
    from prysm.store.log.tree import Head

SOON = "The gateways sign with it within seconds."
LATER = "No gateway runs on this database: it becomes active when the next one starts."

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

admin = typer.Typer(add_completion=False, rich_markup_mode=None)


@admin.command()
def export(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write; a folder that is there goes on.")
    ],
    *,
    first: Annotated[int, typer.Option("--from", metavar="INDEX", help="The first leaf.")] = 0,
    last: Annotated[
        int | None, typer.Option("--to", metavar="INDEX", help="The last leaf; default: of the log.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="An older log of this database; default: the one in use.")
    ] = None,
    json: Json = False,
) -> None:
    """Write receipts with their proofs, and the log they are in, as files that outlive the database.

    Every receipt verifies offline: `prysm proof verify FILE --keys DIR/keys.json`. README.txt says what is what.
    """
    wanted, steps = Wanted(first, last, origin), attach.Steps()
    done = attach.with_database(attach.settings(), lambda connection: write_export(connection, out, wanted, steps))
    if json:
        show.as_json(asdict(done))
        return
    text = show.console(stderr=False)
    text.print(f"{done.receipts} receipts of leaves {done.first} to {done.last} of {done.origin}")
    text.print(f"{done.without_receipt} leaves without one: deleted, of the log itself, or of the audit log")
    text.print(
        f"{done.written} files written to {out}; check one: prysm proof verify FILE --keys {out / 'keys.json'}"
    )


@admin.command()
def delete(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, with or without `prysm-`.")],
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete a receipt with its stages, its feedback and the answer wherever it is kept, for good.

    The log keeps its leaf, a digest, so that every other proof stays valid; the receipt's address answers 410.
    """
    run = _uuid(request_id)

    async def work(connection: Connection) -> tuple[Kept, bool]:
        found = await deletion.find(connection, run)
        if found is None:
            raise NotFound("There is no receipt under this id.", code="proof_not_found")
        if found.kept and not (yes or json):
            typer.confirm(f"Delete the receipt of {run} for good? {_leaf(found)}", abort=True, err=True)
        await deletion.delete(connection, run)
        return found, found.kept

    found, deleted = attach.with_database(attach.settings(), work)
    if json:
        show.as_json({"request_id": str(run), "deleted": deleted, "origin": found.origin, "index": found.index})
    else:
        said = "deleted" if deleted else "was deleted before"
        show.console(stderr=False).print(f"{run} {said}. {_leaf(found)}")


@admin.command()
def rotate(
    use: Annotated[Literal["receipt", "log"], typer.Option(help="What the key signs.")] = "receipt",
    *,
    lost_key: Annotated[
        bool,
        typer.Option(
            "--lost-key", help="The encryption key is lost for good: begin a new log with new keys for both uses."
        ),
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Make a new signing key. The log announces it, and the old one is closed after an overlap."""
    if lost_key:
        _replace_lost(yes=yes, json=json)
        return
    found = attach.settings()
    vault = attach.vault(found)

    async def work(connection: Connection) -> tuple[str, bool]:
        return await rotation.rotate(connection, vault, use), await any_alive(connection)

    kid, alive = attach.with_database(found, work)
    if json:
        show.as_json({"kid": kid, "use": use, "gateway_runs": alive})
    else:
        show.console(stderr=False).print(f"new {use} key {kid}. {SOON if alive else LATER}")


@admin.command()
def revoke(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's name: `prysm proof keys` lists them.")],
    *,
    at: Annotated[
        int | None,
        typer.Option(
            metavar="INDEX", min=0, help="From this leaf on nothing that it signed is good; default: from now on."
        ),
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Void a key from a leaf of the log on, at once, and make another where none is in its place.

    Receipts of it that are in the log before that leaf stay good, without --at all that were stored up to now. A log
    key that is revoked signs no checkpoint that anyone believes, whichever the leaf.
    """
    found = attach.settings()
    vault = attach.vault(found)

    async def work(connection: Connection) -> tuple[Revoked, bool]:
        head = await rotation.current(connection)
        if not (yes or json):
            since = "now" if at is None else f"leaf {at}"
            question = f"Void everything that {kid} signed from {since} on? The log has {head.size} leaves."
            typer.confirm(question, abort=True, err=True)
        return await rotation.revoke(connection, vault, kid, at), await any_alive(connection)

    done, alive = attach.with_database(found, work)
    if json:
        show.as_json({"kid": kid, "to_index": done.to_index, "successor": done.successor, "gateway_runs": alive})
    else:
        out = show.console(stderr=False)
        out.print(f"{kid} is void from leaf {done.to_index} on. {_heir(done, alive=alive)}")


@admin.command()
def keys(*, json: Json = False) -> None:
    """Print the public keys as the gateway publishes them; with --json a file to pin them by."""
    listed = attach.with_database(attach.settings(), published_keys)
    if json:
        show.as_json({"keys": listed})
        return
    out = show.console(stderr=False)
    for key in listed:
        first, last = ("–" if key[bound] is None else key[bound] for bound in ("from_index", "to_index"))
        out.print(f"{key['kid']}  {key['use']:<7}  {key['status']:<8}  {first} to {last} of {key['origin']}")


def _replace_lost(*, yes: bool, json: bool) -> None:
    found = attach.settings()
    vault = attach.vault(found)

    async def work(connection: Connection) -> Head:
        if not (yes or json):
            runs = "A gateway runs here, and cannot go on with other keys. " if await any_alive(connection) else ""
            typer.confirm(f"{runs}Give up the signing keys and begin a new log?", abort=True, err=True)
        return await rotation.replace_lost(connection, vault)

    head = attach.with_database(found, work)
    if json:
        show.as_json({"origin": head.origin, "size": head.size})
    else:
        show.console(stderr=False).print(
            f"The log goes on under the new origin {head.origin} with new keys: start the gateways, and publish them."
        )


def _heir(done: Revoked, *, alive: bool) -> str:
    """What takes the place of a key that was revoked."""
    if done.successor is not None:
        return f"new key {done.successor}. {SOON if alive else LATER}"
    if done.replaced:
        return "Another key is in its place already."
    return (
        "NO KEY IS IN ITS PLACE, since the encryption key given here opens none: run `prysm proof rotate` with the "
        "right one, or with --lost-key."
    )


def _uuid(request_id: str) -> UUID:
    try:
        return UUID(plain_id(request_id))
    except ValueError:
        raise InvalidRequest(f"{request_id!r} is not the id of a run.", param="request_id") from None


def _leaf(found: Kept) -> str:
    if found.index is not None:
        return f"Leaf {found.index} of {found.origin} stays."
    return "It waits for the log, and its leaf will stay." if found.queued else "It is in no log."
