"""The harness itself: it finds what is wrong, plays the same rounds for a seed, adds up well."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from service.broker.window import WINDOW
from tests.acceptance.reference import Said
from tests.acceptance.senders import COURIER, Post
from tests.torture import page, proof, schedule
from tests.torture.crm import Book
from tests.torture.excuses import unexcused
from tests.torture.faults import entries, registry
from tests.torture.gun import Shot
from tests.torture.handed import SLACK, Handed
from tests.torture.plant import Plant
from tests.torture.proof import Books, Evidence
from tests.torture.proxy import Link, act
from tests.torture.traffic import Witness
from tests.torture.weather import Weather

SAID = Said(COURIER, "k1", "A", "delivery", "in_transit", None)
GOOD = Shot(202, duplicate=False, ms=5.0)


def witness(shot: Shot = GOOD) -> Witness:
    made = Witness()
    made.note(Post(COURIER, b"{}", (SAID,)), shot, at=1.0)
    return made


def call(**more: Any) -> dict[str, Any]:
    usual = {"n": 0, "at": 2.0, "key": "crm:order/A:1", "effect": "applied", "version": 1}
    shows = {"subject": "order/A", "status": "in_transit", "lanes": {"delivery": "in_transit"}}
    return {**usual, **shows, **more}


def evidence(**more: Any) -> Evidence:
    books = Books({(COURIER, "k1"): 1}, {"order/A": "in_transit"}, {"applied": 1}, {}, {})
    books = replace(books, requests={COURIER: (1, 0)}, owed={"outbox": 0})
    totals = dict.fromkeys(("accepted", *proof.BUCKETS), 0) | {"accepted": 1, "applied": 1}
    ledger = {"balanced": True, "incomplete": False, "totals": totals, "sources": {COURIER: totals}}
    usual: dict[str, Any] = {"books": books, "ledger": ledger, "calls": [call()]}
    books_more = more.pop("books", {})
    return Evidence(**{**usual, **more, "books": replace(books, **books_more)})


def kinds(seen: Evidence, by: Witness | None = None) -> set[str]:
    return {finding.kind for finding in proof.findings(by or witness(), seen)}


def test_a_world_in_order_has_no_findings() -> None:
    assert set() == kinds(evidence())


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("lost", {"books": {"events": {}}}),
        ("lost", {"calls": []}),
        ("phantom", {"books": {"events": {(COURIER, "k1"): 1, (COURIER, "k2"): 1}}}),
        ("phantom", {"books": {"events": {(COURIER, "k1"): 2}}}),
        ("dup_effect", {"calls": [call(), call(n=1)]}),
        ("dup_effect", {"calls": [call(), call(n=1, key="other", effect="applied")]}),
        ("dup_effect", {"calls": [call(), call(n=1, effect="corrupt")]}),
        ("wrong", {"calls": [call(status="delivered")]}),
        ("wrong", {"books": {"subjects": {"order/A": "delivered"}}}),
        ("stale", {"calls": [call(key="crm:order/A:2", version=2), call(n=1)]}),
        ("unbounded", {"books": {"owed": {"outbox": 1}}}),
        ("unbounded", {"queues": {"torture.work": 3}}),
        ("unbalanced", {"books": {"buckets": {"applied": 1, "nowhere": 1}}}),
        ("miscounted", {"books": {"requests": {COURIER: (2, 0)}}}),
        ("miscounted", {"books": {"requests": {COURIER: (0, 0)}}}),
    ],
)
def test_each_kind_of_harm_is_found(kind: str, seen: dict[str, Any]) -> None:
    assert kind in kinds(evidence(**seen))


@pytest.mark.parametrize("status", ["unknown", 503])
def test_a_doubtful_event_may_be_in_or_out(status: Any) -> None:
    unsure = witness(Shot(status, duplicate=False, ms=5.0))
    nothing: dict[str, Any] = {"events": {}, "subjects": {}, "buckets": {}, "requests": {}}
    zero = dict.fromkeys(("accepted", *proof.BUCKETS), 0)
    empty = {"balanced": True, "incomplete": False, "totals": zero, "sources": {}}
    assert set() == kinds(evidence(), unsure)
    assert set() == kinds(evidence(books=nothing, ledger=empty, calls=[]), unsure)


def test_what_nobody_could_connect_for_must_not_be_in() -> None:
    refused = witness(Shot("refused", duplicate=False, ms=5.0))
    assert "phantom" in kinds(evidence(), refused)


def test_a_seed_plays_the_same_rounds() -> None:
    def played(seed: int) -> list[Any]:
        rounds = schedule.rounds(registry.FAULTS, seed=seed, brisk=False, alone=False)
        return [
            [(turn.fault.name, turn.after, turn.seconds) for turn in next(rounds).turns]
            for _ in range(50)
        ]

    assert played(5) == played(5)
    assert played(5) != played(6)


def test_every_fault_has_its_turn_and_no_two_of_a_round_hurt_the_same() -> None:
    rounds = schedule.rounds(registry.FAULTS, seed=1, brisk=True, alone=False)
    some = [next(rounds) for _ in registry.FAULTS]
    assert set(registry.FAULTS) == {type(turn.fault) for one in some for turn in one.turns}
    for one in some:
        targets = [turn.fault.target for turn in one.turns]
        assert len(targets) == len(set(targets))


def test_names_of_faults_are_their_own() -> None:
    names = [fault.name for fault in registry.FAULTS]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    ("words", "some", "other"),
    [
        ("all", "RabbitMQ wiped", None),
        ("F23", "RabbitMQ wiped", "RabbitMQ killed"),
        ("relay", "relay killed", "RabbitMQ killed"),
        ("all,-wiped", "RabbitMQ killed", "RabbitMQ wiped"),
    ],
)
def test_faults_are_chosen_by_words(words: str, some: str, other: str | None) -> None:
    names = {fault.name for fault in registry.chosen(words)}
    assert some in names
    assert other not in names


def _log_line(moment: str, reason: str) -> str:
    return f'worker-1: {{"reason":"{reason}","timestamp":"2026-11-22T{moment}Z"}}'


def test_only_a_deadlock_that_a_fault_made_is_excused() -> None:
    """The fault lasted from 12:00:10 to 12:00:14; a deadlock is found a second late."""
    began = datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC).timestamp()
    made = _log_line("12:00:15.2", "DeadlockDetectedError")
    ours = [
        _log_line("12:00:09.9", "DeadlockDetectedError"),
        _log_line("12:00:16.1", "DeadlockDetectedError"),
        _log_line("12:00:12.0", "Traceback"),
        "worker-1: DeadlockDetectedError, and no word of when",
    ]
    assert unexcused([made, *ours], [(began, began + 4)]) == ours
    assert unexcused([made], []) == [made]


def test_the_crm_knows_again_what_it_did_before_it_was_killed(tmp_path: Any) -> None:
    path, said = tmp_path / "effects", {"subject": "order/A", "version": 2}
    book = Book(path)
    assert "applied" == book.judge("k", "d", said)
    book.write({"key": "k", "digest": "d", "effect": "applied", "status": "paid", **said})
    with path.open("ab") as file:
        file.write(b'{"n":1,"torn')
    again = Book(path)
    assert "repeated" == again.judge("k", "d", said)
    assert "corrupt" == again.judge("k", "other", said)
    assert "stale" == again.judge("k2", "d", {**said, "version": 1})


def sitting(**more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "began": "2026-11-22T08:00:00Z",
        "seed": 1,
        "seconds": 60.0,
        "rate": 300.0,
        "command": "make torture",
        "machine": "2 cores",
        "latency": {"p50": 1.0},
        "versions": dict.fromkeys(
            ("server_version", "fsync", "synchronous_commit", "full_page_writes", "rabbitmq"), "on"
        ),
        "events": {"accepted": 3000},
        "requests": {},
        "calls": {},
        "kills": {"worker": 3},
        "faults": [],
        "sets": dict.fromkeys(proof.SETS, 0),
        "findings": [],
        "rude": {},
        "quiet_after": 1.0,
        "looks": 1,
        "surprises": [],
        "surprising": 0,
        "remarks": [],
        "absent": {},
    }
    return {**usual, **more}


def test_sittings_add_up_to_a_bound() -> None:
    text = page.page([sitting(), sitting(seed=2)])
    assert "0 of 6,000 acknowledged events lost: below 0.0005 each (95 %)" in text
    assert "below 0.5 per kill" in text
    assert "2 sittings, 2 without a finding" in text


def test_a_loss_leaves_no_bound() -> None:
    lost = sitting(sets={**dict.fromkeys(proof.SETS, 0), "lost": 1}, findings=["lost: k"])
    text = page.page([lost])
    assert "there is no bound to give" in text
    assert "1 sitting, 0 without a finding" in text


@asynccontextmanager
async def _echoing() -> AsyncIterator[Link]:
    writers: list[asyncio.StreamWriter] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError):
            while data := await reader.read(1000):
                writer.write(data)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = Link("echo", f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await link.open()
    try:
        yield link
    finally:
        link.close()
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def _said(link: Link, words: bytes, *, within: float = 0.3) -> bytes:
    """What comes back until the end, or in that time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    got = b""
    with suppress(OSError, TimeoutError):
        writer.write(words)
        async with asyncio.timeout(within):
            while got != words and (part := await reader.read(1000)):
                got += part
    writer.transport.abort()
    await asyncio.sleep(0)
    return got


