"""A private RabbitMQ on a thread that outlives every fault: killed, frozen, wiped and asked."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from tests import servers
from tests.rabbitmq import Node
from tests.torture import processes

T = TypeVar("T")

TRIES = 3
SOONER = "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 3000}]}].\n"
"""What could not be dead-lettered is tried again after three seconds instead of three minutes."""


class Broker:
    def __init__(self, node: Node, folder: Path, thread: ThreadPoolExecutor) -> None:
        self._node = node
        self._folder = folder
        self._thread = thread
        # A start takes half a minute of one core; a ctl meanwhile would only fail.
        self._turn = asyncio.Lock()

    @property
    def url(self) -> str:
        return self._node.url

    @property
    def address(self) -> str:
        parts = urlsplit(self._node.url)
        return f"{parts.hostname}:{parts.port}"

    async def start(self) -> None:
        """Start it; a node that ends at once, as after a kill at a bad moment, is started anew."""
        for left in reversed(range(TRIES)):
            try:
                await self._do(self._node.start)
            except TimeoutError:
                if not left:
                    raise TimeoutError(self._node.last_words()) from None
            else:
                return

    async def kill(self) -> None:
        await self._do(self._node.kill)

    async def stop(self) -> None:
        await self._do(self._node.stop)

    async def wipe(self) -> None:
        """Forget everything; it must be down."""
        await self._do(lambda: shutil.rmtree(self._folder / "mnesia"))

    async def ctl(self, *words: str) -> str:
        return await self._do(lambda: self._node.ctl(*words))

    async def ctl_eval(self, expression: str) -> str:
        return await self.ctl("eval", expression)

    def send(self, number: signal.Signals) -> None:
        processes.send(processes.tree(self._node.pid), number)

    async def close(self) -> None:
        await self._do(self._node.close)

    async def _do(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Broker]:
    scripts = servers.find_broker()
    assert isinstance(scripts, Path), servers.NO_BROKER
    folder.mkdir()
    # The kernel ends a server together with the thread that started it.
    with ThreadPoolExecutor(1, thread_name_prefix="broker") as thread:
        server = Broker(Node(scripts, folder), folder, thread)
        (folder / "advanced.config").write_text(SOONER)
        try:
            await server.start()
            yield server
        finally:
            await server.close()
