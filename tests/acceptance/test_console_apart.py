"""People and the API at a process of their own, which takes no webhooks."""

import aiohttp
import psutil
import pytest

from service.cli.run import BEHIND
from tests.acceptance.senders import WMS, posts, stories
from tests.acceptance.stage import Stage, token

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(60)]


async def test_people_look_at_a_process_that_takes_no_webhooks(stage: Stage) -> None:
    stage.durability = "strict"
    stage.configure()
    await stage.open("gateway", "console")
    console = stage.at("console")
    assert None is console["public"]
    gateway, looked_at = (psutil.Process(stage.at(role)["pid"]) for role in ("gateway", "console"))
    assert looked_at.nice() == min(gateway.nice() + BEHIND, 19)
    witness = stage.witness()
    mine = posts(stories(10, seed=71), witness.sources, seed=71)
    await witness.send(mine)
    headers = {"Authorization": f"Bearer {token()}"}
    base = console["internal"]
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/api/v1/ledger", headers=headers) as answer:
            ledger = await answer.json()
        async with session.get(f"{base}/health/ready") as answer:
            assert 200 == answer.status, await answer.text()
        async with session.get(f"{base}/console/", allow_redirects=False) as answer:
            assert (303, "/console/sign-in") == (answer.status, answer.headers["Location"][:16])
        async with session.post(f"{base}/webhooks/{WMS}", data=b"{}") as answer:
            assert 404 == answer.status
    assert len({event for post in mine for event in post.events}) == ledger["totals"]["accepted"]


async def test_it_tries_a_source_at_the_address_that_senders_know(stage: Stage) -> None:
    stage.configure()
    await stage.open("gateway")
    outside = f'[server]\npublic_url = "{stage.public}"\n'
    stage.config.write_text(stage.config.read_text().replace("[server]\n", outside))
    await stage.open("console")
    address = f"{stage.at('console')['internal']}/api/v1/sources/courier"
    headers = {"Authorization": f"Bearer {token('operator')}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(address) as answer:
            samples = (await answer.json())["samples"]
        async with session.post(f"{address}/test", json={"sample": samples[0]}) as answer:
            said = await answer.json()
    assert 202 == said["status"], said
