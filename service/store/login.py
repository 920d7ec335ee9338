"""A DSN in, an open connection out; what keeps it from opening becomes one sentence."""

import socket
from urllib.parse import parse_qs, urlsplit

import asyncpg

from service.domain.errors import ConfigurationError, StoreUnavailable

CONNECT_TIMEOUT = 5.0
REFUSED = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresError,
    asyncpg.InternalClientError,  # what the server ended while nobody asked, or while it is asked
)
"""PostgreSQL did not answer what a connection was asked."""
NOT_OPENED = (*AWAY, ValueError)


async def connect(dsn: str) -> asyncpg.Connection:
    """Raises StoreUnavailable when waiting may help, else ConfigurationError."""
    try:
        return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT)
    except NOT_OPENED as error:
        raise explained(error, dsn) from error


def explained(error: Exception, dsn: str) -> ConfigurationError | StoreUnavailable:
    """Say what to mend, or what to wait for, and where; never the password."""
    if isinstance(error, REFUSED):
        return ConfigurationError(f"PostgreSQL refuses the login of store.url: {error}.")
    if isinstance(error, ValueError):
        return ConfigurationError("store.url is not a PostgreSQL URL.")
    return StoreUnavailable(f"PostgreSQL at {_place(dsn)} {_trouble(error)}")


def _place(dsn: str) -> str:
    parts = urlsplit(dsn)
    socket_folder = parse_qs(parts.query).get("host", ["its socket"])[0]
    return parts.netloc.rpartition("@")[2] or socket_folder


def _trouble(error: Exception) -> str:
    match error:
        case ConnectionRefusedError() | FileNotFoundError():
            return "refuses connections: is it running?"
        case TimeoutError():
            return f"does not answer within {CONNECT_TIMEOUT:g} s."
        case socket.gaierror():
            return "cannot be reached: the host name does not resolve."
        case asyncpg.PostgresError():
            return f"takes no connections now: {error}."
        case _:
            return f"cannot be reached ({type(error).__name__})."
