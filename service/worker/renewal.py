"""One renewal for all processes: a refused token comes in, one that is saved goes out.

The row is held locked while the token server is asked. A refresh token may serve once: what an
answer gave is committed before anybody uses it, and kept in memory while PostgreSQL is away.
"""

import asyncio
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta

import aiohttp
import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from service.domain.errors import Conflict, DataRejected, StoreUnavailable
from service.store import tokens
from service.store.pool import Connection, Pool, session, transaction
from service.store.tokens import Row
from service.vault import Unopenable, Vault
from service.worker.crms import client
from service.worker.crms.base import Answer, Class
from service.worker.crms.client import Clock
from service.worker.grants import OPERATION, Grant, Granted

log = structlog.get_logger()

MOST_ANSWER = 256 * 1024
REFUSALS, WITHIN = 5, 60.0
"""More tokens than this, refused in so many seconds, are not refused for their age."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is sealed into the row."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    said: dict[str, str]
    margin: float
    """Seconds before its end at which it is renewed."""
    rotates: bool
    """Whether its refresh token serves once."""


KEPT = TypeAdapter(Kept)


@dataclass(frozen=True, slots=True)
class Held:
    """A token that is saved and may be used."""

    kept: Kept
    until: float | None
    """When it is to be renewed, by the loop's clock; None: when it is refused."""

    def serves(self, refused: str | None) -> bool:
        return self.kept.access != refused and (self.until is None or now() < self.until)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What was given, and may not be used before it is saved."""

    kept: Kept
    ends: float | None
    generation: int
    """Of the row it replaces."""


@dataclass(slots=True)
class Renewal:
    """What one process does for the tokens of one destination; one `run` at a time."""

    grant: Grant
    pool: Pool = field(repr=False)
    http: aiohttp.ClientSession = field(repr=False)
    vault: Vault = field(repr=False)
    clock: Clock = field(repr=False)
    within: timedelta
    """How long one exchange may take."""
    fresh: Fresh | None = field(default=None, repr=False)
    seen: bool = False
    """Whether this process ever held a token of these credentials."""
    lost: bool = False
    """Whether an answer was lost that would have carried the next refresh token."""
    refusals: deque[float] = field(default_factory=lambda: deque(maxlen=REFUSALS))

    async def run(self, refused: str | None) -> Held | Answer:
        """A token that serves; never raises for the token server, the network or PostgreSQL."""
        try:
            found = await self._known(refused) or await self._renewed(refused)
        except (StoreUnavailable, DataRejected, Conflict) as error:
            return passing(str(error))
        self.seen = self.seen or isinstance(found, Held)
        return found

    async def _known(self, refused: str | None) -> Held | None:
        async with session(self.pool) as connection:
            row = await tokens.find(connection, self.grant.destination)
        return self._usable(row, refused) if row is not None else None

    async def _renewed(self, refused: str | None) -> Held | Answer:
        async with transaction(self.pool) as tx:
            row = await tokens.lock(tx, self.grant.destination, exchange=self.within)
            held = self._usable(row, refused)
            if held is not None:
                self.fresh = None
                return held
            fresh = self._unsaved(row) or await self._given(row, refused)
            if isinstance(fresh, Answer):
                return fresh
            self.fresh = fresh
            generation = await self._save(tx, fresh)
        self.fresh, self.lost = None, False
        log.info("token_renewed", destination=self.grant.destination, generation=generation)
        ends, margin = fresh.ends, fresh.kept.margin
        return Held(fresh.kept, None if ends is None else ends - margin)

    def _usable(self, row: Row, refused: str | None) -> Held | None:
        """What the row holds, if it serves."""
        kept = self._opened(row)
        if kept is None or isinstance(kept, Unopenable):
            return None
        left = row.remaining
        until = None if left is None else now() + left.total_seconds() - kept.margin
        held = Held(kept, until)
        return held if held.serves(refused) else None

    def _opened(self, row: Row) -> Kept | Unopenable | None:
        """None when there is nothing of these credentials."""
        if row.generation == 0 or row.origin != self.grant.origin():
            return None
        try:
            plain = self.vault.open(row.sealed, context=_context(self.grant))
            return KEPT.validate_json(plain)
        except Unopenable as error:
            return error
        except ValidationError:
            return Unopenable("It was sealed by another version.")

    def _unsaved(self, row: Row) -> Fresh | None:
        """What could not be saved before, unless another process got further."""
        fresh = self.fresh
        return fresh if fresh is not None and fresh.generation == row.generation else None

    async def _given(self, row: Row, refused: str | None) -> Fresh | Answer:
        before = self._opened(row)
        obstacle = self._obstacle(row, before, refused)
        if obstacle is not None:
            return obstacle
        kept = before if isinstance(before, Kept) else None
        refresh = kept.refresh if kept is not None and kept.refresh else self.grant.first()
        rotates = self.grant.oauth.rotating or (kept is not None and kept.rotates)
        began = now()
        call = self.grant.call(refresh, now=self.clock(), rotates=rotates)
        reply = await client.exchange(
            self.http, call, within=self.within, clock=self.clock, most=MOST_ANSWER
        )
        match self.grant.judge(reply):
            case Answer() as answer:
                return self._explained(answer, reply, rotates=rotates)
            case granted:
                kept = _kept(granted, refresh, rotates=rotates)
                life = granted.lifetime
                ends = None if life is None else began + life.total_seconds()
                return Fresh(kept, ends, row.generation)

    def _obstacle(
        self, row: Row, before: Kept | Unopenable | None, refused: str | None
    ) -> Answer | None:
        """Why the token server must not be asked."""
        if row.generation > 0 and row.origin != self.grant.origin() and self.seen:
            return passing(
                "Another process has signed in with other credentials than this one knows: "
                "reload it, so that it reads the same configuration."
            )
        if isinstance(before, Unopenable) and self.grant.oauth.rotating:
            mend = f"Put the key back into server.keys, or: {self.grant.remedy()}"
            return _failed(Class.HUMAN, f"The kept refresh token cannot be opened. {before} {mend}")
        if refused is not None:
            full = len(self.refusals) == REFUSALS and self.refusals[0] > now() - WITHIN
            if full:
                detail = "Fresh tokens are refused as well: look at the rights of the app there."
                return _failed(Class.AUTH, detail)
            self.refusals.append(now())
        return None

    def _explained(
        self, answer: Answer, reply: client.Reply | client.Failure, *, rotates: bool
    ) -> Answer:
        """Remember a lost answer, for it explains the refusal that may follow."""
        match reply:
            case client.Failure(kind=Class.UNKNOWN_OUTCOME) | client.Reply(body=None) if rotates:
                self.lost = True
            case client.Reply() if self.lost and answer.kind is Class.HUMAN:
                why = (
                    "The answer to an earlier renewal was lost, and the new refresh token with it."
                )
                return replace(answer, detail=f"{why} {answer.detail}")
        return answer

    async def _save(self, tx: Connection, fresh: Fresh) -> int:
        plain = orjson.dumps(asdict(fresh.kept))
        left = None if fresh.ends is None else timedelta(seconds=fresh.ends - now())
        return await tokens.keep(
            tx,
            self.grant.destination,
            sealed=self.vault.seal(plain, context=_context(self.grant)),
            origin=self.grant.origin(),
            lifetime=left,
        )


def passing(detail: str) -> Answer:
    """No token now; there may be one a little later."""
    return _failed(Class.TRANSIENT, detail)


def now() -> float:
    """The loop's clock: spans only."""
    return asyncio.get_running_loop().time()


def _failed(kind: Class, detail: str) -> Answer:
    return Answer(kind, OPERATION, detail=detail, tried=False)


def _kept(granted: Granted, refresh: str | None, *, rotates: bool) -> Kept:
    following = granted.refresh or refresh
    changed = granted.refresh is not None and granted.refresh != refresh
    return Kept(
        granted.access,
        following,
        dict(granted.said),
        granted.margin.total_seconds(),
        rotates or changed,
    )


def _context(grant: Grant) -> str:
    return f"tokens/{grant.destination}"
