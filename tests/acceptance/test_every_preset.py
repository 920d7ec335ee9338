"""Every preset on the whole road: posted, answered as demanded, shown, and accounted for."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from yarl import URL

from service.app.known import KNOWN
from service.domain.events import Fate
from service.intake.provider import Forged, RawRequest, Reply, Wanted
from service.intake.providers.registry import PRESETS
from service.settings.load import load
from tests import keyserver, simulated
from tests.acceptance import checker, presets
from tests.acceptance.presets import Told
from tests.acceptance.stage import CRM_SECRET, JWT_SECRET, Stage, token

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(180)]

CONFIG = f"""\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
public_url = "{presets.BASE}"
data_dir = "{{folder}}/data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
prefix = "{{prefix}}"
[auth]
jwt_secret = "plain:{JWT_SECRET}"
[destinations.crm]
crm = "callback"
url = "{{crm}}/callback"
secret = "plain:{CRM_SECRET}"
concurrency = 16
[[routes]]
events = ["*"]
destinations = ["crm"]
"""
AT_ONCE = 24
PUT_OFF = 4
"""Times a sender is told to come back before that is its answer."""
SILENT = {Fate.UNREADABLE, Fate.UNMAPPED, Fate.UNRESOLVED}
CHALLENGE = "challenge_code=abc123&challenge=abc123&validationToken=abc123&echostr=abc123"
REFUSED = {
    "title": "Not accepted",
    "detail": "The request is not signed by a known sender.",
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer as the sender saw it, and when it was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    began: datetime
    ended: datetime

    @property
    def is_duplicate(self) -> bool:
        return self.headers.get("Orderhook-Duplicate") == "true"

    def is_exactly(self, reply: Reply) -> bool:
        kinds = (self.headers.get("Content-Type"), reply.headers.get("Content-Type"))
        same_kind = kinds[1] is None or kinds[0] == kinds[1]
        return (self.status, self.body, same_kind) == (reply.status, reply.body, True)


@dataclass
class Town:
    """The gateway, and what was heard from it that should have been otherwise."""

    session: aiohttp.ClientSession
    public: str

    async def send(self, request: RawRequest) -> Heard:
        query = f"?{request.query}" if request.query else ""
        url = URL(f"{self.public}{request.path}{query}", encoded=True)
        began = datetime.now(UTC)
        async with self.session.request(
            request.method,
            url,
            data=request.body,
            headers=dict(request.headers),
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            return Heard(answer.status, answer.headers, body, began, datetime.now(UTC))

    async def deliver(self, request: RawRequest) -> Heard:
        """Send, and come back when told to: a key server may be too slow for the first one."""
        heard = await self.send(request)
        for _ in range(PUT_OFF):
            if heard.status != 503:
                break
            await asyncio.sleep(float(heard.headers["Retry-After"]))
            heard = await self.send(request)
        return heard


@asynccontextmanager
async def opened(stage: Stage) -> AsyncIterator[Town]:
    timeout, connector = aiohttp.ClientTimeout(total=30), aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=connector, skip_auto_headers=("Content-Type",)
    ) as session:
        yield Town(session, stage.public)


def behaviour() -> keyserver.Behaviour:
    """Serve the keys; every object of a sender's API is refused for good."""
    served = presets.documents()

    async def behave(request: Any) -> Any:
        document = served.get(request.path)
        answer = keyserver.says(b"{}", status=400) if document is None else keyserver.says(document)
        return await answer(request)

    return behave


# --- what a sender must hear -----------------------------------------------------------------


async def complaints(town: Town, one: Told) -> list[str]:
    """Post a sample, post it again, and post it spoilt: what was answered otherwise than due."""
    name = f"{one.source.name}, {one.sample}"
    found = [f"{name}: {each.fate}: {each.note}" for each in one.statements if each.fate in SILENT]
    first = await town.deliver(one.request)
    found += [f"{name}: {why}" for why in _wrong(one, first, again=False)]
    again = await town.deliver(one.request)
    found += [f"{name}, again: {why}" for why in _wrong(one, again, again=one.repeats)]
    bad = presets.spoilt(one)
    return found + [f"{name}, spoilt: {why}" for why in _taken(one, bad, await town.send(bad))]


