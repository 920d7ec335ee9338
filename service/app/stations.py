"""The stations of each role, built from settings and started under supervision."""

from collections.abc import Mapping
from datetime import timedelta

from service.app.process import Commit, Process, clock
from service.broker.consumer import Consumer
from service.broker.fast_path import FastPath
from service.broker.recorder import Recorder
from service.broker.relay import Relay
from service.domain.routing import PRIORITIES, Condition, Route
from service.intake import refusals
from service.intake.group_commit import GroupCommit
from service.intake.providers import registry as providers
from service.intake.receive import Intake, Sender, Tallies
from service.ops import dead_letters, jobs, replay, schedule
from service.settings import Destination, Settings
from service.store import outbox
from service.worker import pump, sync
from service.worker.crms import client
from service.worker.crms import registry as crms
from service.worker.fold import Fold
from service.worker.pump import Pump

WRITERS = 2
"""Group commits in turn: while one waits for the disk, the next one gathers."""


async def work(process: Process) -> None:
    """Fold owed events and carry what follows to the destinations."""
    session = await process.stack.enter_async_context(client.open_session(limit=0))
    sync_pool = await process.open_pool("sync", 4)
    pumps: dict[str, Pump] = {}
    fold = Fold(await process.open_pool("fold", 3), [], leases={}, hand_on=pump.hand_on(pumps))
    group = process.supervisor()

    def apply(settings: Settings) -> Commit:
        rules = settings.destinations
        built = {
            name: crms.crms_by_name()[rule.crm].build(rule, session, clock=clock)
            for name, rule in rules.items()
        }

        def commit() -> None:
            for name, crm in built.items():
                if name in pumps:
                    pumps[name].rule, pumps[name].crm = rules[name], crm
                else:
                    pumps[name] = Pump(rules[name], crm, pool=sync_pool)
                    group.start(f"find-{name}", pumps[name].find)
                    group.start(f"call-{name}", pumps[name].start)
                    group.start(f"record-{name}", pumps[name].record)
            fold.routes, fold.leases = _routes(settings), _leases(rules)

        return commit

    apply(process.settings)()
    process.on_reload.append(apply)
    progress = await process.open_pool("progress", 1)
    consumer = Consumer(process.broker, process.topology, progress, fold.fold)
    process.supervisor().start("consumer", consumer.run)


def _routes(settings: Settings) -> list[Route]:
    return [
        Route(
            route.sources,
            route.events,
            route.destinations,
            when=Condition.of(route.when) if route.when is not None else None,
            priority=PRIORITIES[route.priority],
        )
        for route in settings.routes
    ]


def _leases(rules: Mapping[str, Destination]) -> dict[str, timedelta]:
    return {name: sync.lease_time(rule) for name, rule in rules.items()}


async def relay(process: Process) -> None:
    """Publish what is owed, or came back or was lost; and do the long work operators ask for."""
    publisher = Relay(process.broker, process.topology, await process.open_pool("relay", 2))
    group = process.supervisor()
    group.start("relay", publisher.run)
    operators = await process.open_pool("operators", 2)
    recorder = Recorder(process.broker, process.topology, operators)
    group.start("recorder", recorder.run)
    group.start("dead-queue", recorder.watch)
    group.start("jobs", jobs.Runner(operators, dead_letters.STEPS).run)
    housekeeping = await process.open_pool("schedule", 1)
    group.start("partitions", schedule.partition_keeper(housekeeping))
    names = list(process.settings.destinations)
    group.start("gauges", schedule.gauge_keeper(housekeeping, lambda: names))

    def apply(settings: Settings) -> Commit:
        def commit() -> None:
            names[:] = settings.destinations

        return commit

    process.on_reload.append(apply)


async def accept(process: Process) -> Intake:
    """Take webhooks: judge, store, answer, and hand on to the broker while that is easy."""
    accept_pool = await process.open_pool("accept", WRITERS + 2)
    fast_path = FastPath(process.broker, process.topology, accept_pool)
    commits = GroupCommit(accept_pool, fast_path, process=process.id, lease=outbox.LEASE)
    tallies = Tallies()
    intake = Intake(senders(process.settings), commits, clock=clock, tallies=tallies)

    def apply(settings: Settings) -> Commit:
        known = senders(settings)

        def commit() -> None:
            intake.senders = known

        return commit

    process.on_reload.append(apply)
    process.supervisor().start("fast-path", fast_path.run)
    group = process.supervisor()
    for number in range(WRITERS):
        group.start(f"group-commit-{number}", commits.run)
    group.start("tallies", schedule.tally_keeper(accept_pool, tallies, process=process.id))
    group.start("refusals", refusals.keeper(accept_pool, intake.refusals))
    steps = {"replay": replay.step(lambda: intake.senders)}
    group.start("replays", jobs.Runner(await process.open_pool("replays", 1), steps).run)
    return intake


def senders(settings: Settings) -> dict[str, Sender]:
    """Every configured source with its provider."""
    return {
        name: Sender(source, providers.preset(source.provider).build(source))
        for name, source in settings.sources.items()
    }
