"""The lines between the service and what it depends on go bad, one or several at a time."""

import asyncio
import subprocess
from dataclasses import asdict
from typing import ClassVar

from tests.torture.faults.base import PUT_OFF, Fault
from tests.torture.machine import Machine
from tests.torture.plant import CRM, LINKS, Plant
from tests.torture.weather import CLEAR, Weather


class _Line(Fault):
    """Mostly one line, sometimes all; what is lawful depends on which, so put-offs are."""

    target = "network"
    lawful = PUT_OFF
    sky: ClassVar[Weather] = CLEAR
    ends_with_cut = False

    async def inject(self, plant: Plant) -> str:
        self.links = [*LINKS] if self.chance.random() < 0.1 else [self.chance.choice(LINKS)]
        await plant.weather(self.links, self.sky)
        return ", ".join(self.links)

    async def heal(self, plant: Plant) -> None:
        await plant.weather(self.links, CLEAR, cut=self.ends_with_cut)


class OneWay(_Line):
    code, name = "F27", "answers swallowed"
    seconds = (2.0, 15.0)
    sky = Weather(hold=("down",))


class Silent(_Line):
    code, name = "F28", "peer gone without a word"
    seconds = (2.0, 30.0)
    sky = Weather(hold=("up", "down"))
    ends_with_cut = True


class Refused(_Line):
    code, name = "F27", "connections refused"
    seconds = (2.0, 12.0)
    sky = Weather(refuse=True)

    async def inject(self, plant: Plant) -> str:
        said = await super().inject(plant)
        await plant.cut(self.links)
        return said


class Resets(Fault):
    code, name, target = "F27", "reset again and again", "network"
    seconds = (3.0, 8.0)
    lawful = PUT_OFF

    async def inject(self, plant: Plant) -> str:
        self.links = self.chance.sample(LINKS, 2)
        self._task = asyncio.create_task(self._again(plant))
        return ", ".join(self.links)

    async def _again(self, plant: Plant) -> None:
        while True:
            await plant.cut(self.links)
            await asyncio.sleep(self.chance.uniform(0.1, 0.8))

    async def heal(self, plant: Plant) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Slow(_Line):
    code, name = "F27", "delay and jitter"
    seconds = (4.0, 12.0)
    sky = Weather(delay=0.02, jitter=0.15)


class Narrow(_Line):
    code, name = "F27", "64 kbit/s"
    seconds = (3.0, 10.0)
    sky = Weather(drip=8000)


class ResetsInAnAnswer(_Line):
    code, name = "F27", "reset in the middle of an answer"
    seconds = (3.0, 8.0)
    sky = Weather(reset_after=3000)


class EndsInAnAnswer(_Line):
    code, name = "F27", "end in the middle of an answer"
    seconds = (3.0, 8.0)
    sky = Weather(truncate_after=5000)


class HalfClosed(_Line):
    """The other side will say nothing more, but listens on."""

    code, name = "F28", "half-closed"
    seconds = (2.0, 8.0)
    ends_with_cut = True

    async def inject(self, plant: Plant) -> str:
        said = await super().inject(plant)
        for link in self.links:
            await plant.proxy.say(link, half_close=True)
        return said


class Loss(Fault):
    """One packet in ten is lost, between the proxy and the broker or the CRM."""

    code, name, target = "F27", "10 % loss", "network"
    seconds = (4.0, 12.0)
    lawful = PUT_OFF

    @classmethod
    def lacking(cls, machine: Machine) -> str:
        return "" if machine.nft else "nft is not installed, or we are not root"

    async def inject(self, plant: Plant) -> str:
        port = self.chance.choice((plant.broker.address, plant.crm.address)).rpartition(":")[2]
        self._table = f"torture_{port}"
        lose = "numgen random mod 100 < 10 drop"
        rules = (
            f"add table inet {self._table}",
            f"add chain inet {self._table} lose {{ type filter hook input priority 0; }}",
            f'add rule inet {self._table} lose iif "lo" tcp dport {port} {lose}',
            f'add rule inet {self._table} lose iif "lo" tcp sport {port} {lose}',
        )
        await _nft(*rules)
        return f"port {port}"

    async def heal(self, plant: Plant) -> None:
        await _nft(f"delete table inet {self._table}")


async def _nft(*rules: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        ["nft", "-f", "-"],
        input="\n".join(rules) + "\n",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


class CrmLine(_Line):
    """Only the way to the CRM, in every kind of weather."""

    code, name = "F29", "the line to the CRM"
    seconds = (2.0, 10.0)
    lawful = frozenset()

    async def inject(self, plant: Plant) -> str:
        self.links = [CRM]
        sky = self.chance.choice(
            (
                Weather(hold=("down",)),
                Weather(reset_after=20),
                Weather(truncate_after=30),
                Weather(drip=1),
                Weather(refuse=True),
                Weather(answer="HTTP/1.1 200 OK\r\nContent-Le"),
            )
        )
        await plant.weather(self.links, sky, cut=True)
        return " ".join(f"{name}={value}" for name, value in asdict(sky).items() if value)
