"""Brings a database to the schema this release expects."""

from functools import partial

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service.domain.errors import StoreUnavailable
from service.store import login, revision

MIGRATION_LOCK = 7_301_944_027
"""Two `orderhook migrate` at once run one after the other."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(revision.location()))
    config.set_main_option("path_separator", "os")
    return config


def _run(connection: Connection, to: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    command.upgrade(config, to)


async def upgrade(dsn: str, *, to: str = "head") -> str:
    """Apply every revision that is missing; returns the newest one this release knows."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=partial(login.connect, dsn), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run, to)
    except DBAPIError as error:
        raise StoreUnavailable(f"PostgreSQL did not take the migration: {error.orig}.") from error
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable("PostgreSQL went away during the migration.") from error
    finally:
        await engine.dispose()
    return revision.head()
