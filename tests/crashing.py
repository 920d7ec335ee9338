"""A worker that can be made to die: it consumes and folds, and one order is deadly to it."""

import asyncio
import os
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess

from service.broker import rabbitmq
from service.broker.consumer import Consumer
from service.broker.topology import Topology
from service.domain.routing import Route, View
from service.store import pool
from service.worker.fold import Fold
from service.worker.rules import Rules

DEADLY = "deadly"
DEATH = 9
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True)
class Trap(Route):
    """Asked in the midst of a fold: takes its time, and ends the process at the deadly order."""

    slow: float = 0.0

    def holds(self, view: View) -> bool:
        if view["ref"] == DEADLY:
            os._exit(DEATH)
        time.sleep(self.slow)
        return False


def start(dsn: str, amqp: str, prefix: str, *, slow: float = 0.0) -> ForkServerProcess:
    worker = FORKS.Process(target=_run, args=(dsn, amqp, prefix, slow), daemon=True)
    worker.start()
    return worker


def _run(dsn: str, amqp: str, prefix: str, slow: float) -> None:
    asyncio.run(_work(dsn, amqp, Topology(prefix), slow=slow))


async def _work(dsn: str, amqp: str, topology: Topology, *, slow: float) -> None:
    async with (
        pool.opened(dsn, size=2) as store,
        rabbitmq.connect(amqp, topology) as broker,
    ):
        fold = Fold(store, Rules(routes=[Trap([], [], [], slow=slow)]), hand_on=lambda _: None)
        await Consumer(broker, topology, store, fold.fold).run(asyncio.Event())
