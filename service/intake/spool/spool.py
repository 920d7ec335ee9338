"""Requests that PostgreSQL cannot take now come in; durable when `keep` returns, drained later."""

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import orjson
import structlog

from service import supervisor
from service.domain.errors import StoreUnavailable
from service.faultpoint import faultpoint
from service.intake.provider import RawRequest
from service.intake.spool.file import Entry, New, SpoolBroken, SpoolFile, SpoolFull, Total
from service.vault import Unopenable, Vault

log = structlog.get_logger()

P = ParamSpec("P")
R = TypeVar("R")

BATCH = 256
WAITING = 4096
ROOM = 1024 * 1024
"""Bytes: the largest request that most sources may send."""
PATIENCE = 5.0
"""Seconds a request may wait for the disk."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A request out of the spool, as it came."""

    number: int
    source: str
    request: RawRequest


@dataclass(frozen=True, slots=True)
class Waiter:
    entry: New
    durable: asyncio.Future[None]


class Spool:
    """One file, one thread; many waiting requests share a sync."""

    def __init__(self, file: SpoolFile, vault: Vault, *, fatal: Callable[[str], None]) -> None:
        self._file = file
        self._vault = vault
        self._fatal = fatal
        self._waiting: deque[Waiter] = deque()
        self._arrived = asyncio.Event()
        self._broken: str | None = None
        # Everything that touches the file happens here, in turn.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")

    @property
    def id(self) -> UUID:
        return self._file.id

    @property
    def total(self) -> Total:
        return self._file.total

    @property
    def has_room(self) -> bool:
        """Whether the next request is likely to be kept."""
        return self._broken is None and self._file.room >= ROOM

    async def keep(self, source: str, request: RawRequest) -> None:
        """Return when the request is on stable storage; StoreUnavailable when it is not."""
        if self._broken or len(self._waiting) >= WAITING:
            raise StoreUnavailable(self._broken or "Too many requests wait for the spool.")
        waiter = Waiter(self._sealed(source, request), asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._arrived.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await waiter.durable
        except TimeoutError as error:
            raise StoreUnavailable("The spool did not sync in time.") from error

    async def run(self, stop: asyncio.Event) -> None:
        """Write what waits until stopped; a disk that fails ends the process."""
        watch = asyncio.create_task(self._wake_at(stop))
        try:
            while self._waiting or not stop.is_set():
                if self._waiting:
                    supervisor.beat()
                    await self._write([self._waiting.popleft() for _ in range(self._room())])
                else:
                    self._arrived.clear()
                    if not stop.is_set():
                        supervisor.idle()
                        await self._arrived.wait()
        finally:
            watch.cancel()

    async def oldest(self, most: int) -> list[Kept]:
        """The next ones to be brought to PostgreSQL; what cannot be opened is set aside."""
        entries = await self._in_thread(self._file.oldest, most)
        opened = [(entry, self._opened(entry)) for entry in entries]
        lost = [entry.number for entry, request in opened if request is None]
        if lost:
            log.error("spool_entries_damaged", spool=str(self.id), entries=len(lost))
            await self._in_thread(self._file.set_aside, lost)
        return [Kept(e.number, e.source, request) for e, request in opened if request is not None]

    async def forget(self, numbers: Sequence[int]) -> None:
        """PostgreSQL has these."""
        await self._in_thread(self._file.remove, numbers)

    async def set_aside(self, numbers: Sequence[int]) -> None:
        await self._in_thread(self._file.set_aside, numbers)

    async def take_up(self) -> None:
        """Try again what was set aside."""
        await self._in_thread(self._file.take_up)

    async def close(self) -> None:
        await self._in_thread(self._file.close)
        self._thread.shutdown(wait=False)

    def _room(self) -> int:
        return min(len(self._waiting), BATCH)

    async def _write(self, batch: Sequence[Waiter]) -> None:
        """Durable for all of them, or for none."""
        live = [waiter for waiter in batch if not waiter.durable.done()]
        if not live:
            return
        try:
            await self._in_thread(self._file.add, [waiter.entry for waiter in live])
        except SpoolFull as error:
            if len(live) > 1:
                await self._write(live[: len(live) // 2])
                await self._write(live[len(live) // 2 :])
            else:
                _fail(live, str(error))
        except SpoolBroken as error:
            self._broken = str(error)
            _fail([*live, *self._waiting], str(error))
        else:
            faultpoint("spool.synced")
            for waiter in live:
                if not waiter.durable.done():
                    waiter.durable.set_result(None)

    async def _in_thread(self, work: Callable[P, R], *values: P.args, **named: P.kwargs) -> R:
        try:
            job = partial(work, *values, **named)
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        except SpoolBroken as error:
            log.critical("spool_broken", spool=str(self.id), error=str(error))
            self._broken = str(error)
            self._fatal(str(error))
            raise

    def _sealed(self, source: str, request: RawRequest) -> New:
        assert request.id is not None
        sealed = self._vault.seal(orjson.dumps(_written(request)), context=_context(request.id))
        return New(request.id, source, request.received_at.timestamp(), sealed)

    def _opened(self, entry: Entry) -> RawRequest | None:
        try:
            plain = self._vault.open(entry.sealed, context=_context(entry.request))
            return _read(orjson.loads(plain))
        except (Unopenable, ValueError, KeyError, TypeError) as error:
            log.warning("spool_entry_unreadable", request_id=str(entry.request), error=str(error))
            return None

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._arrived.set()


def _fail(waiters: Sequence[Waiter], why: str) -> None:
    for waiter in waiters:
        if not waiter.durable.done():
            waiter.durable.set_exception(StoreUnavailable(why))


def _context(request_id: UUID) -> str:
    return f"spool:{request_id}"


def _written(request: RawRequest) -> Mapping[str, Any]:
    """What came on the wire may hold any byte, which JSON text cannot."""
    return {
        "id": str(request.id),
        "method": request.method,
        "path": _encoded(request.path),
        "query": _encoded(request.query),
        "headers": [[name, _encoded(value)] for name, value in request.headers],
        "body": base64.b64encode(request.body).decode(),
        "received_at": request.received_at.isoformat(),
        "peer": request.peer,
        "tail": _encoded(request.tail),
        "url": request.url,
    }


def _read(said: Mapping[str, Any]) -> RawRequest:
    return RawRequest(
        id=UUID(said["id"]),
        method=said["method"],
        path=_decoded(said["path"]),
        query=_decoded(said["query"]),
        headers=[(name, _decoded(value)) for name, value in said["headers"]],
        body=base64.b64decode(said["body"]),
        received_at=datetime.fromisoformat(said["received_at"]),
        peer=said["peer"],
        tail=_decoded(said["tail"]),
        url=said["url"],
    )


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()


def _decoded(value: str) -> str:
    return base64.b64decode(value).decode("utf-8", "surrogateescape")
