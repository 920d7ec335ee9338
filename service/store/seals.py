"""Raw requests at rest: plain parts in, what a row keeps of them out, and back.

Each day has a data key of its own, wrapped by the first of `server.keys` and opened by any of them.
Path, query and headers are sealed along with the body, because senders put secrets and people's
names there, too. Without keys everything is kept as it came.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Any, Protocol, Self

import asyncpg
import orjson

from service.domain.errors import OrderhookError, StoreUnavailable
from service.store import ids, sql
from service.store.pool import Connection, Pool, session
from service.vault import KEY, Unopenable, Vault

SQL = sql.load("seals")

Row = Mapping[str, Any]

KEPT = "kept"
"""Names the data key of requests that are kept beyond their day."""
LENGTH = 4

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class Sealed(OrderhookError):
    """A kept request cannot be opened here; the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Content:
    """What of a request can tell of people or hold secrets."""

    path: str = field(repr=False)
    query: str = field(repr=False)
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class Holder(Protocol):
    """A request or a capture, not yet stored."""

    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """The same as its row holds it."""

    content: Content
    sealed_with: str | None


class Seals:
    """The data keys of an installation, opened once and remembered.

    `vault` may be swapped on a reload; None neither seals nor opens.
    """

    def __init__(self, vault: Vault | None = None) -> None:
        self.vault = vault
        self._known: dict[str, Vault] = {}

    @classmethod
    def of(cls, ring: Sequence[bytes]) -> Self:
        return cls(Vault(ring) if ring else None)

    def adopt(self, other: "Seals") -> None:
        """Go on with the keys of a new configuration."""
        self.vault, self._known = other.vault, {}

    async def ready(self, pool: Pool, of: str) -> str | None:
        """Name the data key of a day, made if nobody made it before; None where nothing is sealed.

        Who seals with another first key has another data key: keys are changed process by process.
        """
        if self.vault is None:
            return None
        name = f"{of}-{self.vault.id}"
        if name not in self._known:
            fresh = self.vault.seal(token_bytes(KEY), context=_context(name))
            async with session(pool) as connection:
                await connection.execute(SQL["make"], name, fresh)
                try:
                    await self._learn(connection, [name])
                except Sealed as error:
                    raise StoreUnavailable(str(error)) from error
        return name

    def seal(self, holder: Holder, name: str | None, *, context: str) -> Kept:
        """Seal with a data key that is ready; None leaves all as it came."""
        if name is None:
            return Kept(Content(holder.path, holder.query, holder.headers, holder.body), None)
        head = orjson.dumps([holder.path, holder.query, holder.headers])
        packed = len(head).to_bytes(LENGTH) + head + holder.body
        return Kept(Content("", "", {}, self._known[name].seal(packed, context=context)), name)

    async def open(
        self, tx: Connection, rows: Sequence[Row | asyncpg.Record], *, kind: str
    ) -> list[dict[str, Any]]:
        """The rows with path, query, headers and body as they came; raises Sealed."""
        await self._learn(tx, {row["sealed_with"] for row in rows} - {None, *self._known})
        return [self._opened(dict(row), kind) for row in rows]

    def _opened(self, row: dict[str, Any], kind: str) -> dict[str, Any]:
        name = row.pop("sealed_with")
        if name is None:
            return row
        key = self._known.get(name)
        if key is None:
            raise Sealed(
                f"The data key {name} was erased, and with it what was sealed by it: such requests"
                " can be neither shown nor replayed any more."
            )
        try:
            packed = key.open(row["body"], context=f"{kind}/{row['id']}")
        except Unopenable as error:
            raise Sealed(f"The body of {kind}/{row['id']} cannot be opened. {error}") from None
        end = LENGTH + int.from_bytes(packed[:LENGTH])
        path, query, headers = orjson.loads(packed[LENGTH:end])
        return {**row, "path": path, "query": query, "headers": headers, "body": packed[end:]}

    async def _learn(self, connection: Connection, names: Iterable[str]) -> None:
        if not (wanted := sorted(names)):
            return
        for row in await connection.fetch(SQL["find"], wanted):
            self._known[row["name"]] = Vault([self._unwrapped(row["name"], row["wrapped"])])

    def _unwrapped(self, name: str, wrapped: bytes) -> bytes:
        if self.vault is None:
            raise Sealed(
                f"Requests are sealed with the data key {name}, and this configuration has no"
                " server.keys: add the key that was there when they came."
            )
        try:
            return self.vault.open(wrapped, context=_context(name))
        except Unopenable as error:
            raise Sealed(
                f"No key of server.keys opens the data key {name}: add the key that was there when"
                f" it was made, behind the present ones. ({error})"
            ) from None


PLAIN = Seals()
"""Seals nothing, and opens only what is not sealed."""


def today() -> str:
    """The day by the clock that makes ids: what is sealed with its key is never younger."""
    return day(datetime.fromtimestamp(ids.made_at(ids.new_id()), UTC))


def day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%d}"


def _context(name: str) -> str:
    return f"data_keys/{name}"
