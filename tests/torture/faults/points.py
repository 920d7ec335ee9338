"""A role dies, stands still or is cancelled at a named place of its road, again and again."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from service.faultpoint import VARIABLE, Act, Point
from tests.torture.faults.base import CUT, SHED, Fault, Target, up
from tests.torture.plant import Plant, Role

LIKELY: dict[Act, float] = {"kill": 0.02, "block": 0.005, "cancel": 0.02}


class _Point(Fault):
    """All of a kind are started anew with the point armed, and anew without it."""

    points: ClassVar[tuple[Point, ...]]
    acts: ClassVar[tuple[Act, ...]] = ("kill",)
    seconds = (5.0, 12.0)
    weight = 2.0

    async def inject(self, plant: Plant) -> str:
        point, act = self.chance.choice(self.points), self.chance.choice(self.acts)
        self.kills = act == "kill"
        self.victims: list[Role] = plant.of(self.target)
        await up(self.victims)
        await again(self.victims, {VARIABLE: f"{point}={act}@{LIKELY[act]}"})
        self.starts = [role.starts for role in self.victims]
        return f"{point}: {act}"

    async def heal(self, plant: Plant) -> None:
        if self.kills:
            now = [role.starts for role in self.victims]
            died = sum(now) - sum(self.starts)
            plant.kills[f"{self.target} at a fault point"] += died
        await again(self.victims, {})


async def again(roles: Sequence[Role], environment: dict[str, str]) -> None:
    """Start them anew with more or less environment, one after the other."""
    for role in roles:
        role.extra = environment
        await up([role])
        role.kill()
        await asyncio.sleep(0.1)
        await up([role])


class GatewayAtPoint(_Point):
    code, name, target = "F1", "gateway dies between commit and answer", "gateway"
    lawful = CUT
    points = ("accept.committed",)


class RelayAtPoint(_Point):
    code, name, target = "F2", "relay dies between claim, publish and confirm", "relay"
    points = ("relay.claimed", "publish.confirmed")


class FoldAtPoint(_Point):
    code, name, target = "F3", "worker dies between message, fold and ack", "worker"
    points = ("fold.taken", "fold.committed")


class SyncAtPoint(_Point):
    code, name, target = "F3", "worker dies between intent, call and record", "worker"
    points = ("sync.intended", "sync.called", "sync.recorded")


class GatewayCancelled(_Point):
    code, name, target = "F33", "gateway's writers cancelled or held up", "gateway"
    lawful = CUT | SHED
    points = ("accept.committed",)
    acts = ("cancel", "block")


class RelayCancelled(_Point):
    code, name, target = "F33", "relay cancelled or held up", "relay"
    points: ClassVar[tuple[Point, ...]] = ("relay.claimed", "publish.confirmed")
    acts: ClassVar[tuple[Act, ...]] = ("cancel", "block")


class RelayCancelledForGood(RelayCancelled):
    """Nobody starts it anew: whatever is cancelled has to come back by itself."""

    name = "relay cancelled until the end"
    acts = ("cancel",)
    points = ("relay.claimed",)
    seconds = (2.0, 4.0)
    weight = 0.2

    async def heal(self, plant: Plant) -> None:
        return


class WorkerCancelled(_Point):
    code, name, target = "F33", "worker cancelled or held up", "worker"
    points: ClassVar[tuple[Point, ...]] = (
        *("fold.taken", "fold.committed"),
        *("sync.intended", "sync.called", "sync.recorded"),
    )
    acts = ("cancel", "block")


class SpoolAtPoint(Fault):
    """PostgreSQL is down, and gateways die as soon as a request is on the disk of the spool.

    Later PostgreSQL is back and they die between the commit and the removal from the spool.
    """

    code, name = "F32", "gateway dies at its spool"
    target: ClassVar[Target] = "postgres"
    seconds = (6.0, 12.0)
    lawful = CUT | SHED

    async def inject(self, plant: Plant) -> str:
        self.victims = plant.gateways
        await up(self.victims)
        words = f"spool.synced=kill@{self.chance.choice((0.01, 0.05))} spool.stored=kill@0.2"
        await again(self.victims, {VARIABLE: words})
        self.starts = [role.starts for role in self.victims]
        plant.kills["postgres"] += 1
        plant.postgres.may_run.clear()
        plant.postgres.kill()
        return words

    async def heal(self, plant: Plant) -> None:
        plant.postgres.may_run.set()
        await plant.postgres.answers()
        await asyncio.sleep(3)
        died = sum(role.starts for role in self.victims) - sum(self.starts)
        plant.kills["gateway at a fault point"] += died
        await again(self.victims, {})
