"""`prysm fsck`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from prysm.cli import attach, show
from prysm.cli.connection import Json  # noqa: TC001 - typer reads it at run time
from prysm.store.fsck import fsck as audit
from prysm.store.log.pin import Pin
from prysm.store.notary import PINS

if TYPE_CHECKING:
    from pathlib import Path

    from prysm.store.fsck.audit import Audit


def fsck(*, json: Json = False) -> None:
    """Recompute every receipt and the whole log in the database, and name what is wrong. Changes nothing.

    PRYSM_DATABASE_URL or PRYSM_DATA_DIR name the database; gateways may run meanwhile. Exit code: 0 when all is well,
    1 when something is wrong, 2 when it could not be looked at.
    """
    found = attach.settings()
    pins = _pins(found.data_dir / PINS)
    vault = attach.vault_if_any(found)
    began, steps = time.monotonic(), attach.Steps()
    done = attach.with_database(found, lambda connection: audit(connection, pins, vault, steps))
    if json:
        show.as_json(done.as_json())
    else:
        _show(done, time.monotonic() - began, encrypted=vault is None)
    raise typer.Exit(1 if done.findings else 0)


def _pins(folder: Path) -> list[Pin]:
    """The pins are read before the database: a gateway that runs meanwhile writes them after it."""
    return [Pin.read(path) for path in sorted(folder.glob("*.checkpoint"))]


def _show(done: Audit, took_s: float, *, encrypted: bool) -> None:
    out = show.console(stderr=False)
    for finding in done.findings:
        out.print(f"{finding.code}  {finding.where}", style="red")
        out.print(f"  {finding.what}")
        out.print(f"  {finding.fix}")
    for code, times in done.kinds.items():
        if (more := times - sum(finding.code == code for finding in done.findings)) > 0:
            out.print(f"{code}  {more} more", style="red")
    for kid, number in done.void.items():
        out.print(f"{number} receipts are void: the key {kid} that signed them is revoked", style="yellow")
    out.print(", ".join(f"{number} {what}" for what, number in done.counts.items()) or "nothing is logged yet")
    if encrypted:
        out.print("private keys were not looked at: no encryption key was given")
    total = sum(done.kinds.values())
    out.print(
        f"{f'{total} findings' if total else 'all is well'} ({took_s:.1f} s)", style="red" if total else "green"
    )
