"""A database back from a backup comes in; nothing that destinations know can be newer than it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from service.domain.errors import Conflict
from service.store import actions, epoch
from service.store.pool import Pool, transaction

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done; `epoch` is where versions start now."""

    epoch: int
    subjects: int
    syncs: int
    events: int
    """Owed to the fold, and handed to the broker anew."""


async def begin_epoch(
    pool: Pool, destinations: Sequence[str], *, actor: str, tell: Callable[[int], None]
) -> Restored:
    """Raise every version, owe every sync again and redrive every owed event.

    What is interrupted may be run again: versions only rise further. `tell` hears how many
    subjects are done.
    """
    async with transaction(pool) as tx:
        _refuse_company(await epoch.others(tx))
        base = await epoch.begin(tx)
        events = await epoch.redrive(tx)
    last = subjects = syncs = 0
    while True:
        async with transaction(pool) as tx:
            batch = await epoch.lift(tx, last, base=base, limit=BATCH, destinations=destinations)
        if batch is None:
            break
        last, subjects, syncs = batch.last, subjects + batch.subjects, syncs + batch.syncs
        tell(subjects)
    done = Restored(base, subjects, syncs, events)
    async with transaction(pool) as tx:
        await actions.record(tx, actor, "restored", target="database", detail=asdict(done))
    return done


def _refuse_company(others: Sequence[str]) -> None:
    if others:
        raise Conflict(
            f"Roles are running on this database ({', '.join(others)}) and would tell versions of "
            "before: stop every gateway, relay and worker, then run `orderhook restored` again."
        )
