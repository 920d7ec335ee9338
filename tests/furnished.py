"""An installation in which something of everything has happened, and the addresses of its pages."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp

from service.store.ids import first_id
from service.store.pool import Connection, transaction
from tests import rows
from tests.browsing import Site, until

SERVER = """
public_url = "https://hooks.example.com"
two_people = true
"""
MORE = """
[sources.stripe]
provider = "stripe"
secrets = ["plain:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
subject = { ref = "data.object.metadata.order_no" }
[sources.cdek]
provider = "generic"
verify = { scheme = "bearer" }
secrets = ["plain:the-couriers-word"]
key = "id"
subject = { aliases = { tracking = "parcel" } }
occurred_at = "at"
status = "state"
[sources.cdek.statuses]
ON_THE_WAY = "delivery.in_transit"
HANDED_OVER = "delivery.delivered"
[sources.new-wms]
provider = "generic"
mode = "capture"
[destinations.hubspot]
crm = "hubspot"
url = "http://127.0.0.1:9/"
token = "plain:pat-eu1-never-shown"
statuses = { paid = "paid", shipped = "shipped", delivered = "delivered" }
[[routes]]
sources = ["stripe"]
destinations = ["hubspot"]
"""
HERO = "10231"
"""The order that more happened to than to the others."""
STUCK = "10207"
"""The order whose record somebody changed at the CRM."""
CROWD = 360
"""Orders of the last hour that nothing special happened to."""
STATUSES = ("paid", "paid", "picking", "picking", "shipped", "in_transit", "delivered", "delivered")
LANES = {
    "paid": "payment",
    "picking": "fulfillment",
    "shipped": "fulfillment",
    "in_transit": "delivery",
    "delivered": "delivery",
}
TRACKING = "RB104728811CN"
REFUSED = "hubspot refuses it: HTTP 422: Property values were not valid: amount is no number."


@dataclass
class Furnished:
    """What is where."""

    site: Site
    pages: dict[str, list[str]] = field(default_factory=dict)
    """Addresses below the console, by the path of the route that shows them."""

    def __getitem__(self, path: str) -> str:
        return self.pages[path][0]

    def all(self) -> Sequence[str]:
        return [address for each in self.pages.values() for address in each]


async def furnish(site: Site) -> Furnished:
    """Fill it through the gateway and the API, and what takes long to happen by hand."""
    await _stories(site)
    async with transaction(site.db) as tx:
        await _crowd(tx, datetime.now(UTC))
        await _troubles(tx, datetime.now(UTC))
    await _decisions(site)
    return Furnished(site, await _pages(site))


def ago(**said: float) -> datetime:
    return datetime.now(UTC) - timedelta(**said)


def id_at(moment: datetime, number: int) -> UUID:
    """As it was made then; numbers keep those of one moment apart."""
    return UUID(int=first_id(moment).int | (7 << 76) | (8 << 60) | number)


async def _stories(site: Site) -> None:
    begin = ago(hours=5)

    def at(minutes: float) -> str:
        return (begin + timedelta(minutes=minutes)).isoformat()

    for id_, state, minutes, more in (
        ("a1", "PAID", 0, {"total": "129.90", "customer": "Ada Lovelace"}),
        ("a2", "PACKED", 64, {}),
        ("a2", "PACKED", 64, {}),
        ("a3", "SHIPPED", 118, {"tracking": TRACKING}),
    ):
        await posted(site, id=id_, order=HERO, at=at(minutes), state=state, **more)
    await courier(site, id="c1", parcel=TRACKING, at=at(171), state="ON_THE_WAY")
    await courier(site, id="c2", parcel="RB104729904CN", at=at(190), state="ON_THE_WAY")
    await posted(site, id="a4", order=HERO, at=at(130), state="PACKED")
    await posted(site, id="a5", order=HERO, at=at(215), state="ON_HOLD_BY_BANK")
    await courier(site, id="c3", parcel=TRACKING, at=at(200), state="HELD_AT_CUSTOMS")
    await posted(site, id="b1", order=STUCK, at=at(3), state="PAID", total="48.00")
    for number in range(5):
        ref, when = f"1024{number}", at(20 * number)
        await posted(site, id=f"d{number}", order=ref, at=when, state="ON_HOLD_BY_BANK")
    await _until_done(site)
    async with aiohttp.ClientSession() as session:
        for name, word in (("shop", "a-wrong-word"), ("shop", ""), ("nobody", "x")):
            headers = {"Authorization": f"Bearer {word}"}
            url = f"{site.public}/webhooks/{name}"
            async with session.post(url, json={}, headers=headers) as answer:
                assert answer.status == 401
        said = {"order": "10250", "event": "picked", "at": at(1)}
        async with session.post(f"{site.public}/webhooks/new-wms?v=2", json=said) as answer:
            assert answer.status < 300


async def posted(site: Site, **item: Any) -> None:
    """As a sender does: again, when a busy machine says later."""

    async def taken() -> bool:
        return await site.post(**item) in {200, 202}

    await until(taken)


async def courier(site: Site, **item: str) -> None:
    headers = {"Authorization": "Bearer the-couriers-word"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{site.public}/webhooks/cdek", json=item, headers=headers) as answer,
    ):
        assert answer.status in {200, 202}, await answer.text()


async def _until_done(site: Site) -> None:
    async def done() -> bool:
        async with transaction(site.db) as tx:
            return not await tx.fetchval(
                "SELECT EXISTS (SELECT FROM outbox) OR"
                " EXISTS (SELECT FROM syncs WHERE state = 'pending' AND attempts = 0)"
            )

    await until(done)


async def _crowd(tx: Connection, now: datetime) -> None:
    """Orders of the last hour: an event each, told to the CRM a moment later."""
    chance = random.Random(7)
    for number in range(CROWD):
        status = STATUSES[number % len(STATUSES)]
        quarter = 15 * chance.choice((0, 1, 1, 2, 3, 3, 3))
        received = now - timedelta(minutes=quarter + chance.uniform(0.5, 15))
        told = received + timedelta(milliseconds=chance.uniform(90, 900))
        source = "stripe" if status == "paid" else "shop"
        subject = await rows.subject(tx, ref=str(11000 + number), status=status, updated_at=told)
        event = await rows.event(
            tx,
            "applied",
            id=id_at(received, number),
            request_id=id_at(received, 9000 + number),
            source=source,
            dedupe_key=f"crowd-{number}",
            ref=str(11000 + number),
            lane=LANES[status],
            status=status,
            code=status.upper(),
            occurred_at=received - timedelta(seconds=2),
            received_at=received,
        )
        change = id_at(told, 20_000 + number)
        await rows.transition(tx, subject, event, version=3, id=change, at=told, status=status)
        await rows.sync(tx, subject, synced_status=status)
        await rows.attempt(tx, subject, version=3, id=id_at(told, 30_000 + number), at=told)


async def _troubles(tx: Connection, now: datetime) -> None:
    """What hubspot refuses, what a person changed there, and how far its budget is spent."""
    for number in range(38):
        since = now - timedelta(minutes=7 * number + 2)
        subject = await rows.subject(tx, ref=str(12000 + number), updated_at=since)
        await rows.sync(
            *(tx, subject),
            destination="hubspot",
            state="dead",
            synced_version=0,
            error=REFUSED,
        )
        await rows.letter(
            tx,
            kind="sync",
            subject_id=subject,
            destination="hubspot",
            reason="refused" if number % 6 else "unknown_outcome",
            summary=REFUSED,
            first_at=since,
            last_at=since,
        )
        await rows.attempt(
            tx,
            subject,
            version=3,
            destination="hubspot",
            http_status=422,
            **{"class": "permanent"},
            detail=REFUSED,
            id=id_at(since, number),
            at=since,
        )
    stuck = await tx.fetchval("SELECT id FROM subjects WHERE ref = $1", STUCK)
    await rows.sync(
        tx,
        stuck,
        destination="hubspot",
        state="held",
        held_for="person",
        remote_id="88120",
        desired_version=1,
        synced_version=0,
        difference={"hs_status": {"ours": "paid", "theirs": "refunded"}},
    )
    await tx.execute(
        "INSERT INTO budgets"
        " (destination, name, count, period, used, ceiling, resets_at, earned_at) VALUES"
        " ('hubspot', 'day', 250000, '1 day', 214000, 250000, $1, now() + interval '20 h')",
        now + timedelta(hours=4),
    )
    await tx.execute(
        "INSERT INTO spools (id, gateway, entries, bytes, damaged, oldest_at)"
        " VALUES (gen_random_uuid(), 'gateway-2', 0, 0, 0, NULL)"
    )
    await rows.anomaly(tx, detail=f"tracking={TRACKING} leads to two orders.", source="cdek")


async def _decisions(site: Site) -> None:
    """People did these."""
    reason = {"reason": "Their token has no right to write orders; Maria asks for it."}
    await call(site, "POST", "/destinations/hubspot/pause", reason, subject="maria@example.com")
    name = f"/subjects/order/{HERO}"
    await call(site, "PUT", f"{name}/aliases", {"type": "invoice", "value": "INV-2210"})
    await call(
        site,
        "POST",
        f"{name}/corrections",
        {"lane": "delivery", "status": "delivered", "reason": "The customer called: it is there."},
        subject="maria@example.com",
    )
    filtered = {"filter": {"kind": "sync", "destination": "hubspot", "reason": "refused"}}
    await call(site, "POST", "/dead-letters/redrive", filtered, subject="jun@example.com")
    async with transaction(site.db) as tx:
        ids = await tx.fetch(
            "SELECT l.id FROM dead_letters l JOIN events e ON e.id = l.event_id"
            " WHERE e.code = 'HELD_AT_CUSTOMS'"
        )
    given = {"ids": [str(row["id"]) for row in ids], "because": "Customs let it go."}
    await call(site, "POST", "/dead-letters/discard", given)

    async def ended() -> bool:
        async with transaction(site.db) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM jobs WHERE state = 'finished'"))

    await until(ended)


async def call(
    site: Site, method: str, path: str, body: Mapping[str, Any], *, subject: str = "anna"
) -> Any:
    async with (
        aiohttp.ClientSession(headers=site.bearer("admin", subject=subject)) as session,
        session.request(method, f"{site.internal}/api/v1{path}", json=body) as answer,
    ):
        text = await answer.text()
        assert answer.status < 300, f"{path}: {text}"
        return json.loads(text)


async def _pages(site: Site) -> dict[str, list[str]]:
    """Every page there is, once or in more than one state."""
    async with transaction(site.db) as tx:

        async def one(query: str) -> str:
            return str(await tx.fetchval(query))

        event = await one(
            f"SELECT id FROM events WHERE ref = '{HERO}' AND status = 'shipped' LIMIT 1"
        )
        unmapped = await one("SELECT id FROM events WHERE code = 'HELD_AT_CUSTOMS'")
        letter = await one(
            "SELECT id FROM dead_letters WHERE reason = 'unmapped' AND resolved_at IS NULL"
        )
        refused = await one("SELECT id FROM dead_letters WHERE reason = 'refused'")
        awaiting = await one("SELECT id FROM jobs WHERE state = 'awaiting_approval'")
        finished = await one("SELECT id FROM jobs WHERE state = 'finished'")
        capture = await one("SELECT id FROM captures")
    order = "/orders/{lifecycle:[^/]+}/{ref:[^/]+}"
    return {
        "/": ["/"],
        "/orders": ["/orders", "/orders?status=paid", "/orders?q=1100", "/orders?q=no-such"],
        order: [f"/orders/order/{HERO}", f"/orders/order/{STUCK}"],
        f"{order}/merge": [f"/orders/order/{STUCK}/merge?into={HERO}"],
        "/events/{id:[^/]+}": [f"/events/{event}", f"/events/{unmapped}"],
        "/dead-letters": ["/dead-letters"],
        "/dead-letters/list": [
            "/dead-letters/list?kind=sync&destination=hubspot&reason=refused",
            "/dead-letters/list?kind=event&reason=unmapped",
            "/dead-letters/list?resolution=discarded",
        ],
        "/dead-letters/{id:[0-9a-fA-F-]{36}}": [
            f"/dead-letters/{letter}",
            f"/dead-letters/{refused}",
        ],
        "/jobs": ["/jobs"],
        "/jobs/{id:[0-9a-fA-F-]{36}}": [f"/jobs/{awaiting}", f"/jobs/{finished}"],
        "/replay": ["/replay", "/replay?source=shop&outcomes=unmapped"],
        "/sources": ["/sources"],
        "/sources/{name:[^/]+}": ["/sources/shop", "/sources/stripe", "/sources/new-wms"],
        r"/sources/{name:[^/]+}/captures/{id:\d+}": [f"/sources/new-wms/captures/{capture}"],
        "/destinations": ["/destinations"],
        "/destinations/{name:[^/]+}": ["/destinations/crm", "/destinations/hubspot"],
        "/audit": ["/audit", "/audit?actor=maria@example.com"],
    }


NO_PAGES: Mapping[str, str] = {
    r"/static/{digest:[0-9a-f]{12}}/{name:[a-z.]+}": "files",
    "/live": "signals for open pages",
    "/now/attention": "a part of the first page",
    "/events/{id:[^/]+}/request": "a file to download",
    "/dead-letters/plan": "leads back: the plan answers a form",
    "/audit/verification": "leads back: the verdict answers a form",
    "/sources/{name:[^/]+}/test": "leads back: the test answers a form",
    "/oidc": "leads away",
    "/oidc/back": "leads on",
    "/welcome": "leads on",
    "/sign-in": "for those who are not signed in",
}
"""What a GET answers without being a page of somebody who is signed in, and what it is."""
