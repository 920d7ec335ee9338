"""The internal listener on a real database: exact bodies, exact refusals."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import yaml
from jsonschema import Draft202012Validator
from yarl import URL

from service.domain.errors import StoreUnavailable
from service.domain.law import State
from service.ops import lookups
from service.settings import Auth
from service.store import pool
from service.store.ids import new_id
from service.store.pool import Pool, transaction
from tests import internals, rows

DESCRIPTION = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))


@dataclass
class Api:
    """A client of the API with a viewer's token."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, *, shape: str | None = None, **parameters: Any) -> Any:
        """GET a 200 and hold its body against a schema of openapi.yaml."""
        status, body = await self.ask(path, **parameters)
        assert 200 == status, body
        if shape is not None:
            _conform(body, shape)
        return body

    async def ask(
        self, path: str, *, headers: dict[str, str] | None = None, **parameters: Any
    ) -> tuple[int, Any]:
        async with self.session.get(
            f"{self.url}{path}",
            params=parameters,
            headers=internals.bearer() if headers is None else headers,
        ) as answer:
            is_problem = answer.content_type == "application/problem+json"
            assert is_problem == (answer.status >= 400)
            body = await answer.json(content_type=None)
            if is_problem:
                _conform(body, "Problem")
                assert answer.status == body["status"]
            return answer.status, body


def _conform(body: Any, shape: str) -> None:
    schema = {"$ref": f"#/components/schemas/{shape}", "components": DESCRIPTION["components"]}
    Draft202012Validator(schema).validate(body)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with internals.opened(database) as url, aiohttp.ClientSession() as session:
        yield Api(f"{url}/api/v1", session)


@pytest.fixture
async def relay() -> AsyncIterator[str]:
    async with internals.opened(None) as url:
        yield url


def _state() -> dict[str, object]:
    return State(lanes={"payment": "paid"}, attributes={"amount": "10.00", "vip": True}).to_json()


