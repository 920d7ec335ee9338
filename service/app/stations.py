"""The stations of each role, built from settings and started under supervision."""

from dataclasses import replace
from functools import partial

from service import outbound
from service.app.deliveries import open_deliveries
from service.app.process import Commit, Process, clock
from service.app.rules import rules
from service.app.spooling import open_spool, report
from service.broker.consumer import Consumer
from service.broker.fast_path import FastPath
from service.broker.recorder import Recorder
from service.broker.relay import Relay
from service.intake import captures, refusals
from service.intake.captures import Captures
from service.intake.group_commit import GroupCommit
from service.intake.keys import KeyServers
from service.intake.provider import Provider
from service.intake.providers import registry as providers
from service.intake.receive import Intake, Sender, Tallies
from service.intake.spool.drain import Drain
from service.ops import dead_letters, inquiries, jobs, reconcile, refolds, replay, schedule
from service.settings import Settings, Source
from service.store import outbox
from service.store.retention import COUNTING
from service.supervisor import SILENT
from service.worker.delivery.pump import hand_on
from service.worker.fold import Fold
from service.worker.rules import Rules

LONG = 35.0
"""Seconds a stride of a job may take: a look at a destination, or a statement over all orders."""
WRITERS = 2
"""Group commits in turn: while one waits for the disk, the next one gathers."""


async def work(process: Process) -> None:
    """Fold owed events and carry what follows to the destinations."""
    delivering = await open_deliveries(process)
    fold_pool = await process.open_pool("fold", 3, steady=True)
    reading = await process.open_pool("reconcile", 1)
    fold = Fold(fold_pool, Rules(), hand_on=hand_on(delivering.pumps))
    group = process.supervisor()
    calls = outbound.opened(guarded=False)  # a look-up goes where the configuration says
    asked: dict[str, Sender] = {}
    asking = inquiries.Runner(
        delivering.syncs,
        await process.stack.enter_async_context(calls),
        lambda: asked,
        clock=clock,
        process=process.id,
        sealing=process.sealing,
    )

    def apply(settings: Settings) -> Commit:
        askable = senders(settings)
        going_by = replace(rules(settings), shut=delivering.shut)
        built = delivering.build(settings)

        def commit() -> None:
            delivering.adopt(built, group)
            fold.rules = going_by
            asked.clear()
            asked.update(askable)

        return commit

    apply(process.settings)()
    process.adapters = delivering.adapters.present
    group.start("lookups", asking.run)
    looks = {"reconcile": reconcile.Reconciler(reading, process.adapters).look}
    group.start("reconcile", jobs.Runner(reading, {}, looks=looks).run, silent=LONG)
    process.on_reload.append(apply)
    progress = await process.open_pool("progress", 1)
    consumer = Consumer(process.broker, process.topology, progress, fold.fold)
    process.supervisor().start("consumer", consumer.run)


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


async def accept(process: Process) -> Intake:
    """Take webhooks: judge, store, answer, and hand on to the broker while that is easy."""
    accept_pool = await process.open_pool("accept", WRITERS + 2)
    fast_path = FastPath(process.broker, process.topology, accept_pool)
    commits = GroupCommit(
        accept_pool, fast_path, process=process.id, lease=outbox.LEASE, sealing=process.sealing
    )
    tallies = Tallies()
    present = [process.settings]
    servers = await _key_servers(process)
    spool = await open_spool(process)
    intake = Intake(
        senders(process.settings),
        commits,
        clock=clock,
        tallies=tallies,
        servers=servers,
        captures=Captures(accept_pool, process.sealing),
    )
    intake.spool = spool

    def apply(settings: Settings) -> Commit:
        known = senders(settings)

        def commit() -> None:
            intake.senders = known
            present[:] = [settings]

        return commit

    process.on_reload.append(apply)
    process.supervisor().start("fast-path", fast_path.run)
    group = process.supervisor()
    for number in range(WRITERS):
        group.start(f"group-commit-{number}", commits.run)
    if spool is not None:
        keeping = process.supervisor()
        keeping.start("spool", spool.run)
        keeping.start("drain", Drain(spool, intake.bring).run)
        keeping.start("spool-report", partial(report, spool, accept_pool))
    group.start("tallies", schedule.tally_keeper(accept_pool, tallies, process=process.id))
    group.start("refusals", refusals.keeper(accept_pool, intake.refusals))
    steps = {
        "replay": replay.step(
            lambda: intake.senders, lambda: rules(present[0]), sealing=process.sealing
        )
    }
    own = await process.open_pool("replays", 1)
    group.start("replays", jobs.Runner(own, steps).run, silent=LONG)
    return intake


async def _key_servers(process: Process) -> KeyServers:
    sandbox = process.settings.server.sandbox
    calls = outbound.opened(guarded=not sandbox)
    return KeyServers(await process.stack.enter_async_context(calls), rehearsing=sandbox)


def senders(settings: Settings) -> dict[str, Sender]:
    """Every configured source with its provider."""
    return {name: Sender(source, _provider(source)) for name, source in settings.sources.items()}


def _provider(source: Source) -> Provider:
    if source.mode == "capture":
        return captures.capturing(source)
    return providers.preset(source.provider).build(source)
