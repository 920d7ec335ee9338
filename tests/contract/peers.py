"""A simulated CRM and the adapter that talks to it: a dialect comes in, a `Peer` goes out.

async with peers.peer(HubSpot) as peer:
    entry = peer.dialect.seed("1001", status="new")
    [answer] = await peer.crm.write_batch([peer.write("1001", "paid", remote_id=entry.id)])
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from pydantic import JsonValue

from service.domain.budget import Hint
from service.domain.events import Subject
from service.sandbox.behaviour import Behaviour
from service.sandbox.dialects.base import Dialect, running
from service.sandbox.dialects.meters import Rolling
from service.sandbox.dialects.oauth import OAuthDesk
from service.settings import Destination
from service.settings.secrets import References
from service.worker.crms import registry
from service.worker.crms.base import (
    Answer,
    Change,
    Class,
    Known,
    Record,
    Records,
    Target,
    Value,
    Wanted,
    Write,
)
from service.worker.crms.client import open_session
from service.worker.crms.kind import Tools

AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
WITHIN = timedelta(seconds=20)
NO_HANG = 10.0
"""Seconds: far above the time-outs here, whatever else a machine does, and far below for ever."""
YES = {"true", "1", "y", "yes"}
NO = {"false", "0", "n", "no", "", None}
AWKWARD = (
    "10.01",
    "O'Brien",
    'say "x"',
    "' OR '1'='1",
    "50%",
    "50%_",
    "a b",
    "a+b",
    "a&b=c",
    "a/b?c#d",
    "[x]{y}",
    "a,b;c",
    "back\\slash",
    "<b>&amp;",
    "№ 7/ä",
    "日本語",
)


@dataclass
class Time:
    """A clock that stands until it is moved; the peer and the adapter share it."""

    at: datetime = AT

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Purse:
    """A budget without end that counts; `empty` answers that there is nothing to spend."""

    spent: Counter[str] = field(default_factory=Counter)
    hints: list[Hint] = field(default_factory=list)
    empty: timedelta | None = None

    async def spend(self, costs: Mapping[str, float]) -> timedelta | None:
        if self.empty is None:
            for name, cost in costs.items():
                self.spent[name] += cost  # type: ignore[assignment]
        return self.empty

    def learn(self, hints: Sequence[Hint]) -> None:
        self.hints.extend(hints)


@dataclass
class Lent:
    """Access tokens straight from the peer's desk; `dead` when the app was removed there."""

    desk: OAuthDesk
    dead: bool = False
    renewed: int = -1
    _token: str = ""

    async def access(self, *, refused: str | None = None) -> str | Answer:
        if self.dead:
            return Answer(Class.AUTH, "token", detail="The app was removed.")
        if refused == self._token or not self._token:
            self._token = self.desk.issue()
            self.renewed += 1
        return self._token

    async def said(self, name: str) -> str | None:
        value = self.desk.extra.get(name)
        return None if value is None else str(value)


@dataclass
class Peer:
    """One simulated CRM that runs, and the adapter configured for it."""

    dialect: Dialect
    url: str
    time: Time
    session: aiohttp.ClientSession
    purse: Purse = field(default_factory=Purse)
    tokens: Lent | None = None

    def __post_init__(self) -> None:
        self.table: dict[str, Any] = dict(self.dialect.destination(self.url))
        self.crm = self.adapter()

    def adapter(self, **changes: Any) -> Records:
        """An adapter whose table differs from the usual one, as `url=…` or `timeout="1s"`."""
        destination = configured({"timeout": WITHIN, **self.table, **changes})
        if destination.oauth and not self.tokens:
            assert self.dialect.desk, f"{self.dialect.name} gives tokens but has no desk"
            self.tokens = Lent(self.dialect.desk)
        kind = registry.crms_by_name()[destination.crm]
        lent = self.tokens if destination.oauth else None
        crm = kind.build(destination, Tools(self.session, self.time, self.purse, lent))
        assert isinstance(crm, Records)
        return crm

    @property
    def target(self) -> Target:
        return self.crm.targets["order"]

    @property
    def texts(self) -> list[str]:
        """The fields tests read and write."""
        return [self.dialect.text_field, self.dialect.number_field, self.dialect.bool_field]

    def wanted(self, key: str) -> Wanted:
        return Wanted(self.target, key, self.texts)

    def known(self, remote_id: str) -> Known:
        return Known(self.target, remote_id, self.texts)

    def write(self, key: str, status: str | None = None, **overrides: Any) -> Write:
        """A write of the order `key`; `fields`, `remote_id`, `token`, `create`, `version`."""
        version = overrides.pop("version", 1)
        return Write(change(key, version), self.target, key, status, **overrides)

    async def wrote(self, key: str, status: str | None = None, **overrides: Any) -> Answer:
        [answer] = await self.crm.write_batch([self.write(key, status, **overrides)])
        return answer

    async def found(self, key: str) -> Sequence[Record] | Answer:
        [found] = await self.crm.find([self.wanted(key)])
        return found

    async def read(self, remote_id: str) -> Record | Answer:
        [read] = await self.crm.read_many([self.known(remote_id)])
        return read

    def some_id(self) -> str:
        """The id of the record `1001`, made if it is not there."""
        entries = list(self.dialect.book.entries.values())
        entry = entries[0] if entries else self.dialect.seed("1001", status=self.dialect.stages[0])
        return entry.id

    def be(self, mode: Any, **how: Any) -> None:
        """The next calls end badly: `hang`, `reset`, `garbage`, `endless`, `redirect`, `status`."""
        self.dialect.mood.change(Behaviour(mode=mode, **how))

    def well(self) -> None:
        self.dialect.mood.change(Behaviour())

    def boundless(self) -> None:
        """The vendor counts no more."""
        self.dialect.meters = {
            name: Rolling(count=float("inf"), seconds=1) for name in self.dialect.meters
        }

    def secrets(self) -> list[str]:
        """What must never be seen in an answer."""
        flat = [self.table, self.table.get("oauth") or {}]
        texts = [value for table in flat for value in table.values() if isinstance(value, str)]
        return [text.removeprefix("plain:") for text in texts if text.startswith("plain:")]


