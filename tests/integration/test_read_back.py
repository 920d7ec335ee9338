"""What a CRM really shows: read back for one order, decided about by hand, and swept over."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from service.app.process import clock
from service.domain.errors import Declined, NotFound
from service.domain.events import Event, Subject
from service.domain.lifecycles import LIFECYCLES
from service.domain.routing import Route
from service.ops import dossiers, jobs, ledger, reconcile, refresh, syncs
from service.ops.decisions import Hand
from service.ops.lookups import Page
from service.ops.reconcile import Reconciler, Wish
from service.ops.refresh import Look
from service.ops.syncs import Action
from service.sandbox.behaviour import Behaviour
from service.sandbox.dialects.base import Dialect, running
from service.sandbox.dialects.freshsales import Freshsales
from service.sandbox.dialects.hubspot import HubSpot
from service.sandbox.dialects.twenty import Twenty
from service.settings import Destination
from service.store import destinations, partitions, pool
from service.store.pool import Pool, transaction
from service.worker.crms import registry
from service.worker.crms.client import open_session
from service.worker.crms.kind import Tools
from service.worker.readback import Adapter
from service.worker.rules import Rules
from tests import make, owed
from tests.contract.peers import Purse, configured
from tests.delivery import Free, Station, rows, until, until_states

pytestmark = pytest.mark.postgres

ORDER = Subject("order", "", "1001")
ROUTES = (Route(["*"], ["order.*"], ["crm"]),)
RETRY = {"first": "100ms", "max": "1s"}


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=6) as opened:
        await partitions.ensure(opened)
        yield opened


@dataclass
class Shop:
    """A simulated CRM, the pump that writes to it, and the people who look after both."""

    db: Pool
    dialect: Dialect
    at_work: Station[Any]
    adapter: Adapter

    @property
    def rule(self) -> Destination:
        return self.adapter.rule

    async def tell(self, ref: str, **said: Any) -> Event:
        event = make.event(**{"ref": ref, "lane": "payment", "status": "paid", **said})
        await self.at_work.happen(event)
        return event

    async def settled(self, orders: int = 1) -> None:
        async def reached() -> bool:
            query = "SELECT count(*) FROM syncs WHERE state = 'synced' AND due_at IS NULL"
            return await rows(self.db, query) == [(orders,)]

        await until(reached)

    def shows(self, ref: str) -> str:
        return self.dialect.status(self.entry(ref))

    def entry(self, ref: str) -> Any:
        return next(
            entry for entry in self.dialect.book.entries.values() if ref in entry.fields.values()
        )

    async def until_shows(self, ref: str, stage: str) -> None:
        async def reached() -> bool:
            return self.shows(ref) == stage

        await until(reached)

    async def look(self, ref: str = "1001", *, repair: bool = True, **how: Any) -> Any:
        adapters = {"crm": self.adapter}
        look = Look(self.db, adapters, LIFECYCLES, actor="anna", repair=repair, **how)
        return await refresh.read(look, Subject("order", "", ref))

    async def decide(self, action: Action, ref: str = "1001") -> Any:
        return await syncs.decide(
            Hand(self.db, Rules(routes=ROUTES), "anna"),
            Subject("order", "", ref),
            "crm",
            action,
            reason="I called them.",
            configured={"crm": self.rule},
        )

    async def reconcile(self, **wish: Any) -> Any:
        job, _ = await reconcile.place(
            self.db, {"crm": self.rule}, Wish("crm", "anna", **wish), mine=True
        )
        job = await self.runner().carry(job, asyncio.Event())
        return jobs.body(job)

    def runner(self) -> jobs.Runner:
        reconciler = Reconciler(self.db, lambda: {"crm": self.adapter})
        return jobs.Runner(self.db, {}, looks={"reconcile": reconciler.look})


Open = Callable[..., Any]


@pytest.fixture
def opened(db: Pool) -> Open:
    @asynccontextmanager
    async def shop(kind: type[Dialect] = HubSpot, **table: Any) -> AsyncIterator[Shop]:
        dialect = kind()
        async with running(dialect) as url, open_session(8) as session:
            usual = {"timeout": "2s", "retry": RETRY, "statuses": stages(dialect)}
            rule = configured({**dialect.destination(url), **usual, **table})
            tools = Tools(session, clock, Purse())
            crm = registry.crms_by_name()[rule.crm].build(rule, tools)
            async with Station(db, crm, rule, routes=ROUTES).running() as at_work:
                yield Shop(db, dialect, at_work, Adapter(rule, crm, Free()))

    return shop


def stages(dialect: Dialect) -> dict[str, str]:
    return {"paid": dialect.stages[1], "picking": dialect.stages[2]}


def readings(page: Any) -> list[tuple[Any, ...]]:
    return [(each["outcome"], each["repair"]) for each in page["readings"]]


PICKING = {"lane": "fulfillment", "status": "picking", "occurred_at": make.at(5)}


async def test_a_refresh_finds_what_is_right_and_changes_nothing(opened: Open) -> None:
    async with opened() as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        page = await shop.look()
        assert ([], [("right", None)]) == (page["drift"], readings(page))
        assert "synced" == page["syncs"][0]["state"]
        assert shop.entry("1001").id == page["syncs"][0]["remote_id"]
        query = "SELECT operation, class, detail FROM attempts ORDER BY id DESC LIMIT 1"
        assert [("read", "ok", "crm shows what it should.")] == await rows(shop.db, query)


async def test_what_a_person_changed_is_found_and_written_again(opened: Open, db: Pool) -> None:
    async with opened() as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.touch(shop.entry("1001"), "cancelled")
        page = await shop.look()
        (item,) = page["drift"]
        assert ("crm", "paid", "cancelled") == (item["destination"], item["ours"], item["theirs"])
        assert item["modified_at"] is not None
        assert [("drifted", "owed")] == readings(page)
        assert "sync" == page["history"][-1]["kind"]
        await shop.until_shows("1001", "paid")
        assert (await ledger.read(db))["balanced"] is True


async def test_who_may_not_repair_only_sees_it(opened: Open, db: Pool) -> None:
    async with opened() as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.touch(shop.entry("1001"), "cancelled")
        page = await shop.look(repair=False)
        assert 1 == len(page["drift"])
        assert [("drifted", None)] == readings(page)
        assert [("synced",)] == await rows(db, "SELECT state FROM syncs")
        assert "cancelled" == shop.shows("1001")


async def test_a_respected_edit_is_held_with_its_difference_until_it_is_overruled(
    opened: Open, db: Pool
) -> None:
    async with opened(conflict="respect") as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.touch(shop.entry("1001"), "cancelled")
        page = await shop.look()
        assert [("drifted", "held")] == readings(page)
        (sync,) = page["syncs"]
        assert ("held", "person", 0) == (sync["state"], sync["held_for"], sync["synced"])
        assert [("paid", "cancelled")] == [
            (each["ours"], each["theirs"]) for each in sync["difference"]
        ]
        (item,) = (await syncs.held(db, Page(), held_for="person"))["items"]
        assert ("order/1001", "crm") == (item["subject"], item["destination"])
        assert "--accept" in item["remedy"]
        assert (await ledger.read(db))["balanced"] is True
        page = await shop.decide(Action.OVERWRITE)
        assert "I called them." in page["history"][-1]["reason"]
        await shop.until_shows("1001", "paid")
        await until_states(db, ("synced", 1))
        assert [] == (await syncs.held(db, Page()))["items"]
        assert (await ledger.read(db))["balanced"] is True


@pytest.mark.parametrize("conflict", ["respect", "overwrite"])
async def test_an_accepted_edit_stays_until_the_next_version(
    opened: Open, db: Pool, conflict: str
) -> None:
    async with opened(conflict="respect") as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.touch(shop.entry("1001"), "cancelled")
        await shop.look()
        (sync,) = (await shop.decide(Action.ACCEPT))["syncs"]
        assert ("held", "operator", None) == (sync["state"], sync["held_for"], sync["due_at"])
        assert "anna keeps what stands there until the next version" in sync["error"]
        counted = (await ledger.read(db))["destinations"]["crm"]
        assert (1, 0) == (counted["held"], counted["synced"])
        page = await shop.look()
        assert [("drifted", None)] == readings(page)
        assert "cancelled" == shop.shows("1001")
        with pytest.raises(Declined, match="kept already"):
            await shop.decide(Action.ACCEPT)
        shop.at_work.pump.adopt(
            shop.rule.model_copy(update={"conflict": conflict}), shop.adapter.crm
        )
        await shop.tell("1001", **PICKING)
        await shop.until_shows("1001", "shipped")
        await until_states(db, ("synced", 1))
        assert (await ledger.read(db))["balanced"] is True


async def test_a_hold_is_over_once_the_person_sets_what_we_would(opened: Open, db: Pool) -> None:
    async with opened(conflict="respect") as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.touch(shop.entry("1001"), "cancelled")
        await shop.look()
        shop.dialect.touch(shop.entry("1001"), "delivered")
        page = await shop.look()
        assert [("drifted", "held")] == readings(page)
        assert ["delivered"] == [each["theirs"] for each in page["syncs"][0]["difference"]]
        shop.dialect.touch(shop.entry("1001"), "paid")
        page = await shop.look()
        assert [("right", "settled")] == readings(page)
        assert ("synced", None) == (page["syncs"][0]["state"], page["syncs"][0]["held_for"])
        assert (await ledger.read(db))["balanced"] is True


async def test_a_record_that_went_is_missing_and_owed_again(opened: Open) -> None:
    async with opened(retry={"first": "1h", "max": "1h"}) as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.book.entries.clear()
        page = await shop.look()
        assert [("missing", "owed")] == readings(page)
        await until_states(shop.db, ("no_record", 1))
        shop.dialect.seed("1001", status="open")
        page = await shop.look()
        assert [("drifted", "owed")] == readings(page)
        await shop.until_shows("1001", "paid")


async def test_a_slow_crm_costs_its_timeout_and_no_more(opened: Open) -> None:
    async with opened(timeout="20s") as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.mood.change(Behaviour(mode="hang"))
        begun = time.monotonic()
        page = await shop.look(within=0.5)
        assert time.monotonic() - begun < 10
        assert [("unread", None)] == readings(page)
        assert "could not be read" in page["readings"][0]["sentence"]
        assert "synced" == page["syncs"][0]["state"]


async def test_a_paused_destination_and_one_without_quota_are_not_called(
    opened: Open, db: Pool
) -> None:
    async with opened() as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        calls = len(shop.dialect.calls)
        shop.adapter.budget.wait = 5.0
        page = await shop.look(within=0.2)
        assert "The quota of crm is spent for now." == page["readings"][0]["sentence"]
        async with transaction(db) as tx:
            await destinations.pause(tx, "crm", by="bob", cause="operator", reason="They move.")
        page = await shop.look()
        assert [("unread", None)] == readings(page)
        assert "crm is paused" in page["readings"][0]["sentence"]
        assert calls == len(shop.dialect.calls)


async def test_who_is_told_every_change_cannot_be_read(opened: Open, db: Pool) -> None:
    rule = configured(
        {"crm": "callback", "url": "http://127.0.0.1:9", "secret": f"plain:whsec_{'A' * 32}"}
    )
    async with opened() as shop, open_session(1) as session:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        told = registry.crms_by_name()["callback"].build(rule, Tools(session, clock, Purse()))
        shop.adapter = Adapter(rule, told, Free())
        page = await shop.look()
        assert [("told", None)] == readings(page)
        with pytest.raises(Declined, match="told every change"):
            await reconcile.place(db, {"crm": rule}, Wish("crm", "anna"))


async def test_a_dead_letter_is_driven_again_by_hand(opened: Open, db: Pool) -> None:
    async with opened(on_missing="dead_letter") as shop:
        await shop.tell("1001")
        await until_states(db, ("dead", 1))
        page = await shop.look()
        assert [("missing", None)] == readings(page)
        assert "dead letter" in page["readings"][0]["sentence"]
        shop.dialect.seed("1001", status="open")
        await shop.decide(Action.RETRY)
        await shop.until_shows("1001", "paid")
        await until_states(db, ("synced", 1))
        assert (await ledger.read(db))["balanced"] is True


async def test_what_is_decided_must_make_sense(opened: Open, db: Pool) -> None:
    async with opened(shadow=True) as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await until_states(db, ("held", 1))
        page = await shop.look()
        assert [("drifted", None)] == readings(page)
        assert "shadow" == page["syncs"][0]["held_for"]
        assert ["open"] == [each["theirs"] for each in page["syncs"][0]["difference"]]
        with pytest.raises(Declined, match="in shadow"):
            await shop.decide(Action.OVERWRITE)
        with pytest.raises(Declined, match="in shadow"):
            await shop.decide(Action.ACCEPT)
        with pytest.raises(NotFound):
            await shop.decide(Action.RETRY, "1002")
        await rows(db, "UPDATE syncs SET destination = 'other' RETURNING 1")
        with pytest.raises(NotFound, match="No route has led order/1001 to crm"):
            await shop.decide(Action.RETRY)


async def test_an_order_in_a_workers_hand_is_taken_out_of_it(opened: Open, db: Pool) -> None:
    async with opened() as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.mood.change(Behaviour(mode="hang"))
        await shop.tell("1001", **PICKING)
        leased = "SELECT 1 FROM syncs WHERE lease_owner IS NOT NULL AND intent_version = 2"

        async def is_leased() -> bool:
            return await rows(db, leased) == [(1,)]

        await until(is_leased)
        await shop.decide(Action.OVERWRITE)
        shop.dialect.mood.change(Behaviour())
        await shop.until_shows("1001", "shipped")
        await until_states(db, ("synced", 1))
        assert (await ledger.read(db))["balanced"] is True


@pytest.mark.parametrize("kind", [HubSpot, Twenty, Freshsales])
async def test_a_hidden_edit_is_found_by_reconciling(
    opened: Open, db: Pool, kind: type[Dialect]
) -> None:
    refs = [f"o{number}" for number in range(12)]
    async with opened(kind) as shop:
        first, second = shop.dialect.stages[0], shop.dialect.stages[1]
        for ref in refs:
            shop.dialect.seed(ref, status=first)
        shop.dialect.seed("stranger", status=first)
        for ref in refs:
            await shop.tell(ref)
        await shop.settled(12)
        shop.dialect.touch(shop.entry("o3"), first)
        shop.dialect.touch(shop.entry("o7"), first)
        seen = await shop.reconcile(dry_run=True)
        assert ("finished", 12, 0) == (seen["state"], seen["done"], seen["skipped"])
        # A feed tells of all that changed there, also of what no order of ours leads to.
        strangers = 1 if shop.adapter.crm.capabilities.feed else 0
        expected = {"right": 10, "drifted": 2, "unknown": strangers, "repaired": 0}
        assert expected == seen["counts"]
        assert first == shop.shows("o3")
        done = await shop.reconcile()
        assert {**expected, "repaired": 2} == done["counts"]
        await shop.until_shows("o3", second)
        await shop.until_shows("o7", second)
        repaired = "SELECT count(*) FROM syncs WHERE priority = 9"
        assert [(2,)] == await rows(db, repaired)  # after all live work
        assert (await ledger.read(db))["balanced"] is True


async def test_a_reconciliation_goes_on_where_another_process_left_it(
    opened: Open, db: Pool
) -> None:
    async with opened(Freshsales) as shop:  # reads one by one, and no feed tells what changed
        for number in range(3):
            shop.dialect.seed(f"o{number}", status=shop.dialect.stages[0])
            await shop.tell(f"o{number}")
        await shop.settled(3)
        job, _ = await reconcile.place(db, {"crm": shop.rule}, Wish("crm", "anna"), mine=True)
        with pytest.raises(Declined, match="already"):
            await reconcile.place(db, {"crm": shop.rule}, Wish("crm", "anna"))
        stop = asyncio.Event()
        first = await shop.runner().carry(job, stop, told=lambda _: stop.set())
        assert (1, "running") == (first.done, first.state)
        stop = asyncio.Event()

        async def finished() -> bool:
            found = await jobs.find(db, job.id)
            return found is not None and found.state == "finished"

        run = asyncio.create_task(shop.runner().run(stop))
        await until(finished)
        stop.set()
        await run
        found = await jobs.find(db, job.id)
        assert found is not None
        assert (3, 3) == (found.done, (found.counts or {})["right"])


async def test_refused_credentials_end_a_reconciliation_with_a_sentence(opened: Open) -> None:
    async with opened() as shop:
        shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        shop.dialect.expire()
        body = await shop.reconcile()
        assert "failed" == body["state"]
        assert "crm could not be read" in body["error"]


async def test_destinations_are_reconciled_in_their_turn(opened: Open, db: Pool) -> None:
    async with opened(reconcile="1h") as shop:
        assert timedelta(hours=1) == shop.rule.reconcile
        await turn(db, shop.rule)
        assert [("orderhook", "queued")] == await rows(db, "SELECT actor, state FROM jobs")
        await turn(db, shop.rule)  # one at a time …
        await rows(db, "UPDATE jobs SET state = 'finished', due_at = NULL RETURNING 1")
        await turn(db, shop.rule)  # … and not again before the hour is over
        assert [(1,)] == await rows(db, "SELECT count(*) FROM jobs")
        await rows(db, "UPDATE jobs SET created_at = created_at - interval '61 min' RETURNING 1")
        await turn(db, shop.rule)
        assert [(2,)] == await rows(db, "SELECT count(*) FROM jobs")


async def turn(db: Pool, rule: Destination) -> None:
    """Let the keeper look once."""
    looked = asyncio.Event()

    def configured_now() -> dict[str, Destination]:
        looked.set()
        return {"crm": rule}

    async with owed.running(reconcile.keeper(db, configured_now)):
        await looked.wait()


async def test_the_page_and_the_attempts_say_what_was_told_in_words(opened: Open, db: Pool) -> None:
    async with opened() as shop:
        entry = shop.dialect.seed("1001", status="open")
        await shop.tell("1001")
        await shop.settled()
        page = await dossiers.read(db, ORDER, lifecycles=LIFECYCLES)
        assert page is not None
        (sync,) = page["syncs"]
        assert (entry.id, None, []) == (sync["remote_id"], sync["held_for"], sync["difference"])
        said = await rows(db, "SELECT detail FROM attempts ORDER BY id DESC LIMIT 1")
        assert [(f"Wrote hs_pipeline_stage: paid to record {entry.id}.",)] == said
