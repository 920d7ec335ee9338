"""What every CRM that keeps records must do, shown against its simulator and hostile servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import psutil
import pytest
from pydantic import JsonValue

from service.sandbox.dialects.registry import DIALECTS
from service.worker.crms import registry
from service.worker.crms.base import Answer, Class, Page, Record, Records
from tests.contract import peers
from tests.contract.peers import Peer
from tests.contract.variants import VARIANTS

SURE = {Class.OK, Class.PERMANENT, Class.NOT_FOUND, Class.CONFLICT, Class.GONE}
"""What nobody can know from an answer that was not understood."""
OPEN = {Class.UNKNOWN_OUTCOME, Class.TRANSIENT}
LATER = {*OPEN, Class.RATE, Class.AUTH, Class.HUMAN}
MEMORY = 64 * 1024 * 1024


@pytest.fixture(
    params=[*DIALECTS, *VARIANTS],
    ids=lambda kind: kind.__name__ if kind in VARIANTS else kind.name,
)
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    async with peers.peer(request.param) as made:
        yield made


def ids(found: Sequence[Record] | Answer) -> list[str]:
    assert not isinstance(found, Answer), found
    return [each.remote_id for each in found]


def record(read: Record | Answer) -> Record:
    assert isinstance(read, Record), read
    return read


# What it says about itself.


def test_every_simulated_crm_is_of_a_kind_that_can_be_configured() -> None:
    names = [dialect.name for dialect in DIALECTS]
    assert sorted(set(names)) == sorted(names)
    assert set(names) <= set(registry.crms_by_name())


async def test_it_says_what_it_is(peer: Peer) -> None:
    assert peer.target.object
    assert peer.target.key_field
    assert peer.target.status_field
    assert peer.crm.capabilities.batch >= 1
    names = [limit.name for limit in peer.crm.limits()]
    assert sorted(set(names)) == sorted(names)


async def test_what_calls_cost_is_what_the_vendor_counts(peer: Peer) -> None:
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    for way, ask in {**peers.READS, **peers.WRITES}.items():
        if peers.can(peer.crm, way):
            await ask(peer.crm, peer, entry.id)
    names = {limit.name for limit in peer.crm.limits()}
    assert set(peer.purse.spent) <= names
    assert set(peer.dialect.meters) <= names
    for name, meter in peer.dialect.meters.items():
        assert meter.used <= peer.purse.spent[name], name


async def test_an_empty_budget_makes_no_call(peer: Peer) -> None:
    peer.purse.empty = timedelta(seconds=7)
    answer = await peer.wrote("1001", peer.dialect.stages[1], remote_id=peer.some_id())
    assert (Class.RATE, False) == (answer.kind, answer.tried)
    assert timedelta(seconds=7) == answer.after
    assert [] == peer.dialect.calls


# Finding and reading.


async def test_none_one_or_many_are_found(peer: Peer) -> None:
    one = peer.dialect.seed("1001", status=peer.dialect.stages[1])
    twice = [] if peer.dialect.unique else [peer.dialect.seed("1002") for _ in range(2)]
    found = await peer.crm.find([peer.wanted(key) for key in ("1000", "1001", "1002")][:2])
    assert [[], [one.id]] == [ids(each) for each in found]
    if twice:
        assert sorted(each.id for each in twice) == sorted(ids(await peer.found("1002")))


async def test_a_found_record_shows_its_status_and_its_key(peer: Peer) -> None:
    peer.dialect.seed("1001", status=peer.dialect.stages[1])
    found = await peer.found("1001")
    assert not isinstance(found, Answer)
    assert [("1001", peer.dialect.stages[1])] == [(each.key, each.status) for each in found]


async def test_an_awkward_key_finds_its_own_record_only(peer: Peer) -> None:
    peer.boundless()
    seeded = {key: peer.dialect.seed(key) for key in (*peers.AWKWARD, "1001", "O", "a", "50")}
    for key, mine in seeded.items():
        assert [mine.id] == ids(await peer.found(key)), key
        assert [] == ids(await peer.found(f"{key}x")), key
        answer = await peer.wrote(key, peer.dialect.stages[1], remote_id=mine.id)
        assert Class.OK == answer.kind, (key, answer)
        assert peer.dialect.stages[1] == peer.dialect.status(mine)
    assert len(seeded) == len(peer.dialect.book.entries)


async def test_a_whole_batch_is_found_and_read_in_fewer_calls_than_rows(peer: Peer) -> None:
    most = peer.crm.capabilities.batch
    seeded = [peer.dialect.seed(f"A-{n}", status=peer.dialect.stages[0]) for n in range(most)]
    found = await peer.crm.find([peer.wanted(f"A-{n}") for n in range(most)])
    assert [[each.id] for each in seeded] == [ids(each) for each in found]
    read = await peer.crm.read_many([peer.known(each.id) for each in seeded])
    assert [each.id for each in seeded] == [record(each).remote_id for each in read]
    assert len(peer.dialect.calls) <= max(3, most)


async def test_a_record_that_is_no_more_is_not_found(peer: Peer) -> None:
    there = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    gone = peer.dialect.seed("1002", status=peer.dialect.stages[0])
    del peer.dialect.book.entries[f"{gone.kind}/{gone.id}"]
    if peer.crm.capabilities.batch > 1:
        read = await peer.crm.read_many([peer.known(gone.id), peer.known(there.id)])
        assert there.id == record(read[1]).remote_id
        first = read[0]
    else:
        first = await peer.read(gone.id)
    assert isinstance(first, Answer)
    assert Class.NOT_FOUND == first.kind
    answer = await peer.wrote("1002", peer.dialect.stages[1], remote_id=gone.id)
    assert Class.NOT_FOUND == answer.kind, answer


async def test_an_empty_list_costs_no_call(peer: Peer) -> None:
    assert ([], [], []) == (
        list(await peer.crm.find([])),
        list(await peer.crm.read_many([])),
        list(await peer.crm.write_batch([])),
    )
    assert [] == peer.dialect.calls


# Writing.


async def test_a_record_shows_what_was_written(peer: Peer) -> None:
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    ours: dict[str, Any] = {
        peer.dialect.text_field: 'Käthe & Søn "№ 7"\nO\'Brien <b>50%</b>',
        peer.dialect.number_field: Decimal("1234567.89"),
        peer.dialect.bool_field: True,
    }
    answer = await peer.wrote("1001", peer.dialect.stages[1], remote_id=entry.id, fields=ours)
    assert Class.OK == answer.kind, answer
    assert entry.id == answer.remote_id
    assert peer.dialect.stages[1] == peer.dialect.status(entry)
    read = record(await peer.read(entry.id))
    assert peer.dialect.stages[1] == read.status
    for name, value in ours.items():
        assert peers.same(value, read.fields[name]), (name, read.fields)
    assert set(ours) == set(read.fields)


async def test_fields_alone_leave_the_status(peer: Peer) -> None:
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[1])
    fields = {peer.dialect.text_field: "LT-1", peer.dialect.bool_field: False}
    answer = await peer.wrote("1001", None, remote_id=entry.id, fields=fields)
    assert Class.OK == answer.kind, answer
    read = record(await peer.read(entry.id))
    assert (peer.dialect.stages[1], "LT-1") == (read.status, read.fields[peer.dialect.text_field])


async def test_the_same_write_again_has_no_second_effect(peer: Peer) -> None:
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    before = peer.dialect.book.effects
    for _ in range(3):
        answer = await peer.wrote("1001", peer.dialect.stages[1], remote_id=entry.id)
        assert Class.OK == answer.kind, answer
    assert 1 == peer.dialect.book.effects - before


async def test_a_record_is_written_by_the_number_of_the_merchant(peer: Peer) -> None:
    if not peer.crm.capabilities.keyed:
        pytest.skip("it is written by its id")
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    before = len(peer.dialect.book.entries)
    known = await peer.wrote("1001", peer.dialect.stages[1])
    unknown = await peer.wrote("1002", peer.dialect.stages[1])
    assert (Class.OK, Class.NOT_FOUND) == (known.kind, unknown.kind)
    assert peer.dialect.stages[1] == peer.dialect.status(entry)
    assert before == len(peer.dialect.book.entries)


@pytest.mark.parametrize("key", ["2002", "O'Brien", "№ 7/ä", "50%"])
async def test_a_record_is_created_when_told_to(peer: Peer, key: str) -> None:
    if not peer.crm.capabilities.creates:
        pytest.skip("it creates nothing")
    fields = {peer.dialect.text_field: "LT-1"}
    answer = await peer.wrote(key, peer.dialect.stages[1], create=True, fields=fields)
    assert Class.OK == answer.kind, answer
    found = await peer.found(key)
    assert not isinstance(found, Answer), found
    shown = [(each.remote_id, each.status) for each in found]
    assert [(answer.remote_id, peer.dialect.stages[1])] == shown
    assert 1 == peer.dialect.book.effects


async def test_a_whole_batch_is_written(peer: Peer) -> None:
    most = peer.crm.capabilities.batch
    seeded = [peer.dialect.seed(f"A-{n}", status=peer.dialect.stages[0]) for n in range(most)]
    rows = [
        peer.write(f"A-{n}", peer.dialect.stages[1 + n % 2], remote_id=each.id)
        for n, each in enumerate(seeded)
    ]
    answers = await peer.crm.write_batch(rows)
    assert {Class.OK} == {each.kind for each in answers}, answers
    assert [each.id for each in seeded] == [each.remote_id for each in answers]
    expected = [peer.dialect.stages[1 + n % 2] for n in range(most)]
    assert expected == [peer.dialect.status(each) for each in seeded]
    assert len(peer.dialect.calls) <= max(1, most // 2)


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_bad_row_is_the_only_one_blamed(peer: Peer, place: int) -> None:
    seeded = [peer.dialect.seed(f"A-{n}", status=peer.dialect.stages[0]) for n in range(3)]
    good, bad = peer.dialect.stages[1], peer.dialect.foreign_stage
    rows = [
        peer.write(f"A-{n}", bad if n == place else good, remote_id=each.id)
        for n, each in enumerate(seeded)
    ]
    size = min(3, peer.crm.capabilities.batch)
    answers = [
        answer
        for start in range(0, 3, size)
        for answer in await peer.crm.write_batch(rows[start : start + size])
    ]
    assert len(rows) == len(answers)
    assert Class.PERMANENT == answers[place].kind, answers
    assert answers[place].tried
    for n, answer in enumerate(answers):
        if n == place:
            continue
        assert answer.kind == Class.OK or not answer.tried, answers
        shown = good if answer.kind == Class.OK else peer.dialect.stages[0]
        assert shown == peer.dialect.status(seeded[n])


async def test_a_gone_row_spoils_no_other(peer: Peer) -> None:
    if peer.crm.capabilities.batch == 1:
        pytest.skip("it takes one row at a time")
    there = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    gone = peer.dialect.seed("1002", status=peer.dialect.stages[0])
    del peer.dialect.book.entries[f"{gone.kind}/{gone.id}"]
    good = peer.dialect.stages[1]
    rows = [
        peer.write("1002", good, remote_id=gone.id),
        peer.write("1001", good, remote_id=there.id),
    ]
    answers = await peer.crm.write_batch(rows)
    assert Class.NOT_FOUND == answers[0].kind, answers
    assert answers[1].kind == Class.OK or not answers[1].tried, answers


async def test_a_record_that_changed_meanwhile_is_not_overwritten(peer: Peer) -> None:
    if not peer.crm.capabilities.conditional:
        pytest.skip("it honours no condition")
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    read = record(await peer.read(entry.id))
    peer.time.move(5)
    peer.dialect.touch(entry, peer.dialect.stages[2])
    late = await peer.wrote("1001", peer.dialect.stages[1], remote_id=entry.id, token=read.token)
    assert Class.CONFLICT == late.kind, late
    assert peer.dialect.stages[2] == peer.dialect.status(entry)
    fresh = record(await peer.read(entry.id)).token
    assert fresh != read.token
    first = await peer.wrote("1001", peer.dialect.stages[1], remote_id=entry.id, token=fresh)
    assert Class.OK == first.kind, first
    if first.token:
        peer.time.move(5)
        last = peer.dialect.stages[3]
        again = await peer.wrote("1001", last, remote_id=entry.id, token=first.token)
        assert Class.OK == again.kind, again


async def test_a_note_is_written_once(peer: Peer) -> None:
    if not peer.crm.capabilities.notes:
        pytest.skip("it keeps no notes")
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    text = "Paid: O'Brien <b>50%</b> № 7"
    answer = await peer.crm.note(peer.known(entry.id), text)
    assert Class.OK == answer.kind, answer
    assert 1 == len(entry.notes)
    peer.be("reset", times=1, effect=True)
    lost = await peer.crm.note(peer.known(entry.id), "Shipped.")
    assert Class.UNKNOWN_OUTCOME == lost.kind, lost
    assert 2 == len(entry.notes)


# Limits and credentials.


@pytest.mark.parametrize("way", [*peers.READS, *peers.WRITES])
async def test_too_fast_is_known_for_what_it_is(peer: Peer, way: str) -> None:
    if not peers.can(peer.crm, way):
        pytest.skip("it cannot")
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    before = peer.dialect.book.effects
    peer.dialect.throttles = 50
    [answer] = await {**peers.READS, **peers.WRITES}[way](peer.crm, peer, entry.id)
    assert isinstance(answer, Answer)
    assert Class.RATE == answer.kind, answer
    assert answer.scope in {None, *(limit.name for limit in peer.crm.limits())}
    assert answer.after is None or timedelta() < answer.after <= timedelta(days=1)
    assert before == peer.dialect.book.effects


async def test_a_token_that_ran_out_is_renewed_once(peer: Peer) -> None:
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    assert Class.OK == (await peer.wrote("1001", peer.dialect.stages[1], remote_id=entry.id)).kind
    peer.dialect.expire()
    answer = await peer.wrote("1001", peer.dialect.stages[2], remote_id=entry.id)
    if peer.tokens:
        assert (Class.OK, 1) == (answer.kind, peer.tokens.renewed), answer
    else:
        assert Class.AUTH == answer.kind, answer


@pytest.mark.parametrize("way", [*peers.READS, *peers.WRITES])
async def test_a_dead_key_is_told_and_not_shown(peer: Peer, way: str) -> None:
    if not peers.can(peer.crm, way):
        pytest.skip("it cannot")
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    if peer.tokens:
        await peer.found("1001")
        peer.tokens.dead = True
    peer.dialect.expire()
    before = peer.dialect.book.effects
    [answer] = await {**peers.READS, **peers.WRITES}[way](peer.crm, peer, entry.id)
    assert isinstance(answer, Answer)
    assert Class.AUTH == answer.kind, answer
    assert before == peer.dialect.book.effects
    for secret in peer.secrets():
        assert secret not in repr(answer)
        assert secret not in repr(peer.crm)


# What goes wrong on the way.


@pytest.mark.parametrize("mode", ["reset", "garbage", "hang", "endless"])
async def test_after_a_lost_answer_reading_tells_what_stands(peer: Peer, mode: Any) -> None:
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    crm = peer.adapter(timeout=timedelta(milliseconds=400))
    row = peer.write("1001", peer.dialect.stages[1], remote_id=entry.id)
    before = peer.dialect.book.effects
    peer.be(mode, times=1, effect=True)
    [answer] = await crm.write_batch([row])
    allowed = {Class.OK, *OPEN} if crm.capabilities.idempotent else {Class.UNKNOWN_OUTCOME}
    if before == peer.dialect.book.effects:
        allowed = OPEN
    assert answer.kind in allowed, answer
    peer.well()
    stands = record(await peer.read(entry.id)).status
    assert stands == peer.dialect.status(entry)
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    assert before + 1 == peer.dialect.book.effects


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("way", [*peers.READS, *peers.WRITES])
async def test_a_crm_in_trouble_is_tried_later(peer: Peer, way: str, status: int) -> None:
    if not peers.can(peer.crm, way):
        pytest.skip("it cannot")
    peer.be("status", status=status)
    [answer] = await {**peers.READS, **peers.WRITES}[way](peer.crm, peer, peer.some_id())
    assert isinstance(answer, Answer)
    assert answer.kind in LATER, answer


@pytest.mark.parametrize("mode", ["reset", "garbage", "hang", "endless"])
@pytest.mark.parametrize("way", peers.READS)
async def test_a_lost_answer_to_a_question_is_a_failure(peer: Peer, way: str, mode: Any) -> None:
    if not peers.can(peer.crm, way):
        pytest.skip("it cannot")
    crm = peer.adapter(timeout=timedelta(milliseconds=300))
    peer.be(mode)
    began = time.monotonic()
    [answer] = await peers.READS[way](crm, peer, peer.some_id())
    assert isinstance(answer, Answer)
    assert Class.TRANSIENT == answer.kind, answer
    assert time.monotonic() - began < peers.NO_HANG


@pytest.mark.parametrize("way", [*peers.READS, *peers.WRITES])
async def test_a_redirect_is_not_followed(peer: Peer, way: str) -> None:
    if not peers.can(peer.crm, way):
        pytest.skip("it cannot")
    peer.be("redirect")
    [answer] = await {**peers.READS, **peers.WRITES}[way](peer.crm, peer, peer.some_id())
    assert isinstance(answer, Answer)
    # It would meet every order: no single one is to blame.
    assert answer.kind in {*OPEN, Class.HUMAN}, answer
    assert "mend url" in answer.detail, answer
    assert 1 == len(peer.dialect.calls)


JUNK: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"<html>Welcome to the hotel network</html>",
    "half JSON": b'{"results": [',
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a text": b'"ok"',
    "a huge number": b"1" + b"0" * 5000,
    "deep": b"[" * 50_000,
    "nested lists": b"[[[[]]]]",
    "a list of nulls": b"[null, null]",
    "other keys": b'{"a": {"b": [1, null, {"c": "d"}]}}',
    "all the usual keys of nulls": orjson.dumps(
        dict.fromkeys(["result", "results", "data", "items", "records", "errors", "error"])
    ),
    "all the usual keys of numbers": orjson.dumps(
        dict.fromkeys(["result", "results", "data", "items", "records", "errors", "error"], 7)
    ),
    "all the usual keys of lists of nulls": orjson.dumps(
        {key: [None] for key in ("result", "results", "data", "items", "records")}
    ),
    "broken UTF-8": b'{"results": "\xff\xfe"}',
}


@pytest.mark.parametrize("way", [*peers.READS, *peers.WRITES])
async def test_an_answer_that_is_not_understood_says_nothing(peer: Peer, way: str) -> None:
    if not peers.can(peer.crm, way):
        pytest.skip("it cannot")
    ask = {**peers.READS, **peers.WRITES}[way]
    for what, body in JUNK.items():
        if body == peer.dialect.success:
            continue
        async with peers.hostile(peers.http(body)) as url:
            [answer] = await ask(peers.moved(peer, url), peer, peer.some_id())
        assert isinstance(answer, Answer), (what, answer)
        assert answer.kind not in SURE, (what, answer)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HOSTILE: dict[str, tuple[bytes, bytes]] = {
    "ten gigabytes": (HEAD + b"Content-Length: 10737418240\r\n\r\n", b"0" * 65_536),
    "never ends": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10\r\n" + b"0" * 16 + b"\r\n"),
    "cut short": (HEAD + b"Content-Length: 9\r\n\r\n", b""),
    "gzip": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", b""),
    "headers without end": (b"HTTP/1.1 200 OK\r\n", b"X-Flood: 1\r\n"),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 1000),
    "bad chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", b""),
    "not HTTP": (b"\x00" * 10, b""),
    "a switch": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b""),
    "a cookie with a NUL": (HEAD + b"Set-Cookie: \x00\r\nContent-Length: 0\r\n\r\n", b""),
    "silence": (b"", b""),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("way", ["find", "write"])
async def test_a_hostile_answer_is_cut_and_classed(
    peer: Peer, way: str, raw: tuple[bytes, bytes]
) -> None:
    before, began = psutil.Process().memory_info().rss, time.monotonic()
    async with peers.hostile(raw[0], again=raw[1], pause=0.001) as url:
        peer.table["timeout"] = timedelta(milliseconds=500)
        crm = peers.moved(peer, url)
        [answer] = await {**peers.READS, **peers.WRITES}[way](crm, peer, peer.some_id())
    assert isinstance(answer, Answer), answer
    assert answer.kind in {*OPEN, Class.PERMANENT} - {Class.OK}, answer
    assert answer.kind != Class.PERMANENT or answer.http_status == 101, answer
    assert time.monotonic() - began < peers.NO_HANG
    assert psutil.Process().memory_info().rss - before < MEMORY


@pytest.mark.parametrize("way", [*peers.READS, *peers.WRITES])
async def test_any_part_of_a_true_answer_may_be_bent(peer: Peer, way: str) -> None:
    if not peers.can(peer.crm, way):
        pytest.skip("it cannot")
    ask = {**peers.READS, **peers.WRITES}[way]
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    peer.boundless()
    seen: list[JsonValue] = []

    def keep(body: JsonValue) -> JsonValue:
        seen.append(body)
        return body

    peer.dialect.bend = keep
    await ask(peer.crm, peer, entry.id)
    for body in seen:
        for bent in peers.bends(body, most=400 // len(seen)):
            peer.dialect.bend = lambda said, body=body, bent=bent: (
                bent if _alike(said, body) else said
            )
            [answer] = await ask(peer.crm, peer, entry.id)
            _check(answer)


def _alike(one: JsonValue, other: JsonValue) -> bool:
    """Whether two answers are of the same call, as far as can be told."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys()
    return type(one) is type(other)


