"""The gauges on a real PostgreSQL count what there is, up to a cap, and nothing that is gone."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from service.domain.budget import DAY, Limit
from service.domain.lifecycles import LIFECYCLES
from service.ops import gauges
from service.ops.gauges import Labels
from service.settings.models import BrokerSettings, Server, Settings, Store
from service.store import budgets, destinations, partitions, pool
from service.store import gauges as counted
from service.store.budgets import Key
from service.store.ids import new_id
from service.store.pool import Pool
from tests import rows
from tests.owed import owe

pytestmark = pytest.mark.postgres


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"orderhook_{name}", labels)


async def bury(db: Pool, destination: str | None, reason: str, *, resolved: bool = False) -> None:
    async with pool.session(db) as connection:
        await connection.execute(
            """
            INSERT INTO dead_letters (id, kind, event_id, subject_id, destination, reason, summary,
                                      resolved_at)
            VALUES ($1, $2, $3, $4, $5, $6, '', CASE WHEN $7 THEN now() END)
            """,
            new_id(),
            "sync" if destination else "event",
            None if destination else new_id(),
            new_id().int % 2**31 if destination else None,
            destination,
            reason,
            resolved,
        )


async def sync(db: Pool, destination: str, state: str, *subjects: int) -> None:
    async with pool.session(db) as connection:
        await connection.execute(
            """
            INSERT INTO syncs (subject_id, destination, state, desired_version, due_at)
            SELECT id, $2, $3, 1, CASE WHEN $3 IN ('synced', 'dead') THEN NULL ELSE now() END
            FROM unnest($1::bigint[]) AS id
            """,
            subjects,
            destination,
            state,
        )


async def look(db: Pool, destinations: Sequence[str] = ("crm", "wms"), **more: Any) -> None:
    await gauges.look_at_tables(db, Labels(destinations, **more))


async def test_what_is_owed_to_the_fold_is_counted_by_priority(db: Pool) -> None:
    async with pool.session(db) as connection:
        await owe(connection, 3)
        await owe(connection, 2, priority=9, published=0.0)
    await look(db)
    found = {name: sample("outbox_entries", priority=name) for name in ("high", "live", "backlog")}
    assert {"high": 0, "live": 3, "backlog": 2} == found
    assert 0 == sample("outbox_oldest_seconds", priority="high")
    oldest = sample("outbox_oldest_seconds", priority="live")
    assert oldest is not None
    assert 0 <= oldest < 60


async def test_a_count_stops_at_its_cap(db: Pool) -> None:
    async with pool.session(db) as connection:
        await owe(connection, 10)
        rows = await connection.fetch(counted.SQL["outbox"], [5], 4)
    assert [4] == [row["entries"] for row in rows]


async def test_syncs_are_counted_by_destination_and_state(db: Pool) -> None:
    await sync(db, "crm", "pending", 1, 2, 3)
    await sync(db, "crm", "no_record", 4)
    await sync(db, "crm", "synced", 5, 6)
    await sync(db, "gone", "pending", 7)
    await look(db)
    assert 3 == sample("syncs_owed", destination="crm", state="pending")
    assert 1 == sample("syncs_owed", destination="crm", state="no_record")
    assert 0 == sample("syncs_owed", destination="wms", state="pending")
    assert sample("syncs_owed", destination="gone", state="pending") is None
    await look(db, ["wms"])
    assert sample("syncs_owed", destination="crm", state="pending") is None


async def test_open_dead_letters_are_counted_by_kind_destination_and_reason(db: Pool) -> None:
    await bury(db, None, "unmapped")
    await bury(db, None, "unmapped", resolved=True)
    await bury(db, "crm", "refused")
    await bury(db, "crm", "refused")
    await bury(db, "gone", "refused")
    await look(db)
    assert 1 == sample("dead_letters_open", kind="event", destination="", reason="unmapped")
    assert 2 == sample("dead_letters_open", kind="sync", destination="crm", reason="refused")
    assert sample("dead_letters_open", kind="sync", destination="gone", reason="refused") is None


async def test_days_with_partitions_are_counted_by_what_stands_there(db: Pool) -> None:
    await look(db)
    assert -1 == sample("partition_days_ahead")
    await partitions.ensure(db)
    await look(db)
    assert 7 == sample("partition_days_ahead")


async def test_look_ups_that_are_owed_are_counted_by_source_and_age(db: Pool) -> None:
    async with pool.session(db) as connection:
        for source, minutes in (("shop", 5), ("shop", 1), ("gone", 9)):
            await connection.execute(
                "INSERT INTO owed_lookups (event_id, source, owed_since)"
                " VALUES ($1, $2, now() - $3 * interval '1 min')",
                *(new_id(), source, minutes),
            )
    await look(db, sources=["shop", "courier"])
    oldest = sample("lookups_oldest_seconds", source="shop")
    assert 2 == sample("lookups_owed", source="shop")
    assert oldest is not None
    assert 300 <= oldest < 330
    assert (0, 0) == tuple(
        sample(f"lookups_{each}", source="courier") for each in ("owed", "oldest_seconds")
    )
    assert sample("lookups_owed", source="gone") is None


async def test_anomalies_that_go_on_are_counted_by_kind_and_source(db: Pool) -> None:
    async with pool.session(db) as connection:
        for kind, source, ended in (
            ("key_conflict", "shop", False),
            ("key_conflict", "shop", False),
            ("key_conflict", "shop", True),
            ("alias_conflict", "courier", False),
            ("silence", "gone", False),
        ):
            await connection.execute(
                "INSERT INTO anomalies (id, kind, source, detail, ended_at)"
                " VALUES ($1, $2, $3, '', CASE WHEN $4 THEN now() END)",
                *(new_id(), kind, source, ended),
            )
    await look(db, sources=["shop", "courier"])
    assert 2 == sample("anomalies_open", kind="key_conflict", source="shop")
    assert 0 == sample("anomalies_open", kind="silence", source="shop")
    assert 1 == sample("anomalies_open", kind="alias_conflict", source="courier")
    assert sample("anomalies_open", kind="silence", source="gone") is None
    await look(db)
    assert sample("anomalies_open", kind="key_conflict", source="shop") is None


async def test_words_that_nothing_maps_are_counted_by_source(db: Pool) -> None:
    async with pool.session(db) as connection:
        for source, reason in (("shop", "unmapped"), ("shop", "unmapped"), ("shop", "unreadable")):
            event_id = await rows.event(connection, source=source, dedupe_key=str(new_id()))
            await rows.letter(connection, kind="event", event_id=event_id, reason=reason)
    await look(db, sources=["shop", "courier"])
    assert 2 == sample("unmapped_open", source="shop")
    assert 0 == sample("unmapped_open", source="courier")


async def test_subjects_that_contradict_themselves_are_counted_by_flag(db: Pool) -> None:
    async with pool.session(db) as connection:
        one = await rows.subject(connection, ref="1", flags=["shipped_unpaid", "unheard_of"])
        await rows.subject(connection, ref="2", flags=["shipped_unpaid"])
        await rows.subject(connection, ref="3", flags=["shipped_unpaid"], merged_into=one)
        await rows.subject(connection, ref="4")
    await look(db, flags=["shipped_unpaid", "returned_unshipped"])
    assert 2 == sample("subjects_flagged", flag="shipped_unpaid")
    assert 0 == sample("subjects_flagged", flag="returned_unshipped")
    assert sample("subjects_flagged", flag="unheard_of") is None


def test_the_labels_are_what_the_configuration_names(tmp_path: Path) -> None:
    server = Server(data_dir=tmp_path)
    made = Settings(
        server=server, store=Store(url="embedded"), broker=BrokerSettings(url="embedded")
    )
    labels = Labels.of(made)
    assert ([], []) == (list(labels.sources), list(labels.destinations))
    assert {alarm.flag for alarm in LIFECYCLES["order"].alarms} <= set(labels.flags)
    assert list(labels.flags) == sorted(set(labels.flags))


async def test_a_plan_walks_indexes_and_no_table(db: Pool) -> None:
    """Each is read every ten seconds, whatever has piled up."""
    async with pool.session(db) as connection:
        await connection.execute("SET enable_seqscan = off")
        plans = [
            await connection.fetch(f"EXPLAIN {counted.SQL['syncs']}", ["crm"], 10),
            await connection.fetch(f"EXPLAIN {counted.SQL['dead_events']}", ["unmapped"], 10),
            await connection.fetch(f"EXPLAIN {counted.SQL['dead_syncs']}", ["crm"], ["gone"], 10),
            await connection.fetch(f"EXPLAIN {counted.SQL['outbox']}", [5], 10),
            await connection.fetch(f"EXPLAIN {counted.SQL['anomalies']}", ["silence"], ["x"], 10),
            await connection.fetch(f"EXPLAIN {counted.SQL['flagged']}", ["x"], 10),
            await connection.fetch(f"EXPLAIN {counted.SQL['unmapped']}", ["x"], 10),
        ]
    for plan in plans:
        text = "\n".join(row[0] for row in plan)
        assert "Index" in text
        assert "Seq Scan" not in text


async def test_how_destinations_stand_and_what_is_left_of_a_days_quota(db: Pool) -> None:
    async with pool.transaction(db) as tx:
        await destinations.pause(tx, "wms", by="orderhook", cause="auth", reason="Refused.")
    await destinations.open_breaker(db, "crm", probe_after=timedelta(seconds=1), error="Away.")
    daily = Limit("daily", 1000, DAY)
    await budgets.make_known(db, "crm", [daily, Limit("requests", 5, timedelta(seconds=1))])
    await budgets.draw(db, Key("crm", "daily"), 250, allowance=1000, limit=daily)
    await look(db)
    assert (1, 0) == tuple(sample("breaker_open", destination=name) for name in ("crm", "wms"))
    assert [("auth", 1), ("human", 0), ("operator", 0)] == [
        (cause, sample("destination_paused", destination="wms", cause=cause))
        for cause in ("auth", "human", "operator")
    ]
    assert 0.75 == sample("budget_left_ratio", destination="crm", limit="daily")
    assert sample("budget_left_ratio", destination="crm", limit="requests") is None
