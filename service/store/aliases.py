"""Claims that subjects go by other names: locked by name, read, made and taken back."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from service.domain.errors import StoreUnavailable
from service.domain.events import Alias, Subject
from service.domain.names import Book, Claim, Kind, Name
from service.store import sql
from service.store.folding import name_columns
from service.store.pool import Connection

SQL = sql.load("aliases")


@dataclass(frozen=True, slots=True)
class Standing:
    """A claim that nobody took back."""

    id: int
    subject: Subject
    root: int
    """The subject that stands for the claimed one today."""
    kind: Kind
    claimant: str
    made_at: datetime

    def claim(self, name: Name) -> Claim:
        return Claim(name, self.root, self.kind, self.claimant)


async def lock(tx: Connection, lifecycle: str, aliases: Iterable[Alias]) -> None:
    """Let nobody else read, make or take back claims on these names; before locking subjects."""
    await lock_names(tx, [Name(lifecycle, *alias) for alias in aliases])


async def lock_names(tx: Connection, names: Collection[Name]) -> None:
    if names:
        await tx.execute(SQL["lock"], *name_columns(names))


async def lock_late(tx: Connection, names: Collection[Name]) -> None:
    """The same with subjects locked already: who waited now could wait for ever, so never wait."""
    if names and not await tx.fetchval(SQL["lock_late"], *name_columns(names)):
        raise StoreUnavailable("The names of this subject are being changed; try again at once.")


async def claims(tx: Connection, lifecycle: str, alias: Alias) -> list[Standing]:
    """Every standing claim on a name, the oldest first."""
    rows = await tx.fetch(SQL["claims"], *name_columns([Name(lifecycle, *alias)]))
    return [
        Standing(
            id=row["id"],
            subject=Subject(row["lifecycle"], row["scope"], row["ref"]),
            root=row["root"],
            kind=row["kind"],
            claimant=row["claimant"],
            made_at=row["made_at"],
        )
        for row in rows
    ]


async def book(tx: Connection, names: Collection[Name]) -> Book:
    """All standing claims on locked names."""
    found: dict[Name, set[Claim]] = {name: set() for name in names}
    for row in await tx.fetch(SQL["claims"], *name_columns(names)):
        name = Name(row["lifecycle"], row["type"], row["value"])
        found[name].add(Claim(name, row["root"], row["kind"], row["claimant"]))
    return {name: frozenset(said) for name, said in found.items()}
