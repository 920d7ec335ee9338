"""What a fault is: it begins, it lasts, it ends, and says which answers are lawful meanwhile."""

import asyncio
import random
import signal
from collections.abc import Sequence
from typing import ClassVar, Literal

from tests.torture.machine import Machine
from tests.torture.plant import Plant, Role

Target = Literal["gateway", "relay", "worker", "postgres", "broker", "crm", "network", "operator"]

NOTHING: frozenset[str] = frozenset()
"""Every request must be answered 2xx, as if nothing were."""
CUT = frozenset({"refused", "unknown"})
"""Requests under way may be lost, and new ones find nobody."""
PUT_OFF = frozenset({"put_off"})
"""The service may ask senders to come again that are configured `durability = "strict"`."""
SHED = frozenset({"put_off", "shed", "unknown"})
"""It may ask everybody, or take longer than a sender waits."""
REJECTED = frozenset({"rejected"})


class Fault:
    """One use of it; `inject` and `heal` are called once, in this order."""

    code: ClassVar[str]
    name: ClassVar[str]
    target: ClassVar[Target]
    seconds: ClassVar[tuple[float, float]] = (1.0, 4.0)
    """How long it lasts: at least, and at most."""
    lawful: ClassVar[frozenset[str]] = NOTHING
    weight: ClassVar[float] = 1.0

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    @classmethod
    def lacking(cls, _: Machine) -> str:
        """Why it cannot be injected here; empty when it can."""
        return ""

    async def inject(self, plant: Plant) -> str:
        """Begin; what was done, in words, where the name does not say it all."""
        raise NotImplementedError

    async def heal(self, plant: Plant) -> None:
        """End; return when what was hurt is back, as far as that depends on us."""
        raise NotImplementedError

    def some(self, roles: Sequence[Role]) -> list[Role]:
        """One of them mostly, sometimes all."""
        if self.chance.random() < 0.25:
            return list(roles)
        return [self.chance.choice(list(roles))]


async def freeze(roles: Sequence[Role]) -> None:
    for role in roles:
        role.send(signal.SIGSTOP)


async def thaw(roles: Sequence[Role]) -> None:
    for role in roles:
        role.send(signal.SIGCONT)


async def up(roles: Sequence[Role]) -> None:
    await asyncio.gather(*(role.up() for role in roles))