def _check(answer: object) -> None:
    """Whatever came, what goes out has the right types."""
    match answer:
        case Answer():
            assert isinstance(answer.kind, Class)
            assert answer.remote_id is None or isinstance(answer.remote_id, str)
            assert answer.token is None or isinstance(answer.token, str)
            assert isinstance(answer.detail, str)
            assert len(answer.detail) < 2000
        case Page():
            assert answer.cursor is None or isinstance(answer.cursor, str)
            _check(answer.records)
        case Record():
            texts = [answer.key, answer.status, answer.token, *answer.fields.values()]
            assert answer.remote_id
            assert all(text is None or isinstance(text, str) for text in [answer.remote_id, *texts])
        case list() | tuple():
            for each in answer:
                _check(each)
        case _:
            raise AssertionError(answer)


async def test_a_slow_crm_costs_the_time_out_and_no_more(peer: Peer) -> None:
    peer.be("hang")
    crm = peer.adapter(timeout=timedelta(milliseconds=300))
    began = time.monotonic()
    await asyncio.gather(*(ask(crm, peer, peer.some_id()) for ask in [*peers.READS.values()][:2]))
    assert time.monotonic() - began < peers.NO_HANG


# Reading back.


async def _all_pages(crm: Records, peer: Peer, since: float) -> list[list[Record]]:
    pages: list[list[Record]] = []
    cursor: str | None = None
    start = peers.AT + timedelta(seconds=since)
    for _ in range(60):
        page = await crm.read_back(peer.target, peer.texts, since=start, cursor=cursor)
        assert isinstance(page, Page), page
        pages.append(list(page.records))
        cursor = page.cursor
        if cursor is None:
            return pages
    raise AssertionError("reading back does not end")


