"""Day partitions of the tables that grow: made ahead, so that no insert waits for them."""

from datetime import UTC, datetime, timedelta

from service.store import ids, sql
from service.store.pool import Connection, Pool, transaction

SQL = sql.load("partitions")

TABLES = ("requests", "events", "event_outcomes", "transitions", "attempts")
DAYS_AHEAD = 7


async def ensure(pool: Pool) -> int:
    """Make the partitions of today and the next days; returns how many days stand ahead."""
    async with transaction(pool) as connection:
        await connection.execute(SQL["lock"])
        today: datetime = await connection.fetchval(SQL["today"])
        present = {row["name"] for row in await connection.fetch(SQL["present"])}
        for day in (today + timedelta(days=n) for n in range(DAYS_AHEAD + 1)):
            for table in TABLES:
                if (name := f"{table}_{day:%Y%m%d}") not in present:
                    await connection.execute(_create(table, name=name, day=day))
    return DAYS_AHEAD


async def ahead(tx: Connection) -> int:
    """How many days from today on have a partition of every table; -1 when today has none."""
    today: datetime = await tx.fetchval(SQL["today"])
    present = {row["name"] for row in await tx.fetch(SQL["present"])}
    days = -1
    while all(f"{table}_{today + timedelta(days=days + 1):%Y%m%d}" in present for table in TABLES):
        days += 1
    return days


def _create(table: str, *, name: str, day: datetime) -> str:
    start = ids.first_id(day.astimezone(UTC))
    end = ids.first_id(day.astimezone(UTC) + timedelta(days=1))
    return (
        SQL["create"]
        .replace("{name}", name)
        .replace("{table}", table)
        .replace("{start}", str(start))
        .replace("{end}", str(end))
    )
