"""The spool of a gateway: settings in, a file of data_dir that no other process has out."""

import asyncio
import os
import secrets
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from service import supervisor, telemetry
from service.app.process import Process
from service.domain.errors import StoreUnavailable
from service.intake.spool.file import SpoolBroken, SpoolFile, SpoolTaken, sync_directory
from service.intake.spool.spool import Spool
from service.settings import Server
from service.store import spools
from service.store.pool import Pool
from service.vault import Vault

log = structlog.get_logger()

MOST_PROCESSES = 256
LOOK_EVERY = 0.5
REPORT_EVERY = 15.0
"""Seconds between reports when nothing changes: a gateway that is silent is noticed."""


async def open_spool(process: Process) -> Spool | None:
    """The first file that no other process has; None when the configuration wants no spool."""
    server = process.settings.server
    if not server.spool:
        return None
    folder = server.data_dir / "spool"
    file = await asyncio.to_thread(_claimed, folder, server.spool)
    spool = Spool(file, await asyncio.to_thread(_vault, server, folder), fatal=process.fail)
    process.stack.push_async_callback(spool.close)
    if held := spool.total.entries:
        log.warning("spool_holds_requests", spool=str(spool.id), requests=held)
    return spool


async def report(spool: Spool, pool: Pool, stop: asyncio.Event) -> None:
    """Tell the ledger what lies here, and take the line away when nothing is left behind."""
    said, since = None, 0.0
    while not stop.is_set():
        supervisor.beat()
        now = _report(spool)
        telemetry.SPOOL_REQUESTS.set(now.entries)
        telemetry.SPOOL_BYTES.set(now.size)
        if now != said or time.monotonic() - since > REPORT_EVERY:
            with suppress(StoreUnavailable):
                await spools.report(pool, now)
                said, since = now, time.monotonic()
        await supervisor.pause(stop, LOOK_EVERY)
    if not spool.total.entries:
        with suppress(StoreUnavailable):
            await spools.leave(pool, spool.id)


def _report(spool: Spool) -> spools.Report:
    total = spool.total
    oldest = None if total.oldest is None else datetime.fromtimestamp(total.oldest, UTC)
    host = socket.gethostname()
    return spools.Report(spool.id, host, total.entries, total.size, total.damaged, oldest)


def _claimed(folder: Path, most: int) -> SpoolFile:
    """One that holds something before one that is empty: what is left behind must be drained."""
    known = sorted(folder.glob("*.db"), key=lambda path: path.stat().st_size, reverse=True)
    fresh = (folder / f"{number}.db" for number in range(MOST_PROCESSES))
    for path in [*known, *fresh]:
        with suppress(SpoolTaken):
            return SpoolFile(path, most=most)
    raise SpoolBroken(f"All {MOST_PROCESSES} spools in {folder} are taken.")


def _vault(server: Server, folder: Path) -> Vault:
    """The installation's keys; without any, one that lies beside the file, for its owner alone."""
    if server.ring:
        return Vault(server.ring)
    path = folder / "key"
    if not path.exists():
        _make_key(path)
    return Vault([path.read_bytes()])


def _make_key(path: Path) -> None:
    """Durable before anything is sealed with it; of several processes one wins."""
    draft = path.with_suffix(f".{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    with draft.open("wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
    sync_directory(path.parent)
