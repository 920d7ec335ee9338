"""The power fails: what was not synced is gone when the process comes back."""

import asyncio
import time
from typing import ClassVar

from tests.torture.faults.base import CUT, SHED, Fault, Target, up
from tests.torture.machine import Machine
from tests.torture.plant import Plant, Role
from tests.torture.unsynced import Trace, drop


class SpoolForgets(Fault):
    """PostgreSQL is down, so requests go to the spools; then gateways die and lose what may go."""

    code, name = "F32", "spool forgets what was not synced"
    target: ClassVar[Target] = "postgres"
    seconds = (2.0, 4.0)
    lawful = CUT | SHED

    @classmethod
    def lacking(cls, machine: Machine) -> str:
        return "" if machine.strace else "strace is not installed, or we are not root"

    async def inject(self, plant: Plant) -> str:
        self.victims: list[Role] = plant.gateways
        await up(self.victims)
        self.traces: dict[int, Trace] = {}
        for role in self.victims:
            pid = role.program.pid
            self.traces[pid] = Trace(pid, plant.folder / f"calls-{pid}-{time.monotonic_ns()}")
            await self.traces[pid].attach()
        plant.kills["postgres"] += 1
        plant.postgres.may_run.clear()
        plant.postgres.kill()
        return " and ".join(role.name for role in self.victims)

    async def heal(self, plant: Plant) -> None:
        try:
            await self._lose_power()
        finally:
            plant.postgres.may_run.set()
        await plant.postgres.answers()
        await up(self.victims)

    async def _lose_power(self) -> None:
        for role in self.victims:
            role.may_run.clear()
        try:
            # Another fault may have ended it before: its successor's writes were not watched.
            traced = [role for role in self.victims if role.is_up and self._trace(role)]
            for role in traced:
                role.kill()
            for role in traced:
                await self._forget(role)
        finally:
            for role in self.victims:
                role.may_run.set()

    def _trace(self, role: Role) -> Trace | None:
        return self.traces.get(role.program.pid)

    async def _forget(self, role: Role) -> None:
        trace = self._trace(role)
        assert trace is not None
        async with asyncio.timeout(10):
            while not role.program.ended:
                await asyncio.sleep(0.02)
        for log, ranges in (await trace.ended()).items():
            drop(log, ranges)
