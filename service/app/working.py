"""What a worker does: owed events are folded, and what follows is carried to the destinations."""

from dataclasses import replace

from service import outbound
from service.app.deliveries import open_deliveries
from service.app.process import LONG, Commit, Process
from service.app.rules import rules
from service.app.sources import senders
from service.broker.consumer import Consumer
from service.intake.receive import Sender
from service.ops import inquiries, jobs, reconcile
from service.settings import Settings
from service.worker.delivery.pump import hand_on
from service.worker.fold import Fold
from service.worker.rules import Rules


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
        clock=delivering.adapters.clock,
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
