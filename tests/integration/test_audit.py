"""What operators did is only ever added to, and whoever changes it all the same is found out."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.domain.errors import StoreUnavailable
from service.ops import audit
from service.ops.lookups import Page
from service.store import actions, pool
from service.store.audit import Filter
from service.store.pool import Pool, transaction

pytestmark = pytest.mark.postgres


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=8) as opened:
        yield opened


async def act(db: Pool, number: int) -> None:
    async with transaction(db) as tx:
        target = f"order/{number}"
        await actions.record(tx, "anna", "subject.correct", target=target, detail={"n": number})


async def tamper(dsn: str, *statements: str) -> None:
    """As somebody does who owns the tables: past the triggers."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_actions_make_one_chain_however_many_act_at_once(db: Pool) -> None:
    await asyncio.gather(*(act(db, number) for number in range(30)))
    found = await audit.verify(db)
    assert (30, None) == (found.number, found.broken)


@pytest.mark.parametrize("table", ["operator_actions", "audit_chain"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
async def test_nothing_of_it_can_be_changed_or_taken_away(
    db: Pool, table: str, statement: str
) -> None:
    await act(db, 1)
    column = "actor" if table == "operator_actions" else "hash"
    with pytest.raises(StoreUnavailable):
        async with transaction(db) as tx:
            await tx.execute(statement.format(table, column, column))
    assert 1 == (await audit.verify(db)).number


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (
            ["UPDATE operator_actions SET actor = 'bert' WHERE target = 'order/2'"],
            "Link 2 does not cover its action as it is: one of them was changed.",
        ),
        (
            ["UPDATE operator_actions SET at = at + interval '1 second' WHERE target = 'order/3'"],
            "Link 3 does not cover its action as it is: one of them was changed.",
        ),
        (
            ["DELETE FROM operator_actions WHERE target = 'order/2'"],
            "The action of link 2 is gone.",
        ),
        (
            [
                "DELETE FROM operator_actions WHERE target = 'order/2'",
                "DELETE FROM audit_chain WHERE number = 2",
            ],
            "After link 1 comes 3: some are gone.",
        ),
        (
            [
                (
                    "UPDATE audit_chain SET number = CASE number WHEN 2 THEN 30 ELSE 20 END"
                    " WHERE number IN (2, 3)"
                ),
                "UPDATE audit_chain SET number = number / 10 WHERE number > 3",
            ],
            "Link 2 does not cover its action as it is: one of them was changed.",
        ),
        (
            ["ALTER TABLE operator_actions DISABLE TRIGGER append_only"],
            "operator_actions can be changed: a trigger of migration 0008 is gone or off.",
        ),
    ],
)
async def test_a_row_edited_reordered_or_deleted_is_found(
    db: Pool, database: str, statements: list[str], why: str
) -> None:
    for number in (1, 2, 3):
        await act(db, number)
    await tamper(database, *statements)
    assert why == (await audit.verify(db)).broken


async def test_an_action_put_in_past_the_trigger_is_found(db: Pool, database: str) -> None:
    await act(db, 1)
    await tamper(
        database,
        "INSERT INTO operator_actions (id, actor, action, target, detail)"
        " VALUES (gen_random_uuid(), 'bert', 'x', 'y', '{}')",
    )
    assert "put in past the trigger" in str((await audit.verify(db)).broken)


async def test_a_chain_without_its_end_is_found_by_a_head_that_was_written_down(
    db: Pool, database: str
) -> None:
    for number in (1, 2, 3):
        await act(db, number)
    head = (await audit.verify(db)).head
    await act(db, 4)
    assert (await audit.verify(db, head=head)).broken is None
    await tamper(
        database,
        "DELETE FROM operator_actions WHERE target IN ('order/3', 'order/4')",
        "DELETE FROM audit_chain WHERE number > 2",
    )
    assert (await audit.verify(db)).broken is None
    assert "is no link of it" in str((await audit.verify(db, head=head)).broken)


async def test_the_list_begins_with_the_last_and_goes_on_page_by_page(db: Pool) -> None:
    for number in range(1, 6):
        await act(db, number)
    first = await audit.actions(db, Filter(actor="anna"), Page(3))
    then = await audit.actions(db, Filter(), Page(3, first["next"]))
    assert [5, 4, 3, 2, 1] == [each["number"] for each in (*first["items"], *then["items"])]
    assert then["next"] is None
    assert [] == (await audit.actions(db, Filter(actor="bert"), Page(3)))["items"]