@pytest.mark.postgres
async def test_the_ledger_is_what_ops_reads(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.event(tx, "applied")
        await rows.event(tx)
    body = await api.get("/ledger", shape="Ledger")
    assert not body["balanced"]
    assert {"accepted": 2, "applied": 1} == {
        name: count for name, count in body["totals"].items() if count
    }
    assert datetime.fromisoformat(body["at"]) - datetime.now(UTC) < timedelta(minutes=1)


@pytest.mark.postgres
async def test_a_subject_is_shown_with_all_that_is_known(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        paid = await rows.event(tx, "applied")
        late = await rows.event(tx, "superseded", status="authorized", occurred_at=None)
        lost = await rows.event(tx, "dead", status=None, lane=None)
        fresh = await rows.event(tx, "pending")
        await rows.event(tx, "applied", scope="shop-eu")
        row = await rows.subject(tx, state=_state())
        await rows.sync(
            tx,
            row,
            state="pending",
            synced_version=2,
            due_at=rows.AT,
            error="HTTP 500",
            attempts=4,
        )
    body = await api.get("/subjects/order/1001", shape="Subject")
    assert {
        "subject": "order/1001",
        "lifecycle": "order",
        "scope": "",
        "ref": "1001",
        "status": "paid",
        "version": 3,
        "flags": [],
        "merged_into": None,
        "updated_at": body["updated_at"],
        "stuck": body["stuck"],
        "lanes": {"payment": "paid"},
        "parcels": [],
        "attributes": {"amount": "10.00", "vip": True},
        "aliases": [],
        "corrections": [],
        "merged": [],
        "syncs": [
            {
                "destination": "crm",
                "state": "pending",
                "desired": 3,
                "synced": 2,
                "remote_id": None,
                "error": "HTTP 500",
                "attempts": 4,
                "due_at": "2026-03-01T12:00:00+00:00",
                "held_for": None,
                "difference": [],
            }
        ],
        "versions": [],
        "history": body["history"],
    } == body
    assert ["dead_event", "retrying", "unfolded"] == [each["kind"] for each in body["stuck"]]
    assert {
        "kind": "event",
        "event_id": str(paid),
        "source": "shop",
        "parcel": None,
        "lane": "payment",
        "status": "paid",
        "occurred_at": "2026-03-01T12:00:00+00:00",
        "received_at": "2026-03-01T12:00:01+00:00",
        "outcome": "applied",
        "reason": "it was applied",
        "actor": None,
        "events": 1,
    } == body["history"][0]
    assert [
        (str(paid), "applied", "it was applied"),
        (str(late), "superseded", "it was superseded"),
        (str(lost), "dead", "The status is not known."),
        (str(fresh), "pending", ""),
    ] == [(step["event_id"], step["outcome"], step["reason"]) for step in body["history"]]


@pytest.mark.postgres
@pytest.mark.parametrize("ref", ["A/17", "ä ö#?%&+", "{x}", "..", "-1", "a;b", "a:b"])
async def test_a_ref_may_be_any_text(api: Api, store: Pool, ref: str) -> None:
    async with transaction(store) as tx:
        await rows.event(tx, "applied", ref=ref, scope="eu")
        await rows.subject(tx, ref=ref, scope="eu")
    path = f"/subjects/order/{_quoted(ref)}"
    url = api.url + path + "?scope=eu"
    async with api.session.get(URL(url, encoded=True), headers=internals.bearer()) as answer:
        body = await answer.json()
    assert (200, ref) == (answer.status, body.get("ref"))
    assert 1 == len(body["history"])


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.postgres
async def test_lists_are_paged_without_gaps_or_repeats(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        for number in range(7):
            await rows.event(tx, "applied", ref=str(number))
            await rows.subject(tx, ref=str(number))
    for path, key in (("/subjects", "ref"), ("/events", "id")):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await api.get(path, limit="3", **cursor)
            assert {"items", "next"} == page.keys()
            seen += [item[key] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert 7 == len(seen) == len(set(seen))
        assert 3 == len((await api.get(path, limit="3"))["items"])
        assert (await api.get(path, limit="7"))["next"] is None


@pytest.mark.postgres
async def test_subjects_are_filtered(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.subject(tx, ref="EU-1", status="paid")
        await rows.subject(tx, ref="EU-2", status="new")
        await rows.subject(tx, ref="US_1", status="paid")
        await rows.subject(tx, ref="EU-3", status="paid", lifecycle="ticket")

    async def refs(**wanted: str) -> list[str]:
        page = await api.get("/subjects", **wanted)
        for item in page["items"]:
            _conform(item, "SubjectItem")
        return sorted(item["ref"] for item in page["items"])

    assert ["EU-1", "EU-2", "EU-3", "US_1"] == await refs()
    assert ["EU-1", "EU-3", "US_1"] == await refs(status="paid")
    assert ["EU-1", "EU-2"] == await refs(ref="EU-", lifecycle="order")
    assert [] == await refs(ref="%")
    assert [] == await refs(ref="US%")


@pytest.mark.postgres
async def test_events_are_filtered(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        applied = await rows.event(tx, "applied")
        pending = await rows.event(tx, "pending", source="wms", scope="eu", ref="7")
        dead = await rows.event(tx, "dead", ref="eu:7")
        nameless = await rows.event(tx, "ignored", ref=None)

    async def ids(**wanted: str) -> set[str]:
        page = await api.get("/events", **wanted)
        for item in page["items"]:
            _conform(item, "EventItem")
        return {item["id"] for item in page["items"]}

    assert set(map(str, (applied, pending, dead, nameless))) == await ids()
    assert {str(pending)} == await ids(source="wms")
    assert {str(pending)} == await ids(outcome="pending")
    assert {str(dead)} == await ids(outcome="dead")
    assert {str(nameless)} == await ids(outcome="ignored")
    assert set() == await ids(outcome="revoked")
    assert {str(applied)} == await ids(subject="order/1001")
    assert {str(pending), str(dead)} == await ids(subject="order/eu:7")
    assert set() == await ids(subject="ticket/1001")


@pytest.mark.postgres
async def test_an_event_is_shown_with_its_request_and_what_it_led_to(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        request_id = await rows.request(
            tx,
            path="/webhooks/shop/s3cr3t-token",
            headers={"content-type": "text/plain", "Authorization": "Bearer s3cr3t"},
            body=b"\x00\xff",
        )
        event_id = await rows.event(tx, "applied", request_id=request_id)
        row = await rows.subject(tx)
        await rows.transition(tx, row, new_id(), version=1)
        await rows.transition(tx, row, event_id, version=2)
        await rows.attempt(tx, row, version=1)
        await rows.attempt(tx, row, version=3, http_status=None, detail="timed out")
    body = await api.get(f"/events/{event_id}", shape="Event")
    assert "s3cr3t" not in str(body)
    assert ("order/1001", "PAID", "evt_1") == (body["subject"], body["code"], body["dedupe_key"])
    assert {
        "id": str(request_id),
        "received_at": "2026-03-01T12:00:00+00:00",
        "peer": "192.0.2.1",
        "method": "POST",
        "path": "/webhooks/shop/[hidden]",
        "query": "",
        "headers": {"content-type": "text/plain", "Authorization": "[hidden]"},
        "erased_at": None,
        "size": 2,
        # Two bytes without fields: of such a body nothing is shown.
        "body_base64": base64.b64encode(b"(masked)").decode(),
    } == body["request"]
    assert [(3, "timed out")] == [(each["version"], each["detail"]) for each in body["attempts"]]
    bare = await _event_without_request(store)
    assert (await api.get(f"/events/{bare}", shape="Event"))["request"] is None


async def _event_without_request(store: Pool) -> UUID:
    async with transaction(store) as tx:
        return await rows.event(tx, "ignored", ref=None)


MISTAKES = {
    "/ledger?x=1": "'x' is not known; there are none here",
    "/subjects?colour=red": "'colour' is not known; known are q, lifecycle, status, ref, flag",
    "/subjects?ref=a&ref=b": "ref was sent more than once",
    "/subjects?ref=": "ref must be 1 to 256 characters",
    "/subjects?ref=%00": "without NUL",
    "/subjects?ref=" + "a" * 257: "ref must be 1 to 256 characters",
    "/subjects?limit=0": "limit must be a number from 1 to 200",
    "/subjects?limit=201": "limit must be a number from 1 to 200",
    "/subjects?limit=-1": "limit must be a number from 1 to 200",
    "/subjects?limit=1e1": "limit must be a number from 1 to 200",
    "/subjects?limit=%D9%A3": "limit must be a number from 1 to 200",
    "/subjects?limit=99999999999999999999": "limit must be a number from 1 to 200",
    "/subjects?cursor=x": "cursor is not a `next` of this list",
    "/subjects?cursor=%F0%9F%92%A9": "cursor is not a `next` of this list",
    "/events?cursor=" + lookups.encode_cursor([1, 2, 3]): "cursor is not a `next` of this list",
    "/events?cursor=" + lookups.encode_cursor(["x"]): "cursor is not a `next` of this list",
    "/subjects?cursor=" + lookups.encode_cursor([str(rows.AT), 2**63]): "cursor is not",
    "/subjects?cursor=" + lookups.encode_cursor([str(rows.AT), True]): "cursor is not",
    "/subjects?cursor=" + lookups.encode_cursor(["2026-01-01T00:00:00", 1]): "cursor is not",
    "/events?outcome=lost": "outcome must be one of applied, superseded",
    "/events?subject=1001": "subject must read like order/1001",
    "/events/1": "The id in the path is not a UUID",
    "/events/urn:uuid:00000000-0000-0000-0000-000000000000": "is not a UUID",
}


@pytest.mark.postgres
async def test_mistakes_are_explained(api: Api) -> None:
    for path, sentence in MISTAKES.items():
        status, body = await api.ask(path)
        assert (400, True) == (status, sentence in body["detail"]), (path, body)


@pytest.mark.postgres
async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    for path in (
        "/subjects/order/404",
        "/subjects/order/%00",
        f"/subjects/order/{'a' * 3000}",
        "/subjects/order",
        f"/events/{new_id()}",
        "/nothing",
    ):
        status, _ = await api.ask(path)
        assert 404 == status, path


@pytest.mark.postgres
async def test_every_path_but_health_wants_a_token(api: Api) -> None:
    root = api.url.removesuffix("/api/v1")
    for path in ("/api/v1/ledger", "/api/v1/subjects", "/api/v1/events/1", "/metrics"):
        async with api.session.get(root + path) as answer:
            assert 401 == answer.status
            assert 'Bearer realm="orderhook"' == answer.headers["WWW-Authenticate"]
            _conform(await answer.json(content_type=None), "Problem")
    for path in ("/health/live", "/health/ready"):
        async with api.session.get(root + path) as answer:
            assert 200 == answer.status


@pytest.mark.postgres
async def test_each_role_may_read(api: Api) -> None:
    for role in ("viewer", "operator", "admin"):
        status, _ = await api.ask("/ledger", headers=internals.bearer(role=role))
        assert 200 == status
    status, _ = await api.ask("/ledger", headers=internals.bearer(role="root"))
    assert 401 == status


@pytest.mark.postgres
async def test_reading_is_all_there_is(api: Api) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        async with api.session.request(
            method, f"{api.url}/ledger", headers=internals.bearer()
        ) as answer:
            assert (405, "GET") == (answer.status, answer.headers["Allow"])


@pytest.mark.postgres
async def test_a_lost_database_is_a_503_that_says_when_to_come_back(
    database: str, postgres: Any
) -> None:
    async with internals.opened(database) as url, aiohttp.ClientSession() as session:
        api = Api(f"{url}/api/v1", session)
        name = database.rpartition("/")[2].partition("?")[0]
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgres.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        async with session.get(f"{url}/api/v1/ledger", headers=internals.bearer()) as answer:
            assert 503 == answer.status
            assert "5" == answer.headers["Retry-After"]
            assert "Traceback" not in await answer.text()
        async with session.get(f"{url}/health/ready") as answer:
            assert 503 == answer.status
            assert "PostgreSQL" in (await answer.json())["checks"]["database"]
        async with session.get(f"{url}/health/live") as answer:
            assert 200 == answer.status
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert (await api.get("/ledger"))["balanced"]


async def test_metrics_are_for_holders_of_a_token(relay: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{relay}/metrics") as answer:
            assert 401 == answer.status
        async with session.get(f"{relay}/metrics", headers=internals.bearer()) as answer:
            assert 200 == answer.status
            assert "text/plain" == answer.content_type
            assert 'orderhook_http_answers_total{listener="internal"' in await answer.text()


async def test_a_relay_has_no_api(relay: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{relay}/api/v1/ledger", headers=internals.bearer()) as answer,
    ):
        assert 404 == answer.status


async def test_readiness_is_what_the_checks_say() -> None:
    async def well() -> bool:
        return True

    async def unwell() -> bool:
        return False

    async def away() -> bool:
        raise StoreUnavailable("PostgreSQL cannot answer now.")

    async def broken() -> bool:
        raise ZeroDivisionError

    async def stuck() -> bool:
        await asyncio.Event().wait()
        return True

    checks = {"well": well, "unwell": unwell, "away": away, "broken": broken, "stuck": stuck}
    async with (
        internals.opened(None, checks=checks) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/health/ready") as answer,
    ):
        assert 503 == answer.status
        body = await answer.json()
        _conform(body, "Readiness")
        assert {
            "ready": False,
            "checks": {
                "well": "ok",
                "unwell": "not ready",
                "away": "PostgreSQL cannot answer now.",
                "broken": "The check itself failed; see the log.",
                "stuck": "There was no answer within 1 s.",
            },
        } == body


async def test_without_a_key_no_token_is_good() -> None:
    async with (
        internals.opened(None, auth=Auth()) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics", headers=internals.bearer()) as answer,
    ):
        assert 401 == answer.status
        assert "jwt_secret" in (await answer.json(content_type=None))["detail"]
