"""Destinations of the settings come in; pumps that carry changes to them are built and kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.app.adapters import Adapters, Built, open_adapters
from service.app.process import Process
from service.settings import Settings
from service.store.pool import Pool
from service.supervisor import Supervisor
from service.worker.delivery.pump import Pump
from service.worker.gate import Gate


@dataclass(slots=True)
class Line:
    """One destination at work: the same gate whatever is configured anew."""

    pump: Pump
    gate: Gate


@dataclass(slots=True)
class Deliveries:
    adapters: Adapters
    syncs: Pool
    pumps: dict[str, Pump] = field(default_factory=dict)
    """What a fold hands on to; filled by `adopt`."""
    _lines: dict[str, Line] = field(default_factory=dict)

    def build(self, settings: Settings) -> Mapping[str, Built]:
        """Raises ConfigurationError; nothing is in use yet."""
        return self.adapters.build(settings)

    def adopt(self, built: Mapping[str, Built], group: Supervisor) -> None:
        """Put in place what was built, and start what is new."""
        self.adapters.adopt(built)
        for name, made in built.items():
            if name in self._lines:
                line = self._lines[name]
                line.gate.rule = made.rule
                line.pump.adopt(made.rule, made.crm)
            else:
                self._lines[name] = self._started(name, made, group)

    def shut(self, name: str) -> bool:
        """Whether a destination is not called now, as far as is known."""
        return name in self._lines and self._lines[name].gate.shut

    def _started(self, name: str, made: Built, group: Supervisor) -> Line:
        gate = Gate(made.rule, pool=self.adapters.quotas)
        budget = self.adapters.budgets[name]
        pump = Pump(made.rule, made.crm, pool=self.syncs, gate=gate, budget=budget)
        self.pumps[name] = pump
        group.start(f"find-{name}", pump.find)
        group.start(f"call-{name}", pump.start, silent=lambda: pump.silent)
        group.start(f"record-{name}", pump.record)
        return Line(pump, gate)


async def open_deliveries(process: Process) -> Deliveries:
    """Everything that pumps share, closed after the last of them has stopped."""
    adapters = await open_adapters(process, quotas=3)
    return Deliveries(adapters, syncs=await process.open_pool("sync", 4, steady=True))
