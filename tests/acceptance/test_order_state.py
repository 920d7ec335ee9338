"""The state of orders told in any order, twice, by many systems, while people decide: it is lawful.

Every sender is a system that Orderhook knows by configuration alone.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import jwt
import pytest

from service.domain.events import Alias, Event, Revocation
from service.domain.state import Pin
from service.store.ids import new_id
from tests import golden_stories
from tests.acceptance import checker, tales, tellers
from tests.acceptance.checker import Evidence
from tests.acceptance.senders import Witness
from tests.acceptance.stage import JWT_SECRET, Stage, until
from tests.acceptance.tales import Ending, Tale, tale
from tests.golden_stories import GoldenStory
from tests.unit.domain.stories import SOURCES

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]

ROLES = ("gateway", "relay", "worker-1", "worker-2")
EACH = 4
"""Orders that live each golden story."""
DECIDED_WITHIN = 30.0
FOLLOWED_WITHIN = 20.0
COURIER = "cdek"
"""In the stories it knows the number of the parcel and never that of the order."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """An operator at the API; whoever is told to try again does."""

    session: aiohttp.ClientSession
    api: str

    async def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        url = f"{self.api}/api/v1{path}"
        headers = {"Authorization": f"Bearer {_operator()}"}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 500 or answer.status == 503, (url, await answer.text())
            said: Json = await answer.json(content_type=None)
            return answer.status, said

    async def page(self, ref: str) -> Json:
        status, page = await self.ask("GET", f"/subjects/order/{ref}")
        assert status == 200, page
        return page

    async def decide(self, method: str, path: str, body: Json | None = None) -> Json:
        """Insist while what it is about is not there yet, or held by others."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + DECIDED_WITHIN
        while True:
            status, said = await self.ask(method, f"/subjects/order/{path}", body)
            if status == 200:
                return said
            assert status in {404, 409, 503}, (path, said)
            assert clock() < deadline, (path, said)
            await asyncio.sleep(0.03)

    async def correct(self, ref: str, lane: str, status: str) -> Pin:
        body = {"lane": lane, "status": status, "reason": "Seen."}
        page = await self.decide("POST", f"{ref}/corrections", body)
        mine = [each for each in page["corrections"] if each["lane"] == lane]
        assert status in {each["status"] for each in mine}
        number = max(each["id"] for each in mine if each["status"] == status)
        return Pin(number, lane, status)

    async def release(self, ref: str, pin: Pin) -> None:
        await self.decide("DELETE", f"{ref}/corrections/{pin.id}")

    async def roll_back(self, ref: str, event: Event) -> None:
        """Find the event by its key, as soon as it is folded."""
        found = await self.find(event)
        body = {"event_id": found, "reason": "Wrong."}
        await self.decide("POST", f"{ref}/rollbacks", body)

    async def find(self, event: Event) -> str:
        clock = asyncio.get_running_loop().time
        deadline = clock() + DECIDED_WITHIN
        ref = event.statement.ref
        while clock() < deadline:
            _, page = await self.ask(
                "GET", f"/events?source={event.source}&subject=order/{ref}&limit=200"
            )
            for item in page.get("items", ()):
                if item["dedupe_key"] == event.statement.dedupe_key:
                    return str(item["id"])
            await asyncio.sleep(0.05)
        raise AssertionError(f"{event} never came")

    async def link(self, ref: str, value: str) -> None:
        await self.decide("PUT", f"{ref}/aliases", {"type": tellers.TRACKING, "value": value})

    async def unlink(self, ref: str, value: str) -> None:
        await self.decide("DELETE", f"{ref}/aliases", {"type": tellers.TRACKING, "value": value})

    async def merge(self, loser: str, winner: str) -> None:
        body = {"into": f"order/{winner}", "reason": "One."}
        await self.decide("POST", f"{loser}/merge", body)


def _operator() -> str:
    claims = {"iss": "orderhook", "aud": "orderhook", "sub": "anna", "role": "operator"}
    return jwt.encode({**claims, "iat": 1_700_000_000, "exp": 4_000_000_000}, JWT_SECRET, "HS256")


@asynccontextmanager
async def desk(stage: Stage) -> AsyncIterator[Desk]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield Desk(session, stage.places.api)


@dataclass(frozen=True, slots=True)
class Life:
    """One order that lives a golden story: the same events under its own numbers."""

    ref: str
    story: GoldenStory
    events: Sequence[Event]

    def key(self, name: str) -> tuple[str, str]:
        """The source and the key of an event of the story, here."""
        source, _, key = name.partition("/")
        return source, f"{self.ref}/{key}"

    @property
    def outcomes(self) -> dict[tuple[str, str], str]:
        expected = self.story.expected["outcomes"]
        return {self.key(name): outcome for name, outcome in expected.items()}

    @property
    def page(self) -> Json:
        wanted = ("status", "lanes", "parcels", "attributes", "flags")
        return {name: self.story.expected[name] for name in wanted}


