"""Capture mode on a real PostgreSQL: whole requests are kept, bounded, and believed by nobody."""

import asyncio
import hmac
import json
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.domain.errors import NotFound
from service.intake import captures as capturing
from service.intake.captures import Captures
from service.intake.group_commit import GroupCommit
from service.intake.provider import RawRequest
from service.intake.receive import Intake, Sender, Tallies
from service.ops import ledger, sources
from service.ops.sources import Configured
from service.settings import AnswerRule, EchoRule, Source
from service.store import captures, outbox, pool
from service.store.captures import KEPT, Capture
from service.store.ids import new_id
from service.store.pool import Pool, transaction
from tests import internals
from tests.integration.test_cli import orderhook
from tests.integration.test_receive import Shut

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
WMS = Source(name="wms", provider="generic", mode="capture")
POLITE = WMS.model_copy(
    update={
        "name": "polite",
        "handshake": EchoRule(parameter="challenge"),
        "answer": AnswerRule(body="OK"),
    }
)
NEAR = WMS.model_copy(update={"name": "near", "allow_from": (ip_network("192.0.2.0/24"),)})
SLOW = WMS.model_copy(update={"name": "slow", "rate": 1})
SENDERS = {each.name: Sender(each, capturing.capturing(each)) for each in (WMS, POLITE, NEAR, SLOW)}
BODY = json.dumps({"order": "1001", "status": "PAID"}).encode()


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=3) as opened:
        yield opened


@asynccontextmanager
async def gate(db: Pool) -> AsyncIterator[Intake]:
    commits = GroupCommit(db, Shut(), process=new_id(), lease=outbox.LEASE)
    yield Intake(SENDERS, commits, clock=lambda: NOW, tallies=Tallies(), captures=Captures(db))


def request(*headers: tuple[str, str], body: bytes = BODY, path: str = "wms") -> RawRequest:
    return RawRequest(
        method="POST",
        path=f"/webhooks/{path}",
        query="a=1",
        headers=[("user-agent", "a/1"), *headers],
        body=body,
        received_at=NOW,
        peer="198.51.100.7",
    )


async def kept(db: Pool, name: str = "wms") -> list[Mapping[str, object]]:
    items: list[Mapping[str, object]] = (await sources.captured(db, SENDERS, name))["items"]
    return items


async def test_a_capture_is_answered_like_an_accepted_request_without_events(db: Pool) -> None:
    async with gate(db) as intake:
        reply = await intake.receive("wms", request())
        said = json.loads(reply.body)
        assert (202, 0, 0) == (reply.status, said["events"], said["duplicates"])
        polite = await intake.receive("polite", request(path="polite"))
        assert (200, b"OK") == (polite.status, polite.body)
        asked = replace(request(path="polite", body=b""), method="GET", query="challenge=hello")
        assert b"hello" == (await intake.receive("polite", asked)).body
        assert 405 == (await intake.receive("wms", replace(asked, path="/webhooks/wms"))).status
    assert (1, 1) == (len(await kept(db)), len(await kept(db, "polite")))


async def test_the_ledger_never_hears_of_a_capture(db: Pool) -> None:
    before = await ledger.read(db)
    async with gate(db) as intake:
        for number in range(5):
            await intake.receive("wms", request(body=b"%d" % number))
    after = await ledger.read(db)
    assert {**before, "at": None} == {**after, "at": None}
    async with transaction(db) as tx:
        for table in ("requests", "events", "outbox", "dedupe_keys", "request_tallies"):
            assert 0 == await tx.fetchval(f"SELECT count(*) FROM {table}"), table


async def test_a_list_masks_credentials_and_one_is_shown_whole(db: Pool) -> None:
    private = [("authorization", "Bearer abc"), ("cookie", "a=b"), ("x-signature", "00ff")]
    async with gate(db) as intake:
        await intake.receive("wms", request(*private, body=b"x" * 5000))
        await intake.receive("wms", request(("x-odd", "\0\xe9"), body=b"\xff\x00"))
    second, first = await kept(db)
    assert [
        ["user-agent", "a/1"],
        ["authorization", "(masked)"],
        ["cookie", "(masked)"],
        ["x-signature", "00ff"],
    ] == first["headers"]
    assert (5000, "x" * 1024, "a=1") == (first["body_bytes"], first["body"], first["query"])
    assert (None, "/wA=", [["user-agent", "a/1"], ["x-odd", "\ufffd\xe9"]]) == (
        second["body"],
        second["body_base64"],
        second["headers"],
    )
    whole = await sources.capture(db, SENDERS, "wms", int(str(first["id"])))
    assert ("x" * 5000, [["user-agent", "a/1"], *map(list, private)]) == (
        whole["body"],
        whole["headers"],
    )
    with pytest.raises(NotFound, match="no capture 999"):
        await sources.capture(db, SENDERS, "wms", 999)
    with pytest.raises(NotFound, match="configured are: near, polite, slow, wms"):
        await sources.captured(db, SENDERS, "wmss")


