"""Every CRM on the whole road: the right stage and fields, each effect once, all accounted for."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from service.sandbox.behaviour import Behaviour
from tests.acceptance.crms import SHOP_SECRET, Crm, Json, Square, square
from tests.acceptance.stage import JWT_SECRET, Stage
from tests.contract.peers import YES

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(180)]

LIVE = ("A-1001", "A-1002", "A-1003")
LATE, NEW, TWICE, WILD, GONE = "L-2001", "N-3001", "T-4001", "W-5001", "X-6001"
TOTAL = Decimal("49.90")
PATIENT = {"salesforce", "twenty"}
"""What says that it was too fast, and not for how long, is left alone for a minute."""
BUCKETS = ("synced", "pending", "no_record", "held", "dead")


async def test_every_crm_shows_every_order_once_whatever_happens_on_the_way(stage: Stage) -> None:
    async with square(stage, on_missing="create", notes=True) as town:
        for crm in town.crms:
            for order in (*LIVE, TWICE):
                crm.dialect.seed(order)
            if not crm.dialect.unique:
                crm.dialect.seed(TWICE)
        await stage.open("all")
        await _tells(town)
        await _misbehaves(town)
        await _is_missing(town)
        ledger = await town.quiet()
        _accounted(ledger, town.crms)
        for crm in town.crms:
            _shown_once(crm)
        await _explained(town)
        await _silent(town)


async def test_every_crm_is_left_as_a_person_set_it_and_waited_for(stage: Stage) -> None:
    async with square(stage, conflict="respect", on_missing="wait") as town:
        for crm in town.crms:
            for order in LIVE[:2]:
                crm.dialect.seed(order)
        await stage.open("all")
        for order in (*LIVE[:2], LATE):
            await town.post(order, "PAID", hour=2)
        await town.until(lambda crm: all(crm.shows(each, "paid") for each in LIVE[:2]), "paid")
        await town.ledger(lambda _, row: row["no_record"] == 1, "one is missing")
        for crm in town.crms:
            crm.dialect.touch(crm.entry(LIVE[0]), crm.dialect.stages[0])
            crm.dialect.seed(LATE)
        for order in LIVE[:2]:
            await town.post(order, "SHIPPED", hour=3)
        await town.until(lambda crm: crm.shows(LIVE[1], "shipped"), "nobody touched it")
        await town.until(lambda crm: crm.shows(LATE, "paid"), "it came late")
        ledger = await town.ledger(
            lambda _, row: row["held"] == 1 and row["no_record"] == 0, "a person's word is held"
        )
        assert ledger["balanced"], ledger["misplaced"]
        for crm in town.crms:
            seen = [crm.dialect.stages[0], crm.stage("paid"), crm.dialect.stages[0]]
            assert seen == crm.story(LIVE[0]), crm.name
            row = ledger["destinations"][crm.name]
            assert (3, 2, 1) == (row["owed"], row["synced"], row["held"]), (crm.name, row)


async def test_a_shadow_writes_nothing_and_says_what_it_would(stage: Stage) -> None:
    async with square(stage, shadow=True, on_missing="create") as town:
        for crm in town.crms:
            crm.dialect.seed(LIVE[0])
        await stage.open("all")
        before = {crm.name: crm.dialect.book.writes for crm in town.crms}
        await town.post(LIVE[0], "PAID", hour=2, tracking="TRK-7")
        await town.post(NEW, "PAID", hour=2)
        ledger = await town.ledger(
            lambda crm, row: row["held"] == 1 + crm.creates, "it would be written"
        )
        assert ledger["balanced"], ledger["misplaced"]
        assert before == {crm.name: crm.dialect.book.writes for crm in town.crms}
        held = await town.items("/held")
        for crm in town.crms:
            ours = [each for each in held if each["destination"] == crm.name]
            [one] = [each for each in ours if each["subject"] == f"order/{LIVE[0]}"]
            assert "shadow" == one["held_for"], one
            shown = {each["ours"]: each["theirs"] for each in one["difference"]}
            # Of a state and its reason only the latter may be shown.
            assert crm.dialect.stages[0].endswith(shown[crm.stage("paid")]), one
            assert None is shown["TRK-7"], one


async def _tells(town: Square) -> None:
    """Early, late, twice, forged."""
    details: dict[str, Any] = {"tracking": "TRK-Ä 1", "total": str(TOTAL), "gift": True}
    await town.post(LIVE[0], "PAID", hour=2, **details)
    await town.until(lambda crm: crm.shows(LIVE[0], "paid"), "paid")
    assert 1 == (await town.again())["duplicates"]
    await town.post(LIVE[0], "AWAITING", hour=1)
    forged = await town.send(b'{"id":"f","order":"A-1001","code":"DELIVERED"}', secret="a guess")
    assert 401 == forged[0]
    await town.post(LIVE[1], "SHIPPED", hour=4, **details)
    await town.until(lambda crm: crm.shows(LIVE[1], "shipped"), "shipped before it was paid")
    await town.post(LIVE[1], "PAID", hour=3)
    await town.post(TWICE, "PAID", hour=2)
    await town.ledger(
        lambda crm, row: row["pending"] == 0 and row["dead"] == (not crm.dialect.unique),
        "the pair is told apart",
    )
    for crm in town.crms:
        for order, least in ((LIVE[0], "paid"), (LIVE[1], "shipped")):
            assert [crm.dialect.stages[0], crm.stage(least)] == crm.story(order), crm.name


async def _misbehaves(town: Square) -> None:
    """Too fast, a token that ran out, and answers that are lost after their effect."""
    for crm in town.crms:
        crm.dialect.throttles = int(crm.name not in PATIENT)
        if crm.dialect.desk:
            crm.dialect.expire()
    await town.post(LIVE[0], "SHIPPED", hour=3)
    await town.until(lambda crm: crm.shows(LIVE[0], "shipped"), "throttled")
    await town.quiet()
    for crm in town.crms:
        crm.dialect.mood.change(Behaviour(mode="reset", effect=True, times=3))
    await town.post(LIVE[0], "DELIVERED", hour=5)
    await town.until(lambda crm: crm.shows(LIVE[0], "delivered"), "answers lost")
    for crm in town.crms:
        crm.dialect.mood.change(Behaviour(mode="status", status=502, times=2))
    await town.post(LIVE[2], "PAID", hour=2)
    await town.until(lambda crm: crm.shows(LIVE[2], "paid"), "a bad gateway")
    await town.quiet()


async def _is_missing(town: Square) -> None:
    """What is not there is made, or waited for."""
    await town.post(NEW, "PAID", hour=2)
    await town.ledger(lambda crm, row: row["no_record"] == (not crm.creates), "made or waited for")
    for crm in town.crms:
        if not crm.creates:
            crm.dialect.seed(NEW)
    await town.until(lambda crm: crm.shows(NEW, "paid"), "a new one")


def _shown_once(crm: Crm) -> None:
    paid, shipped, delivered = map(crm.stage, ("paid", "shipped", "delivered"))
    usual = crm.dialect.stages[0]
    assert [usual, paid, shipped, delivered] == crm.story(LIVE[0]), crm.name
    assert [usual, shipped] == crm.story(LIVE[1]), crm.name
    assert [usual, paid] == crm.story(LIVE[2]), crm.name
    assert crm.story(NEW)[-1] == paid, crm.name
    for order in LIVE[:2]:
        fields = crm.entry(order).fields
        assert _has(fields, crm, "TRK-Ä 1"), (crm.name, fields)
    noted = [note for order in LIVE for note in crm.entry(order).notes]
    assert len(set(noted)) == len(noted) <= 5, (crm.name, noted)


def _has(fields: Any, crm: Crm, tracking: str) -> bool:
    """Whether a record shows the attributes, in whatever shape the vendor keeps values."""
    shown = " ".join(map(str, _leaves(fields)))
    total = any(_number(each) == TOTAL for each in _leaves(fields))
    gift = any(str(each).lower() in YES for each in _leaves(fields))
    return tracking in shown and total and gift


def _leaves(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            for each in value.values():
                yield from _leaves(each)
        case list():
            for each in value:
                yield from _leaves(each)
        case _:
            yield value


def _number(value: Any) -> Decimal | None:
    text = str(value).partition("|")[0]
    return Decimal(text) if re.fullmatch(r"[0-9.]+", text) and text.count(".") < 2 else None


def _accounted(ledger: Json, crms: Sequence[Crm]) -> None:
    assert ledger["balanced"], ledger["misplaced"]
    for crm in crms:
        row = ledger["destinations"][crm.name]
        assert row["owed"] == sum(row[name] for name in BUCKETS) == 5, (crm.name, row)
        assert 5 - (not crm.dialect.unique) == row["synced"], (crm.name, row)


async def _explained(town: Square) -> None:
    letters = await town.items("/dead-letters")
    expected = {crm.name for crm in town.crms if not crm.dialect.unique}
    assert expected == {letter["destination"] for letter in letters}
    for letter in letters:
        assert "ambiguous_record" == letter["reason"], letter
        crm = next(crm for crm in town.crms if crm.name == letter["destination"])
        assert all(entry.id in letter["summary"] for entry in crm.entries(TWICE)), letter
        assert letter["summary"].endswith("."), letter
        assert letter["remedy"].endswith("."), letter


async def _silent(town: Square) -> None:
    """No secret stands in a log, in an answer of the API or in a row, as it is or in hex."""
    text = town.stage.programs["all"].output
    for path in ("/attempts", "/dead-letters", "/subjects", "/events"):
        text += str(await town.items(path))
    text += str(await town.api("/destinations"))
    text += await _rows(town.stage.store)
    known = {SHOP_SECRET, JWT_SECRET}.union(*(crm.secrets() for crm in town.crms))
    found = [secret for secret in known if secret in text or secret.encode().hex() in text]
    assert [] == found
    assert None is re.search(r"(access|refresh)-[0-9a-f]{16}", text)


async def _rows(dsn: str) -> str:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(dsn)
    try:
        names = await connection.fetch(
            "SELECT quote_ident(table_name) AS name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        rows = [
            row["text"]
            for each in names
            for row in await connection.fetch(f"SELECT t::text AS text FROM {each['name']} t")
        ]
    finally:
        await connection.close()
    return "\n".join(rows)
