"""What the ring of `server.keys` seals itself, data keys and tokens; told, and sealed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.store import actions, sql
from service.store.pool import Connection, Pool, session, transaction
from service.vault import Unopenable, Vault

SQL = sql.load("data_keys")

Kind = Literal["data key", "access token"]
BLOCKS: Mapping[Kind, tuple[str, str]] = {
    "data key": ("data_key", "data_keys"),
    "access token": ("token", "tokens"),
}
"""The name of each kind in the SQL, and where its texts belong to."""


@dataclass(frozen=True, slots=True)
class Held:
    """One sealed key or token, and which key of the ring it needs."""

    kind: Kind
    name: str
    made_at: datetime
    generation: int
    by: Literal["first", "older", "none"]
    """`none`: no key of the ring opens it."""


async def held(pool: Pool, vault: Vault | None) -> list[Held]:
    """Everything that is sealed, and by which key of the ring, if there is one."""
    async with session(pool) as connection:
        rows = [row for _, table in BLOCKS.values() for row in await connection.fetch(SQL[table])]
    return [
        Held(
            row["kind"],
            row["name"],
            row["made_at"],
            row["generation"],
            _by(vault, row["sealed"], _context(row["kind"], row["name"])),
        )
        for row in rows
    ]


async def rotate(pool: Pool, vault: Vault, *, actor: str) -> Sequence[Held]:
    """Seal with the first key what an older one sealed; what was sealed stays as it is.

    One row at a time: nobody waits for it, and what is broken off goes on another time.
    """
    done = [each for each in await held(pool, vault) if each.by == "older"]
    for each in done:
        async with transaction(pool) as tx:
            await _rewrap(tx, vault, each)
    if done:
        async with transaction(pool) as tx:
            detail = {"first_key": vault.id, "rewrapped": len(done)}
            await actions.record(tx, actor, "keys.rotate", target="server.keys", detail=detail)
    return done


async def _rewrap(tx: Connection, vault: Vault, each: Held) -> None:
    block, _ = BLOCKS[each.kind]
    sealed = await tx.fetchval(SQL[f"lock_{block}"], each.name)
    if sealed is None or vault.is_current(sealed):
        return
    context = _context(each.kind, each.name)
    plain = vault.open(sealed, context=context)
    await tx.execute(SQL[f"wrap_{block}"], each.name, vault.seal(plain, context=context))


def _by(vault: Vault | None, sealed: bytes, context: str) -> Literal["first", "older", "none"]:
    if vault is None:
        return "none"
    try:
        vault.open(sealed, context=context)
    except Unopenable:
        return "none"
    return "first" if vault.is_current(sealed) else "older"


def _context(kind: Kind, name: str) -> str:
    return f"{BLOCKS[kind][1]}/{name}"
