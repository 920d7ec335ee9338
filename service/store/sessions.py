"""Sessions of the console: digests of cookies in, whose they are out."""

from dataclasses import dataclass, field
from datetime import timedelta

from service.store import actions, sql
from service.store.pool import Pool, session, transaction

SQL = sql.load("sessions")


@dataclass(frozen=True, slots=True)
class Whose:
    actor: str
    role: str


@dataclass(frozen=True, slots=True)
class Departure:
    """What is remembered of somebody who went to the identity provider."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    wanted: str


async def begin(
    pool: Pool, digest: bytes, whose: Whose, *, link: str | None, lasts: timedelta
) -> bool:
    """Whether a session began; no link begins two."""
    async with transaction(pool) as tx:
        await tx.execute(SQL["forget"])
        began = await tx.fetchval(SQL["begin"], digest, link, whose.actor, whose.role, lasts)
        if began:
            detail = {"role": whose.role}
            await actions.record(
                tx, whose.actor, "console.sign_in", target="console", detail=detail
            )
    return bool(began)


async def find(pool: Pool, digest: bytes, *, idle: timedelta, used: bool = True) -> Whose | None:
    """Whose session this is, unless it ended, ran out, or nobody used it for `idle`.

    What a page asks by itself is no use of it.
    """
    async with session(pool) as connection:
        row = await connection.fetchrow(SQL["find"], digest, idle)
        if row is None:
            return None
        if used and row["stale"]:
            await connection.execute(SQL["see"], digest)
    return Whose(row["actor"], row["role"])


async def end(pool: Pool, digest: bytes) -> None:
    async with transaction(pool) as tx:
        if actor := await tx.fetchval(SQL["end"], digest):
            await actions.record(tx, actor, "console.sign_out", target="console", detail={})


async def depart(
    pool: Pool, state: bytes, browser: bytes, departure: Departure, *, lasts: timedelta
) -> None:
    """Remember, under the digests of a state and of a cookie."""
    async with transaction(pool) as tx:
        await tx.execute(SQL["tidy"])
        left = (departure.nonce, departure.verifier, departure.wanted)
        await tx.execute(SQL["depart"], state, browser, *left, lasts)


async def arrive(pool: Pool, state: bytes, browser: bytes) -> Departure | None:
    """What was remembered, once; None for anybody else, and for whoever comes too late."""
    async with session(pool) as connection:
        row = await connection.fetchrow(SQL["arrive"], state, browser)
    return Departure(row["nonce"], row["verifier"], row["wanted"]) if row else None
