"""Brings a database to the schema this release expects, and says when it is not there."""

import asyncio
from functools import partial
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service.domain.errors import ConfigurationError, StoreUnavailable
from service.store import login

MIGRATION_LOCK = 7_301_944_027
"""Two `orderhook migrate` at once run one after the other."""


def _location() -> Path:
    """The revisions: inside an installed wheel, else at the top of the checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_location()))
    config.set_main_option("path_separator", "os")
    return config


def head() -> str:
    """The newest revision this release knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def _run(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    command.upgrade(config, "head")


async def upgrade(dsn: str) -> str:
    """Apply every revision that is missing; returns the revision the database stands at."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=partial(login.connect, dsn), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run)
    except DBAPIError as error:
        raise StoreUnavailable(f"PostgreSQL did not take the migration: {error.orig}.") from error
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable("PostgreSQL went away during the migration.") from error
    finally:
        await engine.dispose()
    return head()


async def current(dsn: str) -> str | None:
    """The revision a database stands at; None when it was never migrated."""
    connection = await login.connect(dsn)
    try:
        try:
            async with asyncio.timeout(5):
                if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
                    return None
                return str(await connection.fetchval("SELECT version_num FROM schema_version"))
        finally:
            await connection.close(timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable("PostgreSQL does not tell the revision of its schema.") from error


async def require_head(dsn: str) -> None:
    """Refuse to run on a schema that is behind (or ahead: the code is the older one)."""
    found = await current(dsn)
    if found != head():
        raise ConfigurationError(
            f"The database schema is at revision {found or 'none'}, this release needs {head()}: "
            "run `orderhook migrate`."
        )
