"""The outside proof: what the senders saw and what API and CRM show go in, violations come out.

It looks through HTTP only, and believes nothing but the answers the senders got.
"""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.acceptance import reference
from tests.acceptance.reference import Said
from tests.acceptance.senders import Attempt, Witness, by_order

BUCKETS = (
    *("applied", "superseded", "revoked", "ignored"),
    *("waiting", "dead", "discarded", "pending"),
)
SYNC_BUCKETS = ("synced", "pending", "no_record", "held", "dead")
DESTINATION = "crm"
QUIET_WITHIN = 60.0
MOST_DOUBTS = 10

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the service and the CRM can be asked."""

    api: str
    token: str
    crm: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that can be seen from outside when all is quiet."""

    ledger: Json
    events: Sequence[Json]
    orders: Sequence[Json]
    calls: Sequence[Json]
    """Every call the CRM got, oldest first."""


@dataclass(frozen=True, slots=True)
class Violation:
    kind: str
    id: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.id}: {self.why}"


async def prove(
    witness: Witness, places: Places, *, dead: int = 0, wasted: bool = True
) -> Evidence:
    """Wait until nothing is pending, then raise unless every promise holds.

    `dead` dead letters are lawful here; without `wasted` no call may repeat what is known.
    """
    evidence = await gather(places)
    found = violations(witness, evidence, dead=dead, wasted=wasted)
    assert not found, "\n".join(["the promises are broken:", *map(str, found)])
    return evidence


async def gather(places: Places, *, within: float = QUIET_WITHIN) -> Evidence:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        ask = _Questions(session, places)
        await ask.quiet(within)
        return Evidence(
            ledger=await ask.api("/ledger"),
            events=[event async for event in ask.pages("/events")],
            orders=(await ask.crm("/orders"))["items"],
            calls=await ask.calls(),
        )