def test_the_tail_of_a_spool_is_torn_and_can_be_mended(tmp_path: Path) -> None:
    path = tmp_path / "0.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE entries (number INTEGER PRIMARY KEY, sealed BLOB)")
        rows = [(b"%d" % number * 8,) for number in range(5)]
        db.executemany("INSERT INTO entries (sealed) VALUES (?)", rows)
    torn = entries.tear(path)
    assert [(path, 5, b"4" * 8), (path, 4, b"3" * 8), (path, 3, b"2" * 8)] == torn
    with closing(sqlite3.connect(path)) as db, db:
        assert [8, 8, 4, 4, 4] == [len(row[0]) for row in db.execute("SELECT sealed FROM entries")]


def test_more_than_a_window_with_the_broker_is_found() -> None:
    seen = Handed(cast("Plant", None))
    seen.most = WINDOW + SLACK
    assert [] == list(seen.findings())
    seen.most += 1
    assert ["unbounded"] == [found.kind for found in seen.findings()]


@pytest.mark.parametrize(
    ("sky", "comes"),
    [
        (Weather(), b"hello proxy"),
        (Weather(delay=0.01, jitter=0.01), b"hello proxy"),
        (Weather(drip=1000), b"hello proxy"),
        (Weather(hold=("down",)), b""),
        (Weather(hold=("up",)), b""),
        (Weather(drop=("up",)), b""),
        (Weather(refuse=True), b""),
        (Weather(reset_after=5), b"hello"),
        (Weather(truncate_after=5), b"hello"),
        (Weather(answer="go away"), b"go away"),
    ],
)
async def test_the_proxy_makes_every_weather(sky: Weather, comes: bytes) -> None:
    async with _echoing() as link:
        words: Mapping[str, Any] = json.loads(json.dumps({"weather": asdict(sky)}))
        act(link, dict(words))
        assert comes == await _said(link, b"hello proxy")


async def test_what_was_held_comes_when_the_weather_clears() -> None:
    async with _echoing() as link:
        link.change(Weather(hold=("down",)))
        saying = asyncio.create_task(_said(link, b"patience", within=2.0))
        await asyncio.sleep(0.1)
        link.change(Weather())
        assert b"patience" == await saying
