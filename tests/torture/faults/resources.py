"""Time, memory, processor and files run short for single processes."""

import asyncio
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from tests.torture.faults.base import CUT, SHED, Fault, up
from tests.torture.faults.roles import restart
from tests.torture.machine import Machine
from tests.torture.plant import Plant, Role

CGROUP = Path("/sys/fs/cgroup")


class ClockWrong(Fault):
    """One role's wall clock jumps or drifts and comes back; all time-outs go by another clock."""

    code, name, target = "F30", "wall clock wrong", "operator"
    seconds = (5.0, 12.0)
    lawful = CUT | SHED | {"rejected"}
    shifts: ClassVar[tuple[str, ...]] = ("+1h", "-1h", "+30s x1.5", "-25s", "+4m")
    kinds: ClassVar[tuple[str, ...]] = ("gateway", "relay", "worker")

    @classmethod
    def lacking(cls, machine: Machine) -> str:
        return "" if machine.faketime else "libfaketime is not installed"

    async def inject(self, plant: Plant) -> str:
        assert plant.faketime is not None
        shift = self.chance.choice(self.shifts)
        self.victim = self.chance.choice(plant.of(*self.kinds))
        plant.shift.write_text("+0\n")
        self.victim.extra = {
            "LD_PRELOAD": str(plant.faketime),
            "FAKETIME_TIMESTAMP_FILE": str(plant.shift),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        await restart(self.victim)
        plant.shift.write_text(f"{shift}\n")
        return f"{self.victim.name}: {shift}"

    async def heal(self, plant: Plant) -> None:
        plant.shift.write_text("+0\n")
        await asyncio.sleep(1.5)
        self.victim.extra = {}
        await up([self.victim])
        await restart(self.victim)


class WorkerAhead(ClockWrong):
    """What it puts off by its own clock is put off too long; its signatures are good still."""

    name = "clock of a worker four minutes ahead"
    seconds = (8.0, 12.0)
    weight = 0.5
    shifts = ("+4m",)
    kinds = ("worker",)


class _Limited(Fault):
    """One role in a control group of its own."""

    victim: Role
    controller: str

    @classmethod
    def lacking(cls, machine: Machine) -> str:
        return "" if machine.cgroup else "no control groups (version 1) to write to"

    def group(self) -> Path:
        return CGROUP / self.controller / f"torture-{os.getpid()}"

    async def inject(self, plant: Plant) -> str:
        kinds = self.chance.choice(("gateway", "relay", "worker"))
        self.victim = self.chance.choice(plant.of(kinds))
        await up([self.victim])
        self.group().mkdir(exist_ok=True)
        said = self.limit(self.victim.program.pid)
        (self.group() / "cgroup.procs").write_text(str(self.victim.program.pid))
        return f"{self.victim.name}: {said}"

    def limit(self, pid: int) -> str:
        raise NotImplementedError

    async def heal(self, plant: Plant) -> None:
        root = CGROUP / self.controller / "cgroup.procs"
        for pid in (self.group() / "cgroup.procs").read_text().split():
            with suppress(OSError):
                root.write_text(pid)
        with suppress(OSError):
            self.group().rmdir()
        await up([self.victim])


class LittleProcessor(_Limited):
    code, name, target = "F31", "5 % of a core", "operator"
    seconds = (4.0, 10.0)
    lawful = CUT | SHED
    controller = "cpu"

    def limit(self, pid: int) -> str:
        (self.group() / "cpu.cfs_period_us").write_text("100000")
        (self.group() / "cpu.cfs_quota_us").write_text("5000")
        return "5 %"


class LittleMemory(_Limited):
    """Too little to start with: the kernel kills it again and again, as it comes back."""

    code, name, target = "F31", "out of memory", "operator"
    seconds = (4.0, 8.0)
    lawful = CUT | SHED
    controller = "memory"

    def limit(self, pid: int) -> str:
        (self.group() / "memory.limit_in_bytes").write_text(str(64 * 1024 * 1024))
        return "64 MiB"

    async def inject(self, plant: Plant) -> str:
        said = await super().inject(plant)
        self.starts = self.victim.starts
        self.victim.kill()
        self._task = asyncio.create_task(self._again())
        return said

    async def _again(self) -> None:
        last = 0
        while True:
            if (pid := self.victim.program.pid) != last:
                last = pid
                with suppress(OSError):
                    (self.group() / "cgroup.procs").write_text(str(pid))
            await asyncio.sleep(0.02)

    async def heal(self, plant: Plant) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        plant.kills[f"{self.victim.kind} out of memory"] += self.victim.starts - self.starts - 1
        await super().heal(plant)


class FewFiles(Fault):
    code, name, target = "F31", "64 open files", "operator"
    seconds = (3.0, 8.0)
    lawful = CUT | SHED

    @classmethod
    def lacking(cls, machine: Machine) -> str:
        return "" if machine.root else "we are not root"

    async def inject(self, plant: Plant) -> str:
        self.victim = self.chance.choice(plant.of("gateway", "relay", "worker"))
        await up([self.victim])
        self.pid = self.victim.program.pid
        await _prlimit(self.pid, "64:4096")
        return self.victim.name

    async def heal(self, plant: Plant) -> None:
        await _prlimit(self.pid, "4096:4096")


async def _prlimit(pid: int, files: str) -> None:
    words = ["prlimit", "--pid", str(pid), f"--nofile={files}"]
    await asyncio.to_thread(subprocess.run, words, check=False, capture_output=True)
