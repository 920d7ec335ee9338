"""A server that goes away in the middle of the first questions is waited for, not crashed at."""

import asyncio
import struct

import pytest

from service.domain.errors import StoreUnavailable
from service.store import revision


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


READY = _message(b"Z", b"I")
WELCOME = (
    _message(b"R", struct.pack("!I", 0)) + _message(b"S", b"server_version\x0016.0\x00") + READY
)
PREPARED = (
    _message(b"1", b"")
    + _message(b"t", struct.pack("!H", 0))
    + _message(b"T", struct.pack("!H", 1) + b"name\x00" + struct.pack("!IHIHIH", 0, 0, 25, 0, 0, 0))
)
FAREWELL = _message(b"E", b"SFATAL\x00C57P01\x00Mterminating connection\x00\x00")


async def _leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says goodbye between the preparation of a statement and its execution."""
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    await reader.readexactly(length - 4)
    writer.write(WELCOME)
    kind = b""
    while kind != b"H":
        kind, length = struct.unpack("!cI", await reader.readexactly(5))
        await reader.readexactly(length - 4)
    writer.write(PREPARED + FAREWELL)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_a_server_that_leaves_between_two_messages_is_away() -> None:
    async with await asyncio.start_server(_leaving, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StoreUnavailable, match="does not tell the revision"):
            await revision.current(f"postgresql://u:p@127.0.0.1:{port}/d?sslmode=disable")