@dataclass(frozen=True, slots=True)
class _Questions:
    session: aiohttp.ClientSession
    places: Places

    async def quiet(self, within: float) -> None:
        """Return when nothing is pending, or after a while; the proof then says what still is."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + within
        while _unsettled(await self.api("/ledger")) and clock() < deadline:
            await asyncio.sleep(0.2)

    async def api(self, path: str, **query: str) -> Json:
        bearer = {"Authorization": f"Bearer {self.places.token}"}
        url = f"{self.places.api}/api/v1{path}"
        async with self.session.get(url, params=query, headers=bearer) as response:
            assert response.status == 200, (url, response.status, await response.text())
            body: Json = await response.json()
            return body

    async def pages(self, path: str) -> AsyncIterator[Json]:
        query = {"limit": "200"}
        while True:
            page = await self.api(path, **query)
            for item in page["items"]:
                yield item
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    async def crm(self, path: str, **query: str) -> Json:
        async with self.session.get(f"{self.places.crm}{path}", params=query) as response:
            assert response.status == 200, (path, response.status)
            body: Json = await response.json()
            return body

    async def calls(self) -> list[Json]:
        got: list[Json] = []
        after = "-1"
        while True:
            page = await self.crm("/calls", after=after)
            got += page["items"]
            if page["next"] is None:
                return got
            after = str(page["next"])


def _unsettled(ledger: Json) -> bool:
    owed: int = sum(row["pending"] for row in ledger["destinations"].values())
    return bool(ledger["incomplete"] or owed + int(ledger["totals"]["pending"]))


def violations(
    witness: Witness, seen: Evidence, *, dead: int = 0, wasted: bool = True
) -> list[Violation]:
    return [
        *_wrong(witness, seen.orders),
        *faults(witness, seen, dead=dead, wasted=wasted),
    ]


def faults(
    witness: Witness, seen: Evidence, *, dead: int = 0, wasted: bool = True
) -> list[Violation]:
    """All violations that can be told without knowing what the events mean."""
    return [
        *_answers(witness.attempts),
        *_lost_or_phantom(witness, seen.events),
        *_effects(seen.calls),
        *([] if wasted else _wasted(seen.calls)),
        *_unbalanced(seen.ledger, dead=dead),
        *_miscounted(witness, seen),
    ]


def _answers(attempts: Sequence[Attempt]) -> Iterator[Violation]:
    """A 202 must count what was posted, and tell of a duplicate as agreed."""
    for one in attempts:
        if one.status != 202:
            continue
        name, size = f"{one.post.source}/{one.post.events[:1]}", len(one.post.events)
        if one.answer["events"] != size:
            yield Violation("answer", name, f"{one.answer} for {size} events")
        duplicate = one.answer["duplicates"] == size
        if duplicate != (one.headers.get("Orderhook-Duplicate") == "true"):
            yield Violation("answer", name, f"{one.answer} does not fit its header")


def _lost_or_phantom(witness: Witness, events: Sequence[Json]) -> Iterator[Violation]:
    found = Counter((event["source"], event["dedupe_key"]) for event in events)
    accepted = {(said.source, said.key) for said in witness.accepted}
    doubtful = {(said.source, said.key) for said in witness.doubtful}
    for key in sorted(accepted - found.keys()):
        yield Violation("lost", "/".join(key), "it was acknowledged, but is not among the events")
    for key in sorted(found.keys() - accepted - doubtful):
        yield Violation("phantom", "/".join(key), "it is among the events, but was never accepted")
    for key, times in sorted(found.items()):
        if times > 1:
            yield Violation("twice", "/".join(key), f"it is {times} times among the events")


def _wrong(witness: Witness, orders: Sequence[Json]) -> Iterator[Violation]:
    """The CRM's view of each order must be the law's, for what was accepted."""
    shown = {order["subject"]: order for order in orders}
    sure, unsure = by_order(witness.accepted), by_order(witness.doubtful)
    for subject in sorted(shown.keys() - {f"order/{ref}" for ref in {*sure, *unsure}}):
        yield Violation("phantom", subject, "the CRM has an order that no accepted event names")
    for ref, events in sorted(sure.items()):
        order = shown.get(f"order/{ref}")
        if order is None:
            yield Violation("lost", f"order/{ref}", "the CRM does not have it")
            continue
        got = (order["status"], order["lanes"])
        lawful = list(_lawful(events, unsure.get(ref, set())))
        if got not in lawful:
            yield Violation("wrong", f"order/{ref}", f"the CRM shows {got}, lawful is {lawful}")


def _lawful(sure: set[Said], unsure: set[Said]) -> Iterator[tuple[str, dict[str, str]]]:
    """The end of the accepted events together with any of those nobody can be sure of."""
    assert len(unsure) <= MOST_DOUBTS, f"too many doubts about one order: {unsure}"
    for size in range(len(unsure) + 1):
        for some in itertools.combinations(unsure, size):
            lanes = reference.lanes(sure | set(some))
            yield reference.overall(lanes), lanes


def _effects(calls: Sequence[Json]) -> Iterator[Violation]:
    """No effect twice, no older version after a newer one, no key for two bodies."""
    by_key: Counter[str] = Counter()
    by_version: Counter[tuple[str, int]] = Counter()
    newest: dict[str, int] = defaultdict(int)
    for call in calls:
        if call["effect"] in {"corrupt", "refused"}:
            yield Violation(call["effect"], call["key"], f"call {call['number']}: {call['detail']}")
        if call["effect"] != "applied":
            continue
        subject, version = call["subject"], call["version"]
        by_key[call["key"]] += 1
        by_version[subject, version] += 1
        if call["key"] != f"{DESTINATION}:{subject}:{version}":
            yield Violation("key", call["key"], f"it is not the key of {subject} at {version}")
        if version < newest[subject]:
            yield Violation("stale", subject, f"{version} was applied after {newest[subject]}")
        newest[subject] = max(version, newest[subject])
    for name, times in [*by_key.items(), *by_version.items()]:
        if times > 1:
            yield Violation("dup_effect", str(name), f"it had its effect {times} times")


def _wasted(calls: Sequence[Json]) -> Iterator[Violation]:
    for call in calls:
        if call["effect"] != "applied":
            yield Violation("wasted", call["key"], f"call {call['number']} was {call['effect']}")


def _unbalanced(ledger: Json, *, dead: int) -> Iterator[Violation]:
    if not ledger["balanced"] or ledger["incomplete"]:
        yield Violation("unbalanced", "ledger", f"it says so itself: {ledger['misplaced']}")
    for name, row in {**ledger["sources"], "totals": ledger["totals"]}.items():
        yield from _unequal(name, row, whole="accepted", parts=BUCKETS)
        if row["pending"]:
            yield Violation("unbounded", name, f"{row['pending']} events are still pending")
    for name, row in ledger["destinations"].items():
        yield from _unequal(name, row, whole="owed", parts=SYNC_BUCKETS)
        if row["synced"] != row["owed"]:
            yield Violation("unbounded", name, f"not everything owed is synced: {row}")
    if ledger["totals"]["dead"] != dead:
        yield Violation("dead", "totals", f"{ledger['totals']['dead']} dead letters, not {dead}")


def _unequal(name: str, row: Json, *, whole: str, parts: Sequence[str]) -> Iterator[Violation]:
    if row[whole] != sum(row[part] for part in parts):
        yield Violation("unbalanced", name, f"{row}")


def _miscounted(witness: Witness, seen: Evidence) -> Iterator[Violation]:
    """The ledger must count neither more nor less than what was acknowledged."""
    for source in sorted({one.post.source for one in witness.attempts}):
        told = seen.ledger["sources"].get(source, {"accepted": 0})["accepted"]
        sure = sum(said.source == source for said in witness.accepted)
        unsure = sum(said.source == source for said in witness.doubtful)
        if not sure <= told <= sure + unsure:
            yield Violation("miscounted", source, f"{told} events, not {sure} (+ {unsure} unsure)")
        yield from _miscounted_requests(witness.attempts, source, ledger=seen.ledger)
    owed = seen.ledger["destinations"].get(DESTINATION, {"owed": 0})["owed"]
    if owed != len(seen.orders):
        yield Violation("miscounted", DESTINATION, f"{owed} syncs, but {len(seen.orders)} orders")


def _miscounted_requests(
    attempts: Sequence[Attempt], source: str, *, ledger: Json
) -> Iterator[Violation]:
    counted = ledger["requests"].get(source, Counter())
    told = counted["accepted"] + counted["duplicate"]
    mine = [one for one in attempts if one.post.source == source]
    sure = sum(one.status == 202 for one in mine)
    unsure = sum(one.status is None or one.status >= 500 for one in mine)
    unsure += _spooled_copies(mine)
    if not sure <= told <= sure + unsure:
        yield Violation("miscounted", source, f"{told} requests, not {sure} (+ {unsure} unsure)")


def _spooled_copies(attempts: Sequence[Attempt]) -> int:
    """Copies that were answered without knowing the one before: they went into a spool.

    One whose commit was in doubt may be counted as it was committed and as it came home.
    """
    fresh = Counter(
        one.post.body for one in attempts if one.status == 202 and not one.answer.get("duplicates")
    )
    return sum(count - 1 for count in fresh.values())
