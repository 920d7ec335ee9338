"""Raw requests at rest: sealed where there are keys, opened by whoever needs them only."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from service.domain.errors import StoreUnavailable
from service.ops import lookups
from service.store import acceptance, captures, data_keys, pool, replays, seals
from service.store.acceptance import Arrival
from service.store.captures import Capture
from service.store.ids import new_id
from service.store.pool import Pool, transaction
from service.store.seals import PLAIN, Sealed, Seals
from service.vault import Vault
from tests import make

pytestmark = pytest.mark.postgres

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)
HEADERS = {"x-name": "Ada"}
SECRETS = (b"Ada", b"token-in-the-path", b"ada@example.com")


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=3) as opened:
        yield opened


def arrival(body: bytes = b'{"email":"ada@example.com"}') -> Arrival:
    event = make.event(id=new_id())
    path = "/webhooks/shop/token-in-the-path"
    return Arrival(
        new_id(), "shop", make.AT, "192.0.2.1", "POST", path, "name=Ada", HEADERS, body, [event]
    )


async def accept(db: Pool, sealing: Seals, *arrivals: Arrival) -> None:
    await acceptance.accept(
        db,
        arrivals,
        process=new_id(),
        published=False,
        lease=timedelta(seconds=30),
        sealing=sealing,
    )


async def request(db: Pool, request_id: UUID, sealing: Seals) -> replays.Stored:
    async with transaction(db) as tx:
        found = await replays.request(tx, request_id, sealing=sealing)
    assert found is not None
    return found


async def raw(db: Pool, table: str) -> bytes:
    async with transaction(db) as tx:
        rows = await tx.fetch(f"SELECT t::text AS text, body FROM {table} t")
    return b"".join(row["text"].encode() + row["body"] for row in rows)


def capture() -> Capture:
    return Capture(
        source="wms",
        received_at=make.AT,
        peer="192.0.2.1",
        method="POST",
        path="/webhooks/wms/token-in-the-path",
        query="name=Ada",
        headers=[("x-name", "Ada")],
        body=b"ada@example.com" * 100,
    )


async def test_what_is_sealed_comes_back_as_it_came_and_stands_nowhere_in_the_table(
    db: Pool,
) -> None:
    one = arrival()
    await accept(db, Seals.of([NEW]), one)
    kept = await raw(db, "requests")
    assert [] == [each for each in SECRETS if each in kept]
    found = await request(db, one.id, Seals.of([NEW]))
    assert (one.path, one.query, one.headers, one.body) == (
        found.path,
        found.query,
        found.headers,
        found.body,
    )


async def test_without_keys_everything_is_kept_as_it_came(db: Pool) -> None:
    one = arrival()
    await accept(db, PLAIN, one)
    assert one.body == (await request(db, one.id, PLAIN)).body
    assert one.body == (await request(db, one.id, Seals.of([NEW]))).body


async def test_a_day_has_one_data_key_however_many_processes_begin_it(db: Pool) -> None:
    for _ in range(3):
        await accept(db, Seals.of([NEW]), arrival(), arrival())
    async with transaction(db) as tx:
        rows = await tx.fetch("SELECT name, wrapped FROM data_keys")
    assert [f"{seals.today()}-{Vault([NEW]).id}"] == [row["name"] for row in rows]
    assert NEW not in rows[0]["wrapped"]


async def test_processes_with_other_first_keys_accept_side_by_side(db: Pool) -> None:
    ones = [arrival(), arrival()]
    await accept(db, Seals.of([OLD]), ones[0])
    await accept(db, Seals.of([NEW, OLD]), ones[1])
    sealing = Seals.of([NEW, OLD])
    assert [each.body for each in ones] == [
        (await request(db, each.id, sealing)).body for each in ones
    ]


async def test_an_event_is_shown_with_its_opened_request(db: Pool) -> None:
    one = arrival()
    await accept(db, Seals.of([NEW]), one)
    body: Any = await lookups.event(db, one.events[0].id, sealing=Seals.of([NEW]))
    assert (len(one.body), "name=Ada") == (body["request"]["size"], body["request"]["query"])


async def test_without_the_right_key_a_sentence_says_what_is_missing(db: Pool) -> None:
    one = arrival()
    await accept(db, Seals.of([OLD]), one)
    with pytest.raises(Sealed, match=r"No key of server\.keys opens the data key .*behind the"):
        await request(db, one.id, Seals.of([NEW]))
    with pytest.raises(Sealed, match=r"no server\.keys: add the key that was there"):
        await request(db, one.id, PLAIN)


async def test_an_erased_data_key_takes_with_it_what_it_sealed(db: Pool) -> None:
    one = arrival()
    await accept(db, Seals.of([NEW]), one)
    async with transaction(db) as tx:
        await tx.execute("DELETE FROM data_keys")
    with pytest.raises(Sealed, match="was erased, and with it what was sealed by it"):
        await request(db, one.id, Seals.of([NEW]))


async def test_rotation_wraps_the_data_keys_anew_and_touches_no_request(db: Pool) -> None:
    one = arrival()
    await accept(db, Seals.of([OLD]), one)
    before = await raw(db, "requests")
    assert ["older"] == [each.by for each in await data_keys.held(db, Vault([NEW, OLD]))]
    assert 1 == len(await data_keys.rotate(db, Vault([NEW, OLD]), actor="cli:ada"))
    assert [("first", 2)] == [
        (each.by, each.generation) for each in await data_keys.held(db, Vault([NEW]))
    ]
    assert [] == await data_keys.rotate(db, Vault([NEW]), actor="cli:ada")
    assert before == await raw(db, "requests")
    assert one.body == (await request(db, one.id, Seals.of([NEW]))).body


async def test_a_process_left_behind_by_a_rotation_stores_nothing_it_cannot_open(db: Pool) -> None:
    await accept(db, Seals.of([OLD]), arrival())
    await data_keys.rotate(db, Vault([NEW, OLD]), actor="cli:ada")
    with pytest.raises(StoreUnavailable, match=r"No key of server\.keys opens"):
        await accept(db, Seals.of([OLD]), arrival())


async def test_a_sealed_body_opens_in_no_other_row(db: Pool) -> None:
    ones = [arrival(), arrival()]
    await accept(db, Seals.of([NEW]), *ones)
    async with transaction(db) as tx:
        await tx.execute(
            "UPDATE requests SET body = (SELECT body FROM requests WHERE id = $1) WHERE id = $2",
            ones[0].id,
            ones[1].id,
        )
    with pytest.raises(Sealed, match="changed since it was sealed, or belongs elsewhere"):
        await request(db, ones[1].id, Seals.of([NEW]))


async def test_captures_are_sealed_too(db: Pool) -> None:
    sealing = Seals.of([NEW])
    await captures.add(db, capture(), sealing=sealing)
    kept = await raw(db, "captures")
    assert [] == [each for each in SECRETS if each in kept]
    (listed,) = await captures.of_source(db, "wms", start=10, sealing=sealing)
    assert (1500, b"ada@exampl") == (listed["body_bytes"], listed["body"])
    whole = await captures.one(db, "wms", listed["id"], sealing=sealing)
    assert whole is not None
    assert (1500, capture().body) == (whole["body_bytes"], whole["body"])
    assert [capture()] == await captures.whole(db, "wms", sealing=sealing)
