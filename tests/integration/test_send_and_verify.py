"""`orderhook send` and `orderhook verify` as commands, for each family of proofs.

A tap between sender and gateway notes what was sent, so that `verify` can judge it afterwards.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from service.intake.providers.registry import preset
from tests import keyserver, servers, simulated
from tests.acceptance import presets
from tests.household import Household, household

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]

FAMILIES = {
    "an hmac": "shopify",
    "a hash of fields": "tbank",
    "a form signed with a private key": "alipay",
    "a private key, whose other half is fetched": "shipengine",
    "a token that is the body": "wix",
    "a sealed body in xml": "wecom",
    "a token in the url": "cdek",
    "xml": "salesforce",
}
CONFIG = f"""\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
public_url = "{presets.BASE}"
data_dir = "data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "embedded"
[auth]
jwt_secret = "env:JWT_SECRET"
"""
HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


@dataclass
class Tap:
    """Hands requests on to the gateway, and keeps them."""

    gateway: str
    url: str = ""
    taken: dict[str, tuple[str, list[str], bytes]] = field(default_factory=dict)
    """By source: the path and query, the headers as lines, and the body."""

    async def hand_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        kept = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        name = request.path.split("/")[2]
        self.taken[name] = (request.raw_path, [f"{k}: {v}" for k, v in kept.items()], body)
        url = URL(self.gateway + request.raw_path, encoded=True)
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=kept) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())


@asynccontextmanager
async def tapped(gateway: str) -> AsyncIterator[Tap]:
    tap, app = Tap(gateway), web.Application()
    app.router.add_route("*", "/{tail:.*}", tap.hand_on)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    tap.url = f"http://{host}:{port}"
    try:
        yield tap
    finally:
        await runner.cleanup()


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="orderhook-send-"))
    yield made
    shutil.rmtree(made)


async def test_what_send_sends_is_taken_by_the_gateway_and_by_verify(
    folder: Path, postgres: servers.Postgres, template: str
) -> None:
    async with keyserver.serving() as server:
        documents = presets.documents()
        server.behaviour = served(documents)
        config = CONFIG + "".join(
            presets.table(preset(name), server.url) for name in FAMILIES.values()
        )
        with household(config, folder=folder, postgres=postgres, template=template) as house:
            async with tapped(house.public) as tap:
                told = await asyncio.gather(
                    *(round_trip(house, tap, name) for name in FAMILIES.values())
                )
    assert [] == [line for lines in told for line in lines]


def served(documents: dict[str, bytes]) -> keyserver.Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        return await keyserver.says(documents[request.path])(request)

    return behave


async def round_trip(house: Household, tap: Tap, name: str) -> list[str]:
    """Send a sample and judge what was sent; one is judged with a byte changed, too."""
    called, sender = presets.called(preset(name)), simulated.sender(name)
    pair = simulated.pair(name, presets.WORD)
    words = ["send", called, "--sample", sender.usual, "--url", tap.url]
    if pair.sign_with.reveal().startswith(presets.PEM):
        key = house.folder / f"{name}.pem"
        key.write_bytes(pair.sign_with.reveal())
        words += ["--key-file", str(key)]
    code, out, err = await house.run(*words)
    if code:
        return [f"{name}: send ended with {code}: {out}{err}"]
    path, headers, body = tap.taken[called]
    genuine = await judged(house, called, path, headers, body)
    found = [] if genuine[0] == 0 else [f"{name}: {genuine}"]
    if name != FAMILIES["an hmac"]:  # The contract suite flips bits of all; a process takes long.
        return found
    middle = len(body) // 2
    spoilt = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    forged = await judged(house, called, path, headers, spoilt)
    return found if forged[0] == 1 else [*found, f"{name}, spoilt: {forged}"]


async def judged(
    house: Household, called: str, path: str, headers: list[str], body: bytes
) -> tuple[int, str]:
    """The exit code of `verify`, and why."""
    file = house.folder / f"{called}-{len(list(house.folder.iterdir()))}.body"
    file.write_bytes(body)
    provider = called.removeprefix("our-")
    words = ["verify", "--source", called, "--url", presets.BASE + path, "--body", str(file)]
    words += [word for line in headers for word in ("--header", line)]
    for url, document in simulated.documents(provider, presets.WORD).items():
        kept = house.folder / f"{provider}.key"
        kept.write_bytes(document)
        words += ["--key", f"{url}={kept}"]
    code, out, err = await house.run(*words)
    answer = json.loads(out) if out else {"reason": err, "genuine": None, "events": []}
    assert answer["genuine"] is (code == 0), answer
    if code == 0:
        assert answer["events"], answer
    return code, answer["reason"] or ""
