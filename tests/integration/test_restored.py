"""`orderhook restored`: versions rise above all that was ever told, and all is owed again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.domain.errors import Conflict
from service.ops import ledger, restore
from service.ops.restore import Restored
from service.store import epoch, folding, partitions, pool
from service.store.ids import new_id
from service.store.pool import Pool
from tests import make, rows
from tests.integration.test_fold import accepted, folder

pytestmark = pytest.mark.postgres


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2, name="cli") as opened:
        await partitions.ensure(opened)
        yield opened


async def restored(db: Pool, *destinations: str) -> Restored:
    told: list[int] = []
    done = await restore.begin_epoch(db, destinations or ["crm"], actor="me", tell=told.append)
    assert told == sorted(told)
    return done


async def table(db: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.session(db) as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def test_every_version_rises_with_a_step_of_its_own_and_is_owed_again(db: Pool) -> None:
    await folder(db).fold(await accepted(db, make.event(lane="payment", status="paid")))
    before = await table(db, "SELECT status, lanes, occurred_at FROM transitions")
    done = await restored(db)
    assert (1, 1, 0) == (done.subjects, done.syncs, done.events)
    assert [(done.epoch + 1, "paid")] == await table(db, "SELECT version, status FROM subjects")
    assert [("pending", done.epoch + 1, 0, None)] == await table(
        db, "SELECT state, desired_version, synced_version, intent_key FROM syncs"
    )
    again = "SELECT status, lanes, occurred_at FROM transitions ORDER BY version DESC LIMIT 1"
    assert before == await table(db, again)
    assert (await ledger.read(db))["balanced"] is True


async def test_orders_first_heard_of_after_the_restore_start_in_the_new_epoch(db: Pool) -> None:
    """They may be known to a destination from before: the backup was too old to hold them."""
    done = await restored(db)
    await folder(db).fold(await accepted(db, make.event(lane="payment", status="paid")))
    assert [(done.epoch + 1,)] == await table(db, "SELECT version FROM subjects")


async def test_a_second_restore_rises_above_the_first_within_the_same_second(db: Pool) -> None:
    async with pool.transaction(db) as tx:
        await rows.subject(tx)
    first, second = await restored(db), await restored(db)
    assert first.epoch + epoch.SPAN <= second.epoch
    assert [(second.epoch + 1,)] == await table(db, "SELECT version FROM subjects")


async def test_versions_stay_whole_numbers_for_receivers_that_read_floats(db: Pool) -> None:
    assert (await restored(db)).epoch < 2**53


async def test_what_was_dead_is_owed_but_what_was_given_up_or_belongs_to_nobody_rests(
    db: Pool,
) -> None:
    async with pool.transaction(db) as tx:
        subject = await rows.subject(tx)
        await rows.sync(tx, subject, state="dead", synced_version=0)
        await rows.letter(tx, kind="sync", subject_id=subject, destination="crm")
        await rows.sync(tx, subject, destination="given-up", state="held")
        await rows.sync(tx, subject, destination="of-last-year")
    done = await restored(db, "crm", "given-up")
    assert 1 == done.syncs
    assert [("crm", "pending"), ("given-up", "held"), ("of-last-year", "synced")] == await table(
        db, "SELECT destination, state FROM syncs ORDER BY 1"
    )
    assert [("superseded",)] == await table(db, "SELECT resolution FROM dead_letters")


async def test_owed_events_are_handed_to_the_broker_anew(db: Pool) -> None:
    async with pool.transaction(db) as tx:
        await rows.event(tx, "pending")
        await tx.execute("UPDATE outbox SET published_at = now(), due_at = now() + '1 day'")
        await tx.execute("INSERT INTO progress VALUES ('orderhook.work', now() + '1 day')")
    assert 1 == (await restored(db)).events
    assert [(None, True)] == await table(db, "SELECT published_at, due_at <= now() FROM outbox")
    assert [] == await table(db, "SELECT * FROM progress")


async def test_a_lease_from_before_is_lost(db: Pool) -> None:
    async with pool.transaction(db) as tx:
        subject = await rows.subject(tx)
        await rows.sync(tx, subject, state="pending", lease_owner=new_id(), fence=7)
    await restored(db)
    assert [(None, 8, True)] == await table(
        db, "SELECT lease_owner, fence, due_at <= now() FROM syncs"
    )


async def test_subjects_without_a_state_get_no_step(db: Pool) -> None:
    async with pool.transaction(db) as tx:
        named = make.event().subject or pytest.fail("it names an order")
        await folding.stand(tx, [named], names=[])
    done = await restored(db)
    assert [(done.epoch,)] == await table(db, "SELECT version FROM subjects")
    assert [] == await table(db, "SELECT * FROM transitions")


async def test_many_subjects_are_lifted_batch_by_batch(db: Pool) -> None:
    async with pool.transaction(db) as tx:
        for number in range(restore.BATCH + 1):
            await rows.subject(tx, ref=str(number))
    done = await restored(db)
    assert restore.BATCH + 1 == done.subjects
    assert [(done.epoch + 1, done.subjects)] == await table(
        db, "SELECT version, count(*) FROM subjects GROUP BY 1"
    )


async def test_it_refuses_while_a_role_is_connected(db: Pool, database: str) -> None:
    async with pool.opened(database, size=1, name="fold"):
        with pytest.raises(Conflict, match="orderhook-fold"):
            await restored(db)
    done = await restored(db)
    assert [("me", "restored", done.epoch)] == await table(
        db, "SELECT actor, action, (detail->>'epoch')::bigint FROM operator_actions"
    )
