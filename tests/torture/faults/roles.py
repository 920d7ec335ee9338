"""Processes of the service are killed, frozen, restarted and told nonsense."""

import asyncio
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.torture.faults.base import CUT, Fault, freeze, thaw, up
from tests.torture.plant import Plant, Role

PAST_THE_LEASE = (13.0, 15.0)
"""Seconds; a lease runs two call time-outs of a second and ten more."""
STOPS_WITHIN = 30.0
PATIENCE = 40.0
"""Seconds an operator waits for a verb; a replay goes on without its terminal."""
STARTS_WITHIN = 100.0
"""Whatever else is broken meanwhile."""


class _Killed(Fault):
    """SIGKILL, several times, each as soon as the last start is under way."""

    async def inject(self, plant: Plant) -> str:
        self.victims = self.some(plant.of(self.target))
        self.times = self.chance.randint(1, 4)
        for number in range(self.times):
            if number:
                await asyncio.sleep(self.chance.uniform(0.3, 2.5))
            for role in self.victims:
                role.kill()
        return f"{' and '.join(role.name for role in self.victims)}, {self.times} times"

    async def heal(self, plant: Plant) -> None:
        await up(self.victims)


class _Frozen(Fault):
    """SIGSTOP and SIGCONT."""

    async def inject(self, plant: Plant) -> str:
        self.victims: list[Role] = self.some(plant.of(self.target))
        await up(self.victims)
        await freeze(self.victims)
        return " and ".join(role.name for role in self.victims)

    async def heal(self, plant: Plant) -> None:
        await thaw(self.victims)


class GatewayKilled(_Killed):
    code, name, target = "F1", "gateway killed", "gateway"
    lawful = CUT
    weight = 8.0


class GatewayFrozen(_Frozen):
    code, name, target = "F1", "gateway frozen", "gateway"
    seconds = (1.0, 6.0)
    lawful = CUT


class RelayKilled(_Killed):
    code, name, target = "F2", "relay killed", "relay"
    weight = 8.0


class RelayFrozen(_Frozen):
    code, name, target = "F2", "relay frozen", "relay"
    seconds = (2.0, 12.0)


class WorkerKilled(_Killed):
    code, name, target = "F3", "worker killed", "worker"
    weight = 8.0


class WorkerFrozen(_Frozen):
    code, name, target = "F34", "worker frozen past its leases", "worker"
    seconds = PAST_THE_LEASE


class AllWorkersFrozen(_Frozen):
    """Nobody takes anything: what is accepted meanwhile has to wait somewhere."""

    code, name, target = "F34", "every worker frozen", "worker"
    seconds = (20.0, 24.0)
    weight = 0.5

    def some(self, roles: Sequence[Role]) -> list[Role]:
        return list(roles)


class AllKilled(Fault):
    """As when the machine restarts, but for the servers."""

    code, name, target = "F1", "every role killed at once", "gateway"
    lawful = CUT

    async def inject(self, plant: Plant) -> str:
        for role in plant.roles.values():
            role.kill()
        return ""

    async def heal(self, plant: Plant) -> None:
        await up(list(plant.roles.values()))


class SecondRelay(Fault):
    """One relay more for a while, and one killed as it starts."""

    code, name, target = "F34", "two relays at once", "relay"
    seconds = (4.0, 8.0)

    async def inject(self, plant: Plant) -> str:
        self.extra = Role("relay-extra", plant)
        plant.roles["relay-extra"] = self.extra
        self.extra.keep()
        return ""

    async def heal(self, plant: Plant) -> None:
        self.extra.kill()
        await self.extra.close()
        del plant.roles["relay-extra"]


class RollingRestart(Fault):
    """SIGTERM to one after the other; the load balancer knows, so no request may fail."""

    code, name, target = "F35", "rolling restart", "gateway"
    seconds = (0.5, 1.0)

    async def inject(self, plant: Plant) -> str:
        for role in plant.of("gateway", "relay", "worker"):
            if role.is_up:
                await restart(role)
        return ""

    async def heal(self, plant: Plant) -> None:
        await up(list(plant.roles.values()))


async def restart(role: Role) -> None:
    """As an orchestrator does it: out of the pool, SIGTERM, wait for its end and its return."""
    role.draining = True
    await asyncio.sleep(0.3)
    ended = role.program
    starts = role.starts
    role.send(signal.SIGTERM)
    async with asyncio.timeout(STOPS_WITHIN + STARTS_WITHIN):
        await ended.wait(STOPS_WITHIN)
        while role.starts == starts or not role.is_up:
            await asyncio.sleep(0.05)
    role.draining = False


class MigrationUnderLoad(Fault):
    code, name, target = "F35", "orderhook migrate under load", "operator"
    seconds = (0.5, 1.0)

    async def inject(self, plant: Plant) -> str:
        said = await plant.verb("migrate")
        # 3: PostgreSQL or RabbitMQ is away at the moment, which it says in one sentence.
        assert said.code in {0, 3}, said
        assert "Traceback" not in said.err, said
        return "in vain" if said.code else ""

    async def heal(self, plant: Plant) -> None:
        return


class ReadAgain(Fault):
    """An operator has requests read again that were read well: nothing may come of it."""

    code, name, target = "F36", "requests read again", "operator"
    seconds = (0.5, 1.0)
    weight = 0.5

    async def inject(self, plant: Plant) -> str:
        source = self.chance.choice(sorted(plant.sources))
        since = datetime.now(UTC) - timedelta(seconds=3)
        words = ("--source", source, "--since", f"{since:%Y-%m-%dT%H:%M:%S}", "--rate", "500")
        chosen = ("--outcome", "applied", "--outcome", "superseded", "--outcome", "revoked")
        try:
            async with asyncio.timeout(PATIENCE):
                said = await plant.verb("events", "replay", *words, *chosen, "--yes")
        except TimeoutError:
            return f"{source}, not to the end"
        # 3: PostgreSQL is away at the moment.
        assert said.code in {0, 3}, said
        return source if said.code == 0 else f"{source}, in vain"

    async def heal(self, plant: Plant) -> None:
        return


class BrokenConfiguration(Fault):
    """A secret's file is gone and everybody is told to read anew: nobody may change anything."""

    code, name, target = "F36", "secret file gone at a reload", "operator"
    seconds = (1.0, 4.0)

    async def inject(self, plant: Plant) -> str:
        missing = '\n[sources.gone]\nprovider = "stripe"\nsecrets = ["file:/nowhere/secret"]\n'
        plant.configure(more=missing)
        for role in plant.roles.values():
            if role.is_up:
                role.send(signal.SIGHUP)
        return ""

    async def heal(self, plant: Plant) -> None:
        plant.configure()
        for role in plant.roles.values():
            if role.is_up:
                role.send(signal.SIGHUP)
