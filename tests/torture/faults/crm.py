"""The CRM hangs, storms, lies about its answer, dies and cannot be found."""

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import orjson

from tests.torture.crm import GOOD, Mood
from tests.torture.faults.base import Fault
from tests.torture.plant import Plant

UNREACHED = 3
"""What `orderhook` exits with where something it needs is away."""


class _Crm(Fault):
    target = "crm"
    seconds = (2.0, 10.0)
    mood: ClassVar[Mood]

    async def inject(self, plant: Plant) -> str:
        share = self.chance.choice((1.0, 0.5, 0.1))
        await plant.crm.behave(replace(self.mood, share=share))
        return f"{share:.0%} of the calls"

    async def heal(self, plant: Plant) -> None:
        await plant.crm.behave(GOOD)


class Hangs(_Crm):
    code, name = "F29", "CRM hangs"
    mood = Mood(mode="hang")


class HangsAfterEffect(_Crm):
    code, name = "F29", "CRM does it and hangs"
    mood = Mood(mode="hang", effect=True)


class Drips(_Crm):
    code, name = "F29", "CRM answers a byte a second"
    mood = Mood(mode="drip", effect=True)


class Cuts(_Crm):
    code, name = "F29", "CRM says 200 and resets"
    mood = Mood(mode="cut", effect=True)


class LosesAnswers(_Crm):
    code, name = "F29", "CRM does it and the answer is lost"
    mood = Mood(mode="reset", effect=True)
    weight = 2.0


class Storms(_Crm):
    code, name = "F29", "CRM answers 500"
    mood = Mood(mode="status", status=500)


class StormsAfterEffect(_Crm):
    code, name = "F29", "CRM does it and answers 502"
    mood = Mood(mode="status", status=502, effect=True)


class Limits(_Crm):
    code, name = "F29", "CRM answers 429"
    mood = Mood(mode="status", status=429, retry_after="2")


class Babbles(_Crm):
    code, name = "F29", "CRM answers garbage"
    mood = Mood(mode="garbage", effect=True)


class SlowCrm(_Crm):
    code, name = "F29", "CRM takes 0.7 s"
    mood = Mood(delay=0.7)


class PutsOff(Fault):
    """It asks a few to come again in an hour, and then many to come again soon.

    Those few an operator sends at once in the end; all others must not have waited for them.
    """

    code, name, target = "F29", "CRM puts a few off for an hour", "crm"
    seconds = (4.0, 8.0)
    weight = 0.5

    async def inject(self, plant: Plant) -> str:
        self.few: set[str] = set()
        self.before = len(_calls(plant))
        await plant.crm.behave(Mood(mode="status", status=503, retry_after="3600", share=0.1))
        async with asyncio.timeout(60):
            while not self.put_off(plant):
                await asyncio.sleep(0.05)
        await plant.crm.behave(GOOD)
        await asyncio.sleep(0.5)
        self.few = self.put_off(plant)
        await plant.crm.behave(Mood(mode="status", status=500, share=0.5))
        return f"{len(self.few)} orders"

    def put_off(self, plant: Plant) -> set[str]:
        since = _calls(plant)[self.before :]
        return {call["subject"] for call in since if call["mode"] == "status"}

    async def heal(self, plant: Plant) -> None:
        await plant.crm.behave(GOOD)
        for subject in sorted(self.few):
            ref = subject.removeprefix("order/")
            words = ("--destination", "crm", "--retry", "--reason", "torture")
            while (said := await plant.verb("orders", "push", ref, *words)).code == UNREACHED:
                await asyncio.sleep(1)  # PostgreSQL may be under a fault of its own
            assert said.code in {0, 1}, said


def _calls(plant: Plant) -> list[Mapping[str, Any]]:
    """Whole lines of the CRM's file."""
    whole = plant.crm.effects.read_bytes()
    lines = whole[: whole.rfind(b"\n") + 1].splitlines()
    return [call for line in lines if "subject" in (call := orjson.loads(line))]


class Killed(Fault):
    code, name, target = "F29", "CRM killed", "crm"
    seconds = (0.5, 6.0)

    async def inject(self, plant: Plant) -> str:
        plant.kills["crm"] += 1
        plant.crm.kill()
        return ""

    async def heal(self, plant: Plant) -> None:
        await plant.crm.start()


class Frozen(Fault):
    code, name, target = "F29", "CRM frozen", "crm"
    seconds = (2.0, 10.0)

    async def inject(self, plant: Plant) -> str:
        plant.crm.send(signal.SIGSTOP)
        return ""

    async def heal(self, plant: Plant) -> None:
        plant.crm.send(signal.SIGCONT)


class _Elsewhere(Fault):
    """The workers read a new configuration that leads nowhere, and later the old one."""

    target = "crm"
    seconds = (2.0, 8.0)

    async def inject(self, plant: Plant) -> str:
        plant.configure(crm_url=self.url(plant))
        _reload(plant)
        return ""

    async def heal(self, plant: Plant) -> None:
        plant.configure()
        _reload(plant)

    def url(self, plant: Plant) -> str:
        raise NotImplementedError


def _reload(plant: Plant) -> None:
    for role in plant.of("worker"):
        if role.is_up:
            role.send(signal.SIGHUP)


class NoName(_Elsewhere):
    code, name = "F29", "CRM's name cannot be resolved"

    def url(self, plant: Plant) -> str:
        return "http://no-such-host.invalid"


class NoTls(_Elsewhere):
    code, name = "F29", "TLS with the CRM fails"

    def url(self, plant: Plant) -> str:
        return f"https://{plant.crm.address}"
