"""Entries of a spool are damaged on the disk, found so, and mended from a copy later."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from tests.torture.faults.base import CUT, SHED, Fault, Target, up
from tests.torture.plant import Plant, Role

NEWEST = "SELECT number, sealed FROM entries ORDER BY number DESC LIMIT 3"
WRITE = "UPDATE entries SET sealed = ? WHERE number = ?"


class TornTail(Fault):
    """PostgreSQL is down, the last entries of the spools end in the middle, all comes up again.

    What cannot be read must be kept: once it is mended it counts like everything else.
    """

    code, name = "F32", "the tail of a spool torn and mended"
    target: ClassVar[Target] = "postgres"
    seconds = (2.0, 4.0)
    lawful = CUT | SHED

    async def inject(self, plant: Plant) -> str:
        self.victims = plant.gateways
        self.torn: list[tuple[Path, int, bytes]] = []
        await up(self.victims)
        plant.kills["postgres"] += 1
        plant.postgres.may_run.clear()
        plant.postgres.kill()
        await asyncio.sleep(3)
        await down(self.victims)
        for path in sorted((plant.folder / "data" / "spool").glob("*.db")):
            self.torn += tear(path)
        plant.postgres.may_run.set()
        await plant.postgres.answers()
        await again(self.victims)
        await self._noticed()
        return f"{len(self.torn)} entries"

    async def _noticed(self) -> None:
        """Until each was tried and set aside, or is gone."""
        async with asyncio.timeout(60):
            while any(is_unread(path, number) for path, number, _ in self.torn):
                await asyncio.sleep(0.2)

    async def heal(self, plant: Plant) -> None:
        plant.postgres.may_run.set()
        await plant.postgres.answers()
        await down(self.victims)
        for path, number, sealed in self.torn:
            with closing(sqlite3.connect(path, timeout=5)) as db, db:
                db.execute(WRITE, (sealed, number))
        await again(self.victims)


def tear(path: Path) -> list[tuple[Path, int, bytes]]:
    """Cut the newest entries in the middle; returns what they were."""
    with closing(sqlite3.connect(path, timeout=5)) as db, db:
        found = [(path, int(number), bytes(sealed)) for number, sealed in db.execute(NEWEST)]
        db.executemany(WRITE, [(sealed[: len(sealed) // 2], n) for _, n, sealed in found])
    return found


def is_unread(path: Path, number: int) -> bool:
    with closing(sqlite3.connect(path, timeout=5)) as db:
        row = db.execute("SELECT damaged FROM entries WHERE number = ?", (number,)).fetchone()
    return row is not None and not row[0]


async def down(roles: list[Role]) -> None:
    """End them; nobody starts them until `again`."""
    for role in roles:
        role.may_run.clear()
        role.kill()
    async with asyncio.timeout(20):
        while not all(role.program.ended for role in roles):
            await asyncio.sleep(0.02)


async def again(roles: list[Role]) -> None:
    for role in roles:
        role.may_run.set()
    await up(roles)
