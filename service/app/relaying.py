"""What a relay does: it publishes what is owed, and does the work that comes with time."""

from service.app.process import LONG, Commit, Process
from service.app.rules import rules
from service.broker.recorder import Recorder
from service.broker.relay import Relay
from service.ops import dead_letters, jobs, reconcile, refolds, schedule
from service.settings import Settings
from service.store.retention import COUNTING
from service.supervisor import SILENT


async def relay(process: Process) -> None:
    """Publish what is owed, or came back or was lost; and do the long work operators ask for."""
    publisher = Relay(process.broker, process.topology, await process.open_pool("relay", 2))
    group = process.supervisor()
    group.start("relay", publisher.run)
    operators = await process.open_pool("operators", 2)
    recorder = Recorder(process.broker, process.topology, operators)
    group.start("recorder", recorder.run)
    group.start("dead-queue", recorder.watch)
    housekeeping = await process.open_pool("schedule", 1)
    group.start("partitions", schedule.partition_keeper(housekeeping))
    group.start("deadlines", schedule.deadline_keeper(housekeeping))
    group.start("captures", schedule.capture_keeper(housekeeping))
    present = [process.settings]
    steps = {**dead_letters.STEPS, "refold": refolds.step(lambda: rules(present[0]))}
    group.start("jobs", jobs.Runner(operators, steps).run, silent=LONG)
    group.start("gauges", schedule.gauge_keeper(housekeeping, lambda: present[0]))
    going_by = [rules(process.settings)]
    old = await process.open_pool("retention", 1)
    keeper = schedule.retention_keeper(
        old, lambda: present[0], lambda: going_by[0], sealing=process.sealing
    )
    group.start("retention", keeper, silent=COUNTING + SILENT)
    group.start("silence", schedule.silence_keeper(housekeeping, lambda: present[0]))
    group.start("in-turn", reconcile.keeper(housekeeping, lambda: present[0].destinations))

    def apply(settings: Settings) -> Commit:
        known = rules(settings)

        def commit() -> None:
            present[:] = [settings]
            going_by[:] = [known]

        return commit

    process.on_reload.append(apply)
