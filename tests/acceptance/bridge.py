"""A TCP bridge to a server: it can be away, appear, and be cut, while the server stays as it is."""

import asyncio
from contextlib import suppress
from urllib.parse import parse_qs, quote, urlsplit


class Bridge:
    """Listens on a loopback port that stays the same, when it listens at all.

    Every answer of the server takes `delay` seconds more, as if it were far away.
    """

    def __init__(self, url: str, *, delay: float = 0.0) -> None:
        self._parts = urlsplit(url)
        self._delay = delay
        self._port = 0
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The URL of the server, through the bridge."""
        parts = self._parts
        login = f"{parts.username}:{quote(parts.password or '')}@" if parts.username else ""
        return f"{parts.scheme}://{login}127.0.0.1:{self._port}{parts.path}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._cross, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Refuse new connections and break those there are."""
        if self._server is not None:
            self._server.close()
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    async def _cross(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        try:
            there, back = await self._connect()
            try:
                await asyncio.wait(
                    {
                        asyncio.ensure_future(_pump(reader, back)),
                        asyncio.ensure_future(_pump(there, writer, delay=self._delay)),
                    },
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                back.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._pumps.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        query = parse_qs(self._parts.query)
        if "host" in query:
            return await asyncio.open_unix_connection(
                f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
            )
        assert self._parts.hostname is not None
        return await asyncio.open_connection(self._parts.hostname, self._parts.port)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delay: float = 0.0
) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()