def configured(table: Mapping[str, Any]) -> Destination:
    """The destination as it would come from a file; `plain:` secrets are allowed."""
    context = References({}, Path(), sandbox=True)
    return Destination.model_validate({"name": "crm", **table}, context=context)


def change(ref: str = "1001", version: int = 1, /, **overrides: Any) -> Change:
    """Order `ref` was paid, unless told otherwise."""
    subject = Subject("order", "", ref)
    usual: dict[str, Any] = {
        "subject": subject,
        "status": "paid",
        "previous": None,
        "lanes": {"payment": "paid"},
        "attributes": {},
        "version": version,
        "event_ids": [UUID(int=version)],
        "occurred_at": AT,
        "changed_at": AT,
        "key": f"crm:{subject}:{version}",
    }
    return Change(**{**usual, **overrides})


@asynccontextmanager
async def peer(kind: type[Dialect]) -> AsyncIterator[Peer]:
    time = Time()
    dialect = kind(clock=time)
    async with running(dialect) as url, open_session(8) as session:
        yield Peer(dialect, url, time, session)


def same(ours: Value, theirs: str | None) -> bool:
    """Whether a field read back shows what was written, however the CRM spells it."""
    match ours:
        case bool():
            return (theirs and theirs.lower()) in (YES if ours else NO)
        case Decimal():
            return theirs is not None and Decimal(theirs) == ours
        case str():
            return theirs == ours


@asynccontextmanager
async def hostile(answer: bytes, *, again: bytes = b"", pause: float = 0.0) -> AsyncIterator[str]:
    """A server that says `answer` to every call, then `again` for ever; yields its URL."""
    open_writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            while again:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(pause)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


def http(body: bytes, *, status: str = "200 OK", head: str = "") -> bytes:
    """A whole answer that says JSON."""
    length = f"Content-Length: {len(body)}\r\n" if "Content-Length" not in head else ""
    lines = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{length}{head}"
    return f"{lines}Connection: close\r\n\r\n".encode() + body


def moved(peer: Peer, url: str) -> Records:
    """The adapter with every address of the peer turned to another server."""
    text = {name: _turned(value, peer.url, url) for name, value in peer.table.items()}
    return peer.adapter(**text)


def _turned(value: JsonValue, old: str, new: str) -> JsonValue:
    match value:
        case str():
            return value.replace(old, new)
        case dict():
            return {name: _turned(each, old, new) for name, each in value.items()}
        case _:
            return value


Asked = Callable[[Records, Peer, str], Awaitable[Sequence[object]]]


async def _find(crm: Records, peer: Peer, remote_id: str) -> Sequence[object]:
    return await crm.find([peer.wanted("1001")])


async def _write(crm: Records, peer: Peer, remote_id: str) -> Sequence[object]:
    row = peer.write("1001", peer.dialect.stages[1], remote_id=remote_id)
    return await crm.write_batch([row])


async def _create(crm: Records, peer: Peer, remote_id: str) -> Sequence[object]:
    row = peer.write("2002", peer.dialect.stages[1], create=True)
    return await crm.write_batch([row])


async def _read(crm: Records, peer: Peer, remote_id: str) -> Sequence[object]:
    return await crm.read_many([peer.known(remote_id)])


async def _read_back(crm: Records, peer: Peer, remote_id: str) -> Sequence[object]:
    since = AT - timedelta(days=1)
    return [await crm.read_back(peer.target, peer.texts, since=since, cursor=None)]


async def _note(crm: Records, peer: Peer, remote_id: str) -> Sequence[object]:
    return [await crm.note(peer.known(remote_id), "A note.")]


READS: Mapping[str, Asked] = {"find": _find, "read": _read, "read_back": _read_back}
WRITES: Mapping[str, Asked] = {"write": _write, "create": _create, "note": _note}


def can(crm: Records, way: str) -> bool:
    match way:
        case "create":
            return crm.capabilities.creates
        case "note":
            return crm.capabilities.notes
        case "read_back":
            return crm.capabilities.feed
        case _:
            return True


OTHERS: tuple[JsonValue, ...] = (None, 7, "x", [], {}, [None], True)


def bends(body: JsonValue, *, most: int = 400) -> list[JsonValue]:
    """True answers with one place changed to something else, or taken away."""
    found = [_put(body, path, other) for path in _paths(body) for other in OTHERS]
    found += [_without(body, path) for path in _paths(body) if path]
    return found[:: max(1, len(found) // most)]


def _paths(body: JsonValue) -> list[tuple[Any, ...]]:
    parts: list[tuple[Any, JsonValue]] = []
    match body:
        case dict():
            parts = list(body.items())
        case list():
            parts = list(enumerate(body))
        case _:
            pass
    return [(), *((name, *rest) for name, each in parts for rest in _paths(each))]


def _put(body: Any, path: tuple[Any, ...], other: JsonValue) -> JsonValue:
    if not path:
        return other
    copy = body.copy()
    copy[path[0]] = _put(copy[path[0]], path[1:], other)
    return copy  # type: ignore[no-any-return]


def _without(body: Any, path: tuple[Any, ...]) -> JsonValue:
    copy = body.copy()
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = _without(copy[path[0]], path[1:])
    return copy  # type: ignore[no-any-return]
