"""What a gateway does: webhooks are judged, stored, answered and handed on."""

from functools import partial

from service import outbound
from service.app.process import LONG, Commit, Process, clock
from service.app.rules import rules
from service.app.sources import senders
from service.app.spooling import open_spool, report
from service.broker.fast_path import FastPath
from service.intake import refusals
from service.intake.captures import Captures
from service.intake.group_commit import GroupCommit
from service.intake.keys import KeyServers
from service.intake.receive import Intake, Tallies
from service.intake.spool.drain import Drain
from service.ops import jobs, replay, schedule
from service.settings import Settings
from service.store import outbox

WRITERS = 2
"""Group commits in turn: while one waits for the disk, the next one gathers."""


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