@pytest.mark.parametrize("count", [0, 1, 3, 430])
async def test_equal_time_stamps_are_read_back_without_loss_or_repetition(
    peer: Peer, count: int
) -> None:
    if not peer.crm.capabilities.feed:
        pytest.skip("it gives no changes")
    peer.boundless()
    peer.dialect.seed("old", status=peer.dialect.stages[0])
    peer.time.move(60)
    seeded = [peer.dialect.seed(f"A-{n}", status=peer.dialect.stages[0]) for n in range(count)]
    peer.time.move(1)
    seeded += [peer.dialect.seed(f"B-{n}", status=peer.dialect.stages[0]) for n in range(count)]
    peer.time.move(60)
    pages = await _all_pages(peer.crm, peer, since=30)
    told = [each.remote_id for page in pages for each in page]
    assert sorted(each.id for each in seeded) == sorted(told)
    stamps = [each.modified_at for page in pages for each in page if each.modified_at]
    assert sorted(stamps) == stamps


async def test_a_change_while_pages_are_read_hides_no_other(peer: Peer) -> None:
    if not peer.crm.capabilities.feed:
        pytest.skip("it gives no changes")
    peer.boundless()
    peer.time.move(60)
    seeded = [peer.dialect.seed(f"A-{n}", status=peer.dialect.stages[0]) for n in range(430)]
    told: set[str] = set()
    cursor: str | None = None
    for turn in range(60):
        page = await peer.crm.read_back(peer.target, [], since=peers.AT, cursor=cursor)
        assert isinstance(page, Page), page
        told |= {each.remote_id for each in page.records}
        peer.time.move(1)
        peer.dialect.touch(seeded[turn], peer.dialect.stages[1 + turn % 2])
        if page.cursor is None:
            break
        cursor = page.cursor
    assert {each.id for each in seeded} <= told


async def test_what_a_person_changed_is_read_back(peer: Peer) -> None:
    if not peer.crm.capabilities.feed:
        pytest.skip("it gives no changes")
    entry = peer.dialect.seed("1001", status=peer.dialect.stages[0])
    peer.time.move(60)
    peer.dialect.touch(entry, peer.dialect.stages[2])
    peer.time.move(1)
    [page] = await _all_pages(peer.crm, peer, since=30)
    assert [(entry.id, "1001", peer.dialect.stages[2])] == [
        (each.remote_id, each.key, each.status) for each in page
    ]
