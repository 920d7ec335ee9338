"""Which schema this release expects, and which one a database has.

Apart from what migrates: the tools for that take as long to load as half of a role, which needs
none of them.
"""

import asyncio
from pathlib import Path

from service.domain.errors import ConfigurationError, StoreUnavailable
from service.store import login


def location() -> Path:
    """The revisions: inside an installed wheel, else at the top of the checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def head() -> str:
    """The newest revision this release knows; a file's name begins with its revision."""
    return max(file.name[:4] for file in (location() / "versions").glob("[0-9]*.py"))


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
    except login.AWAY as error:
        raise StoreUnavailable("PostgreSQL does not tell the revision of its schema.") from error


async def require_head(dsn: str) -> None:
    """Refuse to run on a schema that is behind (or ahead: the code is the older one)."""
    found = await current(dsn)
    if found != head():
        raise ConfigurationError(
            f"The database schema is at revision {found or 'none'}, this release needs {head()}: "
            "run `orderhook migrate`."
        )