def live(name: str, number: int) -> Life:
    story, ref = golden_stories.load(name), f"{name}-{number}"
    return Life(ref, story, [_own(event, ref) for event in story.events])


def _own(event: Event, ref: str) -> Event:
    said = event.statement
    nameless = event.source == COURIER and said.aliases
    return replace(
        event,
        id=new_id(),
        statement=replace(
            said,
            ref=None if nameless else ref,
            dedupe_key=f"{ref}/{said.dedupe_key}",
            aliases=tuple(Alias(each.type, f"{ref}/{each.value}") for each in said.aliases),
            revokes=said.revokes and Revocation(event.source, f"{ref}/{said.revokes.dedupe_key}"),
        ),
    )


async def test_every_golden_story_ends_as_it_should_in_any_order_of_arrival(stage: Stage) -> None:
    """A worker dies in the middle, and people decide while events come."""
    lives = [live(name, number) for name in golden_stories.names() for number in range(EACH)]
    events = [event for each in lives for event in each.events]
    await tellers.configure(stage, {event.source for event in events})
    await stage.open(*ROLES)
    witness = stage.witness()
    batch = tellers.posts(events, random.Random(51), copies=2)
    async with desk(stage) as anna:
        sending = asyncio.create_task(witness.send(batch))
        deciding = asyncio.gather(*(_decide(anna, each) for each in lives))
        await until(lambda: len(witness.attempts) > len(batch) // 2, "half of it is sent")
        stage.programs["worker-1"].kill()
        await asyncio.gather(sending, deciding)
        evidence = await checker.gather(stage.places)
        assert not checker.faults(witness, evidence)
        expected = Counter(outcome for each in lives for outcome in each.outcomes.values())
        _expect_totals(evidence, expected)
        outcomes = _outcomes(evidence)
        for each in lives:
            page = await anna.page(each.ref)
            assert (each.ref, each.page) == (each.ref, _seen(page))
            assert each.outcomes == {key: outcomes[key] for key in each.outcomes}
            _expect_history(page, evidence)
            _expect_record(page, evidence)


async def _decide(anna: Desk, life: Life) -> None:
    for pin in life.story.pins:
        await anna.correct(life.ref, pin.lane, pin.status)
    for event, own in zip(life.story.events, life.events, strict=True):
        if event.id in life.story.rolled_back:
            await anna.roll_back(life.ref, own)


def _expect_totals(evidence: Evidence, expected: Mapping[str, int]) -> None:
    """The ledger counts exactly that, and nothing besides."""
    totals = evidence.ledger["totals"]
    found = {name: totals[name] for name in checker.BUCKETS if totals[name]}
    assert dict(expected) == found
    assert sum(expected.values()) == totals["accepted"]


def _seen(page: Json) -> Json:
    return {
        "status": page["status"],
        "lanes": page["lanes"],
        "parcels": {each["parcel"]: each["lanes"] for each in page["parcels"]},
        "attributes": page["attributes"],
        "flags": [each["flag"] for each in page["flags"]],
    }


def _key(event: Json) -> tuple[str, str]:
    return event["source"], event["dedupe_key"]


def _expect_history(page: Json, evidence: Evidence) -> None:
    """The page lists every event of the subject with the outcome it has, and why in words."""
    told = {step["event_id"]: step for step in page["history"] if step["kind"] == "event"}
    family = {page["subject"], *(each["subject"] for each in page["merged"])}
    mine = [event for event in evidence.events if event["subject"] in family]
    assert {event["id"]: event["outcome"] for event in mine} == {
        event_id: step["outcome"] for event_id, step in told.items()
    }
    assert all(step["reason"] for step in told.values())


def _expect_record(page: Json, evidence: Evidence) -> None:
    """The CRM shows the same."""
    (shown,) = [order for order in evidence.orders if order["subject"] == page["subject"]]
    names = ("status", "lanes", "attributes", "version")
    assert {name: page[name] for name in names} == {name: shown[name] for name in names}


def town(chance: random.Random, *, pairs: int) -> list[Tale]:
    """Orders in pairs; some of their events know only a name that is linked last, or never."""
    told: list[Tale] = []
    for number in range(pairs):
        told += _PAIRS[number % len(_PAIRS)](f"{number}", chance)
    return told


def _linked(tag: str, chance: random.Random) -> list[Tale]:
    """One is linked by one name, the other one by way of an event that has two."""
    one = tale(f"{tag}-a", chance, nameless=[[f"{tag}-a1"], [f"{tag}-a1", f"{tag}-a2"]])
    one.link(f"{tag}-a1")
    other = tale(f"{tag}-b", chance, nameless=[[f"{tag}-b2"]])
    other.tell(
        "courier",
        ref=None,
        aliases=tales.named(f"{tag}-b1", f"{tag}-b2"),
        status="lost",
        lane="delivery",
    )
    other.link(f"{tag}-b1")
    return [one, other]


def _never(tag: str, chance: random.Random) -> list[Tale]:
    """One is never linked; the link of the other one is taken back."""
    one = tale(f"{tag}-a", chance, nameless=[[f"{tag}-a1"]])
    other = tale(f"{tag}-b", chance, nameless=[[f"{tag}-b1"]])
    other.revoke(other.link(f"{tag}-b1"))
    return [one, other]


def _contradicted(tag: str, chance: random.Random) -> list[Tale]:
    """Both claim one name, so that neither has it; each has another one for itself."""
    one = tale(f"{tag}-a", chance, nameless=[[f"{tag}-s"], [f"{tag}-a1"]])
    other = tale(f"{tag}-b", chance, nameless=[[f"{tag}-b1"]])
    one.link(f"{tag}-s", f"{tag}-a1")
    other.link(f"{tag}-s", f"{tag}-b1", source="wms")
    return [one, other]


def _settled(tag: str, chance: random.Random) -> list[Tale]:
    """Both claim one name, and one takes its word back."""
    one = tale(f"{tag}-a", chance, nameless=[[f"{tag}-s"]])
    other = tale(f"{tag}-b", chance)
    one.link(f"{tag}-s")
    other.revoke(other.link(f"{tag}-s"))
    return [one, other]


def _plain(tag: str, chance: random.Random) -> list[Tale]:
    return [tale(f"{tag}-a", chance), tale(f"{tag}-b", chance)]


_PAIRS = (_linked, _never, _contradicted, _settled, _plain)


async def test_made_up_orders_with_late_and_contradicting_names_end_by_the_law(
    stage: Stage,
) -> None:
    """Links come last of all; what they contradict each other about waits."""
    chance = random.Random(52)
    told = town(chance, pairs=50)
    await tellers.configure(stage, SOURCES)
    await stage.open(*ROLES)
    witness = stage.witness()
    events = [event for each in told for event in each.events]
    links = [event for event in events if event.statement.ref and event.statement.aliases]
    early = tellers.posts([each for each in events if each not in links], chance, copies=2)
    late = tellers.posts(links, chance, copies=2)
    await witness.send([*early, *late], rate=600.0)
    await _expect_lawful(stage, witness, told)


async def _expect_lawful(stage: Stage, witness: Witness, told: Sequence[Tale]) -> None:
    """Pages, outcomes, ledger and CRM are what the law makes of everything that was said."""
    ends = tales.endings(told)
    expected = {
        _name(event): ends[each.ref].outcomes[event.id] for each in told for event in each.events
    }
    evidence = await _settle(stage, expected)
    assert not checker.faults(witness, evidence)
    found = _outcomes(evidence)
    wrong: list[object] = [
        (event.source, event.statement, found[_name(event)], expected[_name(event)])
        for each in told
        for event in each.events
        if found[_name(event)] != expected[_name(event)]
    ]
    async with desk(stage) as anna:
        for each in told:
            page = await anna.page(each.ref)
            if (said := _views(page)) != (law := _lawful(ends[each.ref])):
                wrong.append((each.ref, {"page": said, "law": law}))
            _expect_history(page, evidence)
            _expect_record(page, evidence)
    assert not wrong, "\n".join(map(str, wrong))
    _expect_totals(evidence, Counter(expected.values()))


async def _settle(stage: Stage, expected: Mapping[tuple[str, str], str]) -> Evidence:
    """Look when all is quiet; events that follow others are only looked after now and then."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + FOLLOWED_WITHIN
    while True:
        evidence = await checker.gather(stage.places)
        if _outcomes(evidence) == expected or clock() > deadline:
            return evidence
        await asyncio.sleep(0.5)


def _outcomes(evidence: Evidence) -> dict[tuple[str, str], str]:
    return {_key(event): event["outcome"] for event in evidence.events}


def _name(event: Event) -> tuple[str, str]:
    return event.source, event.statement.dedupe_key


def _views(page: Json) -> Json:
    seen = _seen(page)
    del seen["flags"]
    return {**seen, "attributes": tales.by_value(seen["attributes"])}


def _lawful(end: Ending) -> Json:
    return {
        "status": end.status,
        "lanes": dict(end.views.lanes),
        "parcels": {name: dict(lanes) for name, lanes in end.views.parcels.items()},
        "attributes": tales.by_value(end.views.attributes),
    }


Act = Callable[[Desk], Awaitable[None]]
"""What people do about the orders of one story, whenever they get to it."""


def _corrected(tag: str, chance: random.Random) -> tuple[Tale, Act]:
    """Several at once; one is released."""
    made = tale(tag, chance)

    async def act(anna: Desk) -> None:
        made.pins += await asyncio.gather(
            anna.correct(tag, "delivery", "lost"),
            anna.correct(tag, "delivery", "delivery_failed"),
            anna.correct(tag, "order", "confirmed"),
        )
        gone = await anna.correct(tag, "delivery", "delivered")
        await anna.release(tag, gone)

    return made, act


def _rolled_back(tag: str, chance: random.Random) -> tuple[Tale, Act]:
    """Whatever names the order: a link and a revocation among it."""
    made = tale(tag, chance, nameless=[[f"{tag}-1"]])
    link = made.link(f"{tag}-1")
    revocation = made.revoke(made.tell("wms", lane="fulfillment", status="packed"))
    first = next(event for event in made.events if event.statement.ref is not None)
    wrong = [link, revocation, *([first] if first is not link else [])]
    made.rolled_back = {event.id for event in wrong}

    async def act(anna: Desk) -> None:
        await asyncio.gather(*(anna.roll_back(tag, event) for event in wrong))

    return made, act


def _named(tag: str, chance: random.Random) -> tuple[Tale, Act]:
    """The operator says what no sender does."""
    made = tale(tag, chance, nameless=[[f"{tag}-1"], [f"{tag}-2"]])
    made.linked = {f"{tag}-1", f"{tag}-2"}

    async def act(anna: Desk) -> None:
        await asyncio.gather(*(anna.link(tag, name) for name in sorted(made.linked)))

    return made, act


def _denied(tag: str, chance: random.Random) -> tuple[Tale, Act]:
    """A sender's word for a name is taken back for good, however often it is repeated."""
    made = tale(tag, chance, nameless=[[f"{tag}-1"]])
    for source in ("shop", "wms", "shop"):
        made.link(f"{tag}-1", source=source)
    made.denied = {f"{tag}-1"}

    async def act(anna: Desk) -> None:
        await anna.unlink(tag, f"{tag}-1")

    return made, act


def _changed_mind(tag: str, chance: random.Random) -> tuple[Tale, Act]:
    """A name is given and taken back, while its events come."""
    made = tale(tag, chance, nameless=[[f"{tag}-1"]])

    async def act(anna: Desk) -> None:
        for _ in range(3):
            await anna.link(tag, f"{tag}-1")
            await anna.unlink(tag, f"{tag}-1")

    return made, act


def _merged(tag: str, chance: random.Random) -> tuple[Tale, Act]:
    """Two become one, and that one another; what was decided about each of them holds."""
    lost, gone, stays = (
        tale(f"{tag}-{each}", chance, nameless=[[f"{tag}-{each}1"]]) for each in "abc"
    )
    lost.link(f"{tag}-a1")
    gone.link(f"{tag}-b1", f"{tag}-c1")
    wrong = next(event for event in lost.events if event.statement.ref is not None)
    made = tales.merged(stays, tales.merged(gone, lost))
    made.rolled_back = {wrong.id}

    async def act(anna: Desk) -> None:
        made.pins.append(await anna.correct(lost.ref, "delivery", "lost"))
        made.pins.append(await anna.correct(gone.ref, "payment", "paid"))
        await anna.merge(lost.ref, gone.ref)
        made.pins.append(await anna.correct(gone.ref, "delivery", "delivery_failed"))
        await anna.merge(gone.ref, stays.ref)
        await anna.roll_back(stays.ref, wrong)

    return made, act


ACTS = (_corrected, _rolled_back, _named, _denied, _changed_mind, _merged)
ROUNDS = 5


async def test_what_people_decide_while_events_come_is_neither_lost_nor_in_the_way(
    stage: Stage,
) -> None:
    """Corrections, roll-backs, names given and taken, and merges race with folds of two workers."""
    chance = random.Random(53)
    await tellers.configure(stage, SOURCES)
    await stage.open(*ROLES)
    witness = stage.witness()
    told: list[Tale] = []
    acts: list[Act] = []
    for number in range(ROUNDS):
        for act in ACTS:
            made, acting = act(f"{number}-{act.__name__.strip('_')}", chance)
            told.append(made)
            acts.append(acting)
    events = [event for each in told for event in each.events]
    batch = tellers.posts(events, chance, copies=2)
    async with desk(stage) as anna:
        sending = asyncio.create_task(witness.send(batch, rate=150.0))
        await asyncio.gather(sending, *(act(anna) for act in acts))
    await _expect_lawful(stage, witness, told)
