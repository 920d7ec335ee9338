"""The spool: what `keep` returned for is there after any end of the process, and only once."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.domain.errors import StoreUnavailable
from service.intake.provider import RawRequest
from service.intake.spool.drain import Brought, Drain
from service.intake.spool.file import SpoolBroken, SpoolFile, SpoolTaken, Total
from service.intake.spool.spool import ROOM, Spool
from service.store.ids import new_id
from service.vault import Vault
from tests.owed import eventually, running

MOST = 1024 * 1024
KEY = Vault([b"k" * 32])
AT = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)


def request(body: bytes = b"{}") -> RawRequest:
    headers = [("x-signature", "ü\udcff"), ("x-twice", "1"), ("x-twice", "2")]
    return RawRequest(
        "POST", "/webhooks/shop/%ff", "a=%00", headers, body, AT, "192.0.2.7", "tail", id=new_id()
    )


def spool(path: Path, *, most: int = MOST, vault: Vault = KEY) -> Spool:
    def fatal(why: str) -> None:
        raise AssertionError(why)

    return Spool(SpoolFile(path, most=most), vault, fatal=fatal)


async def kept(path: Path, *requests: RawRequest) -> None:
    one = spool(path)
    async with running(one.run):
        await asyncio.gather(*(one.keep("shop", each) for each in requests))
    await one.close()


async def test_a_request_comes_out_as_it_came(tmp_path: Path) -> None:
    came = request(bytes(range(256)))
    await kept(tmp_path / "0.db", came)
    again = spool(tmp_path / "0.db")
    assert [("shop", came)] == [(one.source, one.request) for one in await again.oldest(10)]
    await again.close()


async def test_the_file_is_for_its_owner_alone_and_shows_no_body(tmp_path: Path) -> None:
    await kept(tmp_path / "0.db", request(b"card 4242"))
    for path in tmp_path.iterdir():
        assert 0o600 == path.stat().st_mode & 0o777
        assert b"card 4242" not in path.read_bytes()


async def test_two_processes_never_share_a_file(tmp_path: Path) -> None:
    one = spool(tmp_path / "0.db")
    with pytest.raises(SpoolTaken):
        spool(tmp_path / "0.db")
    await one.close()


async def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    one = spool(tmp_path / "0.db", most=4096)
    async with running(one.run):
        fates = await asyncio.gather(
            *(one.keep("shop", request(b"x" * 1000)) for _ in range(5)), return_exceptions=True
        )
    refused = [fate for fate in fates if isinstance(fate, StoreUnavailable)]
    assert one.total.entries == 5 - len(refused)
    assert one.total.entries >= 1
    assert one.total.size <= 4096
    assert refused
    await one.close()


async def test_a_flipped_bit_sets_one_entry_aside_and_no_other(tmp_path: Path) -> None:
    first, second = request(b"1"), request(b"2")
    await kept(tmp_path / "0.db", first)
    await kept(tmp_path / "0.db", second)
    with sqlite3.connect(tmp_path / "0.db") as db:
        sealed = bytearray(db.execute("SELECT sealed FROM entries WHERE number = 1").fetchone()[0])
        sealed[-1] ^= 1
        db.execute("UPDATE entries SET sealed = ? WHERE number = 1", (bytes(sealed),))
    db.close()
    one = spool(tmp_path / "0.db")
    assert [second] == [each.request for each in await one.oldest(10)]
    assert (2, 1) == (one.total.entries, one.total.damaged)
    await one.close()


async def test_a_lost_key_costs_nothing_once_it_is_back(tmp_path: Path) -> None:
    came = request()
    await kept(tmp_path / "0.db", came)
    other = spool(tmp_path / "0.db", vault=Vault([b"o" * 32]))
    assert [] == await other.oldest(10)
    await other.close()
    both = spool(tmp_path / "0.db", vault=Vault([b"o" * 32, b"k" * 32]))
    await both.take_up()
    assert [came] == [each.request for each in await both.oldest(10)]
    await both.close()


async def test_a_torn_log_costs_only_what_was_never_promised(tmp_path: Path) -> None:
    """The write-ahead log is cut at every length: what stands before the cut is whole."""
    path = tmp_path / "0.db"
    one = spool(path)
    async with running(one.run):
        await one.keep("shop", request(b"first"))
        promised = path.with_name("0.db-wal").stat().st_size
        await one.keep("shop", request(b"second"))
    log = path.with_name("0.db-wal").read_bytes()
    data = path.read_bytes()
    await one.close()
    for end in range(promised, len(log), 997):
        torn = tmp_path / f"torn-{end}.db"
        torn.write_bytes(data)
        torn.with_name(f"{torn.name}-wal").write_bytes(log[:end])
        found = spool(torn)
        bodies = [each.request.body for each in await found.oldest(10)]
        assert bodies in ([b"first"], [b"first", b"second"])
        await found.close()


async def test_draining_waits_for_postgresql_and_goes_in_order(tmp_path: Path) -> None:
    bodies = [str(number).encode() for number in range(150)]
    await kept(tmp_path / "0.db", *map(request, bodies))
    one = spool(tmp_path / "0.db")
    away = asyncio.Event()
    seen: list[bytes] = []

    async def bring(_: str, came: RawRequest) -> Brought:
        if not away.is_set():
            return Brought.LATER
        seen.append(came.body)
        return Brought.STORED

    async with running(Drain(one, bring).run):
        await eventually(_true(lambda: one.total.entries == 150))
        away.set()
        await eventually(_true(lambda: one.total.entries == 0))
    assert bodies == seen
    await one.close()


async def test_a_request_without_a_home_stays_and_stops_nobody(tmp_path: Path) -> None:
    await kept(tmp_path / "0.db", request(b"gone"), request(b"here"))
    one = spool(tmp_path / "0.db")

    async def bring(_: str, came: RawRequest) -> Brought:
        return Brought.HOMELESS if came.body == b"gone" else Brought.STORED

    async with running(Drain(one, bring).run):
        await eventually(_true(lambda: (one.total.entries, one.total.damaged) == (1, 1)))
    await one.close()


def _true(condition: Callable[[], bool]) -> Callable[[], "asyncio.Future[bool]"]:
    async def check() -> bool:
        return condition()

    return check  # type: ignore[return-value]


async def test_what_lies_in_it_is_known_without_counting_anew(tmp_path: Path) -> None:
    await kept(tmp_path / "0.db", *(request(b"x" * size) for size in (10, 200, 3000)))
    one = spool(tmp_path / "0.db")
    first, second, third = [each.number for each in await one.oldest(10)]
    await one.set_aside([first, second])
    await one.set_aside([first])
    await one.forget([second, third, 99])
    known = one.total
    await one.close()
    again = spool(tmp_path / "0.db")
    assert (1, 1) == (known.entries, known.damaged)
    assert again.total == known
    await again.forget([first])
    assert Total() == again.total
    await again.close()


async def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolBroken, match="cannot be kept in"):
        spool(tmp_path / "file" / "0.db")


async def test_one_without_room_says_so_before_it_refuses(tmp_path: Path) -> None:
    one, small = spool(tmp_path / "0.db"), spool(tmp_path / "1.db", most=ROOM - 1)
    assert (True, False) == (one.has_room, small.has_room)
    await one.close()
    await small.close()