def _wrong(one: Told, heard: Heard, *, again: bool) -> list[str]:
    due = again and bool(one.statements)
    found = [] if heard.is_duplicate == due else [f"duplicate: {heard.is_duplicate}, not {due}"]
    demanded = one.answers(heard.began, heard.ended)
    if None in demanded:
        return found + _uncounted(one, heard, again=again)
    if not any(reply and heard.is_exactly(reply) for reply in demanded):
        found.append(f"{heard.status} {heard.body[:200]!r} is not {demanded[0]}")
    return found


def _uncounted(one: Told, heard: Heard, *, again: bool) -> list[str]:
    if heard.status != 202:
        return [f"{heard.status} {heard.body[:200]!r}"]
    said = _json(heard)
    size = len(one.statements)
    wanted = {"events": size, "duplicates": size if again else 0}
    right = said.pop("request_id", "") and said == wanted
    return [] if right else [f"{said} is not {wanted}"]


def _taken(one: Told, bad: RawRequest, heard: Heard) -> list[str]:
    """A spoilt request is refused; where the key may have changed, the sender is to come back."""
    built, keys = one.built, simulated.documents(one.source.provider)
    match built.verify(bad, now=heard.ended, keys=keys):
        case Forged():
            wanted = {**REFUSED, "status": built.refusal}
            if (heard.status, _json(heard)) != (built.refusal, wanted):
                return [f"{heard.status} {heard.body[:200]!r} is not {wanted}"]
        case Wanted():
            if heard.status != 503 or "Retry-After" not in heard.headers:
                return [f"{heard.status} is not 503 with Retry-After"]
        case other:
            return [f"it is {other}"]
    return []


async def greeted(town: Town, one: Told) -> list[str]:
    """A look at the address is answered as the preset says, or with 405."""
    asked = replace(one.request, method="GET", query=CHALLENGE, body=b"", headers=())
    reply, heard = one.built.handshake(asked), await town.send(asked)
    right = heard.is_exactly(reply) if reply else heard.status == 405
    return [] if right else [f"{one.source.name}: {heard.status} {heard.body!r} is not {reply}"]


def _json(heard: Heard) -> Json:
    said: Json = json.loads(heard.body)
    return said


async def side_by_side(
    work: Callable[[Town, Told], Any], town: Town, these: Sequence[Told]
) -> list[str]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(each: Told) -> list[str]:
        async with gate:
            found: list[str] = await work(town, each)
            return found

    return [why for found in await asyncio.gather(*map(one, these)) for why in found]


# --- what a courier without order numbers needs ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """The shop's word that other names are an order's, for what only couriers spoke of."""

    source: str
    body: Json


def links(these: Sequence[Told]) -> list[Link]:
    found = []
    for one in these:
        for lifecycle in sorted({each.lifecycle for each in one.nameless()}):
            names = {
                alias.type: alias.value
                for each in one.nameless()
                for alias in each.aliases
                if each.lifecycle == lifecycle
            }
            body = {"id": f"link-{one.order}", "order": one.order, "names": names}
            found.append(Link(f"link-{lifecycle}", body))
    return found


def link_tables(told: Sequence[Link]) -> str:
    """Sources that tell nothing but names."""
    types: dict[str, set[str]] = {}
    for each in told:
        types.setdefault(each.source, set()).update(each.body["names"])
    return "\n".join(
        presets.toml(
            f"sources.{name}",
            {
                "provider": "generic",
                "verify": {"scheme": "bearer"},
                "secrets": ["plain:the-token-of-the-links"],
                "key": "id",
                "attributes": {"named_by": "id"},
                "subject": {
                    "lifecycle": name.removeprefix("link-"),
                    "ref": "order",
                    "aliases": {each: f'names."{each}"' for each in sorted(known)},
                },
            },
        )
        for name, known in types.items()
    )


