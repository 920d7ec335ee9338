"""One trace per sampled request, through a whole process on a real PostgreSQL, to the CRM."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from structlog.testing import capture_logs

from service import spans, tracing
from service.app.known import KNOWN
from service.app.process import Options
from service.app.run import run
from service.settings import Settings
from service.settings.load import load
from service.store import migrate, pool
from service.store.pool import Pool

pytestmark = pytest.mark.postgres

CONFIG = """
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
sandbox = true
[store]
url = "{store}"
[broker]
url = "embedded"
[auth]
jwt_secret = "plain:a key of thirty-two bytes or more"
[sources.shop]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:open"]
items = "events[]"
key = "id"
subject = {{ ref = "order" }}
status = "status"
statuses = {{ PAID = "payment.paid", SHIPPED = "fulfillment.shipped" }}
[destinations.crm]
crm = "callback"
url = "{crm}"
secret = "plain:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
retry = {{ first = "100ms", max = "1s" }}
[[routes]]
destinations = ["crm"]
"""
SENDER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROAD = ["POST /webhooks/{source}", "accept", "publish", "consume", "fold", "call"]


@dataclass
class Crm:
    """Takes every callback, after as many refusals as it is told; remembers the headers."""

    refusals: int = 0
    heard: list[dict[str, str]] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(dict(request.headers))
        self.refusals -= 1
        return web.Response(status=503 if self.refusals >= 0 else 200)


@asynccontextmanager
async def serving(handle: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/{path:.*}", handle)
    async with TestServer(application) as server:
        yield str(server.make_url("/")).rstrip("/")


@asynccontextmanager
async def running(folder: Path, store: str, crm: str) -> AsyncIterator[str]:
    """A process of the role `all`; yields its public address."""
    file, ready, stop = folder / "orderhook.toml", folder / "ready", asyncio.Event()
    file.write_text(CONFIG.format(store=store, crm=crm))

    def settings() -> Settings:
        return load(file, {}, known=KNOWN)

    process = asyncio.create_task(
        run(settings, Options("all", ready_file=ready), stop=stop, reload=asyncio.Event())
    )
    try:
        async with asyncio.timeout(20):
            while not ready.exists() and not process.done():
                await asyncio.sleep(0.01)
        if process.done():
            process.result()
        yield json.loads(ready.read_bytes())["public"]
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await asyncio.gather(process)


@asynccontextmanager
async def road(tmp_path: Path, database: str, crm: Crm) -> AsyncIterator[str]:
    await migrate.upgrade(database)
    async with serving(crm.hear) as url, running(tmp_path, database, url) as public:
        yield public


def recorder(sampler: Sampler) -> tuple[InMemorySpanExporter, spans.Recorder]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter, spans.Recorder(provider)


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter, recording = recorder(ParentBased(ALWAYS_ON))
    with tracing.recording(recording):
        yield exporter


async def post(url: str, *orders: str, status: str = "PAID", **headers: str) -> dict[str, Any]:
    events = [{"id": f"{each}-{status}", "order": each, "status": status} for each in orders]
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/webhooks/shop",
            json={"events": events},
            headers={"Authorization": "Bearer open", **headers},
        ) as answer,
    ):
        assert answer.status == 202
        found: dict[str, Any] = await answer.json()
        return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


def by_name(exporter: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = {}
    for span in exporter.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def count(exporter: InMemorySpanExporter, name: str) -> int:
    return len(by_name(exporter).get(name, []))


def ids(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


async def test_one_trace_leads_from_the_request_to_the_call(
    tmp_path: Path, database: str, exporter: InMemorySpanExporter
) -> None:
    crm = Crm()
    async with road(tmp_path, database, crm) as url:
        answer = await post(url, "1001", traceparent=SENDER)
        await until(lambda: count(exporter, "call") > 0)
    found = by_name(exporter)
    assert dict.fromkeys(ROAD, 1) == {name: len(found[name]) for name in found}
    walked = [found[name][0] for name in ROAD]
    assert walked[0].parent is None
    for above, below in pairwise(walked):
        assert below.parent is not None
        assert ids(above) == (below.parent.trace_id, below.parent.span_id), below.name
    assert ["SERVER", "INTERNAL", "PRODUCER", "CONSUMER", "INTERNAL", "CLIENT"] == [
        span.kind.name for span in walked
    ]
    assert answer["request_id"] == (walked[0].attributes or {})["orderhook.request_id"]
    assert "order/1001" == (walked[-1].attributes or {})["orderhook.subject"]


async def test_the_trace_of_a_stranger_is_linked_and_never_the_parent(
    tmp_path: Path, database: str, exporter: InMemorySpanExporter
) -> None:
    async with road(tmp_path, database, Crm()) as url:
        await post(url, "1001", traceparent=SENDER)
        await post(url, "1002", traceparent="00-junk")
    linked, plain = by_name(exporter)[ROAD[0]]
    assert [0x0AF7651916CD43DD8448EB211C80319C] == [each.context.trace_id for each in linked.links]
    assert linked.parent is None
    assert ids(linked)[0] != linked.links[0].context.trace_id
    assert [] == list(plain.links)


async def test_the_destination_is_told_which_trace_a_call_belongs_to(
    tmp_path: Path, database: str, exporter: InMemorySpanExporter
) -> None:
    crm = Crm(refusals=1)
    async with road(tmp_path, database, crm) as url:
        await post(url, "1001")
        await until(lambda: count(exporter, "call") == 2)
    calls = by_name(exporter)["call"]
    told = [f"00-{trace:032x}-{span:016x}-01" for trace, span in map(ids, calls)]
    assert told == [each["traceparent"] for each in crm.heard]
    assert 1 == len({ids(each)[0] for each in calls}), "a retry left the trace"
    assert [503, 200] == [(each.attributes or {})["http.response.status_code"] for each in calls]


async def test_a_call_for_several_requests_links_their_traces(
    tmp_path: Path, database: str, exporter: InMemorySpanExporter
) -> None:
    crm = Crm(refusals=1_000_000)
    async with road(tmp_path, database, crm) as url:
        await post(url, "1001")
        await until(lambda: count(exporter, "call") > 0)
        await post(url, "1001", status="SHIPPED")
        await until(lambda: any(call.links for call in by_name(exporter)["call"]))
    newest = next(call for call in by_name(exporter)["call"] if call.links)
    roots = sorted(ids(span)[0] for span in by_name(exporter)[ROAD[0]])
    assert roots == sorted([ids(newest)[0], newest.links[0].context.trace_id])


async def test_a_request_with_many_events_makes_one_span_a_stretch(
    tmp_path: Path, database: str, exporter: InMemorySpanExporter
) -> None:
    async with road(tmp_path, database, Crm()) as url:
        await post(url, *(str(1000 + number) for number in range(30)))
        await until(lambda: count(exporter, "call") == 30)
    assert [1, 1, 1, 1, 1, 30] == [count(exporter, name) for name in ROAD]
    assert 1 == len({ids(span)[0] for span in exporter.get_finished_spans()})


async def test_what_is_not_sampled_leaves_no_span_and_no_header(
    tmp_path: Path, database: str
) -> None:
    exporter, recording = recorder(ParentBased(ALWAYS_OFF))
    crm = Crm()
    with tracing.recording(recording):
        async with road(tmp_path, database, crm) as url:
            await post(url, "1001", traceparent=SENDER)
            await until(lambda: bool(crm.heard))
    assert () == exporter.get_finished_spans()
    assert "traceparent" not in crm.heard[0]


async def test_an_entry_keeps_its_trace_until_the_relay_publishes_it(
    tmp_path: Path, database: str, exporter: InMemorySpanExporter
) -> None:
    """There was no room in the window when the request came."""
    await migrate.upgrade(database)
    async with pool.opened(database, size=1) as db:
        await hold_back(db)
    async with pool.opened(database, size=1) as db, road(tmp_path, database, Crm()) as url:
        await post(url, "1001")
        await until(lambda: count(exporter, "accept") == 1)
        accept = by_name(exporter)["accept"][0]
        assert [f"00-{ids(accept)[0]:032x}-{ids(accept)[1]:016x}-01"] == await traces_owed(db)
        await let_go(db)
        await until(lambda: count(exporter, "call") == 1)
    publish = by_name(exporter)["publish"]
    assert [ids(accept)] == [
        (each.parent.trace_id, each.parent.span_id) for each in publish if each.parent
    ]


async def hold_back(db: Pool) -> None:
    """Fill the window with entries nobody takes, so that nobody publishes anything."""
    async with pool.session(db) as connection:
        await connection.execute(
            """
            INSERT INTO outbox (event_id, due_at, published_at)
            SELECT gen_random_uuid(), now() + interval '1 h', now() + interval '1 h'
            FROM generate_series(1, 2000)
            """
        )


async def let_go(db: Pool) -> None:
    async with pool.session(db) as connection:
        await connection.execute("DELETE FROM outbox WHERE due_at > now() + interval '30 min'")


async def traces_owed(db: Pool) -> list[str]:
    async with pool.transaction(db) as tx:
        rows = await tx.fetch("SELECT trace FROM outbox WHERE published_at IS NULL")
    return [row["trace"] for row in rows]


async def test_the_id_of_a_request_finds_every_station_in_the_log(
    tmp_path: Path, database: str
) -> None:
    crm = Crm(refusals=1)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:

        def stations() -> list[str]:
            return [str(each["event"]) for each in logs if answer["request_id"] in json.dumps(each)]

        async with road(tmp_path, database, crm) as url:
            answer = await post(url, "1001")
            await until(lambda: "synced" in stations())
            await post(url, "1002")
    assert ["accepted", "folded", "not_synced", "request", "synced"] == sorted(stations())
    [synced] = [each for each in logs if each["event"] == "synced" and "1001" in json.dumps(each)]
    [row] = [each for each in synced["syncs"] if each["subject"] == "order/1001"]
    assert ("crm:order/1001:1", 1) == (row["key"], row["version"])


async def test_spans_reach_the_collector_the_environment_names(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[ExportTraceServiceRequest] = []

    async def collect(request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest()
        message.ParseFromString(await request.read())
        received.append(message)
        return web.Response()

    async with serving(collect) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        crm = Crm()
        async with road(tmp_path, database, crm) as url:
            await post(url, "1001")
            await until(lambda: bool(crm.heard))
    resources = [each for message in received for each in message.resource_spans]
    attributes = {pair.key: pair.value.string_value for pair in resources[0].resource.attributes}
    assert "orderhook" == attributes["service.name"]
    assert "test" == attributes["deployment.environment.name"]
    names = [span.name for each in resources for scope in each.scope_spans for span in scope.spans]
    assert sorted(ROAD) == sorted(names)


async def test_a_collector_that_is_away_stops_nothing(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    crm = Crm()
    async with road(tmp_path, database, crm) as url:
        await post(url, "1001")
        await until(lambda: bool(crm.heard))
