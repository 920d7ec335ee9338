"""A gateway started while PostgreSQL is away: it accepts if it may, and waits if it must."""

import aiohttp
import pytest

from tests.acceptance import checker
from tests.acceptance.bridge import Bridge
from tests.acceptance.senders import STRIPE, posts, stories
from tests.acceptance.stage import Stage, until
from tests.acceptance.test_crashes import ROLES

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(180)]


async def bridged(stage: Stage) -> Bridge:
    """PostgreSQL can be taken away from everybody on the stage."""
    bridge = Bridge(stage.store)
    await bridge.open()
    stage.store = bridge.url
    return bridge


async def test_a_gateway_that_knows_the_schema_accepts_before_it_sees_postgresql(
    stage: Stage,
) -> None:
    await stage.open_crm()
    bridge = await bridged(stage)
    await stage.open(*ROLES)
    assert 0 == await stage.programs["gateway"].end()
    await bridge.cut()
    await stage.again("gateway")
    witness = stage.witness()
    batch = posts(stories(10, seed=61), witness.sources, seed=61)
    spooled = [post for post in batch if post.source != STRIPE]
    await witness.send(spooled)
    async with aiohttp.ClientSession() as session:
        strict = next(post for post in batch if post.source == STRIPE)
        assert 503 == (await witness.post(session, strict)).status
        async with session.get(f"{stage.gateway['internal']}/health/ready") as answer:
            assert (200, "ok") == (answer.status, (await answer.json())["checks"]["store"])
    await bridge.open()
    await witness.send(batch)
    await checker.prove(witness, stage.places)
    await bridge.cut()


async def test_a_gateway_that_never_saw_the_schema_waits_for_postgresql(stage: Stage) -> None:
    bridge = await bridged(stage)
    await bridge.cut()
    gateway = stage.start("gateway")
    await until(lambda: '"waiting"' in gateway.output, "it says what it waits for")
    assert not gateway.ready_file.exists()
    await bridge.open()
    await stage.adopt("gateway")
    assert 0 == await gateway.end()
    await bridge.cut()