async def linked(town: Town, link: Link) -> None:
    async with town.session.post(
        f"{town.public}/webhooks/{link.source}",
        json=link.body,
        headers={"Authorization": "Bearer the-token-of-the-links"},
    ) as answer:
        assert 202 == answer.status, await answer.text()


# --- the whole road ----------------------------------------------------------------------------


async def quiet(stage: Stage, *, dead: int) -> checker.Evidence:
    """All that can be seen once nothing is owed or waits, and every look-up ended."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + 60
    bearer = {"Authorization": f"Bearer {token()}"}
    async with aiohttp.ClientSession(headers=bearer) as session:
        while True:
            async with session.get(f"{stage.places.api}/api/v1/ledger") as answer:
                totals = (await answer.json())["totals"]
            if (totals["pending"], totals["waiting"], totals["dead"]) == (0, 0, dead):
                return await checker.gather(stage.places)
            assert clock() < deadline, totals
            await asyncio.sleep(0.2)


async def pages(stage: Stage, path: str) -> list[Json]:
    """All items of a list of the API."""
    bearer = {"Authorization": f"Bearer {token()}"}
    found: list[Json] = []
    cursor: dict[str, str] = {}
    async with aiohttp.ClientSession(headers=bearer) as session:
        while True:
            url, asked = f"{stage.places.api}/api/v1{path}", {"limit": "200", **cursor}
            async with session.get(url, params=asked) as answer:
                page = await answer.json()
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}


@asynccontextmanager
async def company(stage: Stage) -> AsyncIterator[tuple[keyserver.Server, list[Told], list[Link]]]:
    """Start everything, with a source of each preset; what their senders are about to post."""
    async with keyserver.serving() as server:
        server.behaviour = behaviour()
        await stage.open_crm()
        text = CONFIG.format(folder=stage.folder, prefix=stage.prefix, crm=stage.crm)
        text += "".join(presets.table(each, server.url) for each in PRESETS)
        stage.config.write_text(text)
        sources = load(stage.config, stage.env, known=KNOWN).sources
        these = list(presets.told(sources, now=datetime.now(UTC)))
        named = links(these)
        stage.config.write_text(text + link_tables(named))
        await stage.open("all")
        yield server, these, named


async def test_every_sample_of_every_preset_goes_the_whole_road(stage: Stage) -> None:
    async with company(stage) as (server, these, named):
        assert {each.name for each in PRESETS} == {one.source.provider for one in these}
        async with opened(stage) as town:
            firsts = list({one.source.name: one for one in these}.values())
            found = await side_by_side(greeted, town, firsts)
            found += await side_by_side(complaints, town, these)
            await asyncio.gather(*(linked(town, each) for each in named))
        assert not found, "\n".join(found)
        owed = Counter(one.source.provider for one in these for _ in one.looked_up())
        seen = await quiet(stage, dead=owed.total())
        assert set(owed) <= {request.path.split("/")[1] for request in server.asked}
    assert {"lookup_failed": owed.total()} == Counter(
        letter["reason"] for letter in await pages(stage, "/dead-letters")
    )
    assert seen.ledger["balanced"], seen.ledger["misplaced"]
    assert counted(these, named) == Counter(event["source"] for event in seen.events)
    expected = {name: status for one in these for name, status in one.expected().items()}
    subjects = await pages(stage, "/subjects")
    assert expected == {each["subject"]: each["status"] for each in subjects}
    assert expected == {each["subject"]: each["status"] for each in seen.orders}
    crm = seen.ledger["destinations"]["crm"]
    assert (len(expected), len(expected)) == (crm["owed"], crm["synced"])


def counted(these: Sequence[Told], named: Sequence[Link]) -> Counter[str]:
    """How many events must be there of each source."""
    found = Counter(each.source for each in named)
    for one in these:
        found[one.source.name] += len(one.keys()) * one.times
    return found