async def test_the_last_fifty_of_each_source_are_kept(db: Pool) -> None:
    async with gate(db) as intake:
        await intake.receive("polite", request())
        for number in range(KEPT + 7):
            await intake.receive("wms", request(body=b"%d" % number))
    items = await kept(db)
    assert (KEPT, b"56".decode(), "7") == (len(items), items[0]["body"], items[-1]["body"])
    assert 1 == len(await kept(db, "polite"))


async def test_all_captures_together_are_bounded_and_old_ones_are_dropped(db: Pool) -> None:
    for name in ("a", "b", "c", "d"):
        one = Capture(name, NOW, "", "POST", "/", "", [("a", "b")], b"x" * 997)
        await captures.add(db, one, most=2500)
    assert [0, 0, 1, 1] == [
        len(await captures.of_source(db, name, start=1)) for name in ("a", "b", "c", "d")
    ]
    async with transaction(db) as tx:
        await tx.execute(
            "UPDATE captures SET at = at - $1::interval WHERE source = 'c'", timedelta(8)
        )
    await captures.forget(db)
    assert ([], 1) == (
        await captures.of_source(db, "c", start=1),
        len(await captures.of_source(db, "d", start=1)),
    )


async def test_a_stranger_of_another_network_and_a_hasty_sender_are_not_captured(db: Pool) -> None:
    async with gate(db) as intake:
        assert 401 == (await intake.receive("near", request(path="near"))).status
        answers = [(await intake.receive("slow", request(path="slow"))).status for _ in range(3)]
    assert ([202, 503, 503], 0, 1) == (
        answers,
        len(await kept(db, "near")),
        len(await kept(db, "slow")),
    )


async def test_without_its_database_a_sender_is_told_to_come_back(db: Pool) -> None:
    await db.close()
    async with gate(db) as intake:
        assert 503 == (await intake.receive("wms", request())).status


async def test_operators_see_captures_over_the_api(db: Pool, database: str) -> None:
    async with gate(db) as intake:
        await intake.receive("wms", request(("cookie", "a=b")))
    configured = Configured(senders=lambda: SENDERS)
    async with (
        internals.opened(database, configured=configured) as url,
        aiohttp.ClientSession() as session,
    ):

        async def get(path: str, role: str = "operator") -> tuple[int, Any]:
            address, token = f"{url}/api/v1/sources{path}", internals.bearer(role=role)
            async with session.get(address, headers=token) as answer:
                return answer.status, await answer.json(content_type=None)

        assert 403 == (await get("/wms/captures", "viewer"))[0]
        status, body = await get("/wms/captures")
        (item,) = body["items"]
        assert (200, ["cookie", "(masked)"]) == (status, item["headers"][-1])
        status, whole = await get(f"/wms/captures/{item['id']}")
        assert (200, ["cookie", "a=b"]) == (status, whole["headers"][-1])
        assert [404, 404, 400] == [
            (await get(path))[0]
            for path in ("/wms/captures/999", "/other/captures", "/wms/captures/x")
        ]


CONFIG = """\
[server]
data_dir = "data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "embedded"
[sources.wms]
provider = "generic"
mode = "capture"
[sources.idle]
provider = "generic"
mode = "capture"
"""


async def test_the_command_line_lists_shows_and_proposes(
    db: Pool, database: str, tmp_path: Path
) -> None:
    stamp = str(int(NOW.timestamp()))
    async with gate(db) as intake:
        for number, word in enumerate(("PICKING", "\x1b[31mSHIPPED")):
            body = json.dumps({"id": number, "order": "1001", "status": word}).encode()
            digest = hmac.digest(b"open", stamp.encode() + b"." + body, "sha256").hex()
            signed = [("x-time", stamp), ("x-signature", digest), ("cookie", "a=b")]
            await intake.receive("wms", request(*signed, body=body))
    (tmp_path / "orderhook.toml").write_text(CONFIG)

    def run(*words: str) -> str:
        env = {"DATABASE_URL": database, "WMS": "open"}
        done = orderhook(*words, cwd=tmp_path, env=env)
        return done.stdout or done.stderr

    listed = json.loads(await asyncio.to_thread(run, "sources", "captured", "wms", "--json"))
    newest = str(listed["items"][0]["id"])
    shown = await asyncio.to_thread(run, "sources", "captured", "wms", "--show", newest)
    assert "cookie: a=b" in shown
    assert "\x1b" not in shown
    table = await asyncio.to_thread(run, "sources", "captured", "wms")
    assert "--show NUMBER" in table
    proposed = await asyncio.to_thread(run, "init", "--from-capture", "wms", "--secret", "env:WMS")
    rule = tomllib.loads(proposed)["sources"]["wms"]
    assert {
        "scheme": "hmac",
        "header": "X-Signature",
        "signed": "{timestamp}.{body}",
        "timestamp_header": "X-Time",
    } == rule["verify"]
    assert ["env:WMS"] == rule["secrets"]
    refused = await asyncio.to_thread(run, "init", "--from-capture", "wms", "--secret", "env:NO")
    assert "NO is not set" in refused
    assert "Nothing of idle is captured" in await asyncio.to_thread(
        run, "init", "--from-capture", "idle"
    )
