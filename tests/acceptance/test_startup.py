"""What a person sees who starts it wrong or too early: sentences, exit codes, patience."""

import asyncio
import signal
import socket
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from yarl import URL

from service.broker import rabbitmq
from service.broker.topology import Topology
from tests.acceptance import checker
from tests.acceptance.bridge import Bridge
from tests.acceptance.senders import posts, stories
from tests.acceptance.stage import Said, Stage, until
from tests.rabbitmq import Rabbit

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]

NOWHERE = "postgresql://orderhook@127.0.0.1:9/orderhook"


def sentences(said: Said) -> str:
    """What was said on stderr; it must be for people."""
    assert "Traceback" not in said.out + said.err
    return said.err


async def run(stage: Stage, *words: str) -> Said:
    return await asyncio.to_thread(stage.verb, *words)


@pytest.mark.parametrize("words", [("check",), ("run", "gateway")])
async def test_a_bad_configuration_is_told_whole(bare_stage: Stage, words: tuple[str, ...]) -> None:
    stage = bare_stage
    stage.configure('[sources.shop]\nprovider = "strip"\nsecret = "env:NO_SUCH"\n')
    said = await run(stage, *words)
    problems = sentences(said)
    assert 2 == said.code
    assert ["strip", "stripe"] == [word for word in ("strip", "stripe") if word in problems]
    assert "sources.shop.secret" in problems
    assert "line " in problems


async def test_a_missing_configuration_is_one_sentence(bare_stage: Stage) -> None:
    said = await asyncio.to_thread(
        bare_stage.verb, "run", "all", config=bare_stage.folder / "nothing.toml"
    )
    assert 2 == said.code
    assert "orderhook init" in sentences(said)


@pytest.mark.parametrize("verb", ["ledger", "migrate"])
async def test_a_verb_that_cannot_reach_postgresql_ends_with_3(
    bare_stage: Stage, verb: str
) -> None:
    bare_stage.store = NOWHERE
    said = await run(bare_stage, verb)
    assert 3 == said.code
    assert 1 == len(sentences(said).strip().splitlines())
    assert "PostgreSQL at 127.0.0.1:9 refuses connections" in said.err


@pytest.mark.parametrize("words", [("ledger",), ("migrate",), ("run", "all")])
async def test_a_database_that_does_not_exist_is_a_matter_of_configuration(
    bare_stage: Stage, words: tuple[str, ...]
) -> None:
    parts = urlsplit(bare_stage.store)
    bare_stage.store = urlunsplit(parts._replace(path="/no_such_database"))
    said = await run(bare_stage, *words)
    assert 2 == said.code
    assert "no_such_database" in sentences(said)
    assert str(parts.password) not in said.err


async def test_migrate_that_cannot_reach_rabbitmq_ends_with_3(bare_stage: Stage) -> None:
    bare_stage.broker = "amqp://guest:hidden-word@127.0.0.1:9/"
    said = await run(bare_stage, "migrate")
    assert 3 == said.code
    assert "RabbitMQ at 127.0.0.1:9 refuses connections" in sentences(said)
    assert "hidden-word" not in said.out + said.err


@pytest.mark.parametrize("listener", ["public", "internal"])
async def test_a_port_in_use_is_one_sentence_with_the_remedy(stage: Stage, listener: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        said = await run(stage, "run", "all", f"--{listener}", place)
    assert 3 == said.code
    spoken = [line for line in sentences(said).splitlines() if line.startswith("orderhook: ")]
    assert 1 == len(spoken)
    assert place in spoken[0]
    assert f"--{listener}" in spoken[0]


async def test_a_schema_behind_is_told_with_the_remedy(bare_stage: Stage) -> None:
    connection = await asyncpg.connect(bare_stage.store)
    await connection.execute("UPDATE schema_version SET version_num = '0000'")
    await connection.close()
    said = await run(bare_stage, "run", "gateway")
    assert 2 == said.code
    assert "orderhook migrate" in sentences(said)


async def test_queues_that_a_role_may_not_declare_are_told_with_the_remedy(
    bare_stage: Stage, rabbit: Rabbit
) -> None:
    user = bare_stage.prefix
    await asyncio.to_thread(rabbit.ctl, "add_user", user, "secret")
    await asyncio.to_thread(rabbit.ctl, "set_permissions", user, "^$", ".*", ".*")
    bare_stage.broker = str(URL(bare_stage.broker).with_user(user).with_password("secret"))
    said = await run(bare_stage, "run", "worker", "--internal", "127.0.0.1:0")
    await asyncio.to_thread(rabbit.ctl, "delete_user", user)
    assert 2 == said.code
    assert "run `orderhook migrate`" in sentences(said)


@pytest.mark.parametrize("role", ["relay", "worker"])
async def test_queues_that_are_missing_at_the_start_are_declared(
    bare_stage: Stage, role: str
) -> None:
    """As when RabbitMQ lost its disk and everything was started again."""
    stage = bare_stage
    await stage.open_crm()
    await stage.open(role)
    await rabbitmq.verify(stage.broker, Topology(stage.prefix))


async def test_postgresql_that_appears_late_is_waited_for(stage: Stage) -> None:
    await stage.open_crm()
    bridge = Bridge(stage.store)
    await bridge.open()
    stage.store = bridge.url
    await bridge.cut()
    program = stage.start("all")
    await until(lambda: program.output.count('"waiting"') >= 3, "it says that it waits")
    assert not program.ready_file.exists()
    await bridge.open()
    await stage.adopt("all")
    witness = stage.witness()
    await witness.send(posts(stories(5, seed=40), witness.sources, seed=40))
    await checker.prove(witness, stage.places)
    assert 0 == await program.end()
    await bridge.cut()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_while_waiting_for_postgresql_is_obeyed(
    bare_stage: Stage, number: signal.Signals
) -> None:
    bare_stage.store = NOWHERE
    program = bare_stage.start("all")
    await until(lambda: '"waiting"' in program.output, "it says that it waits")
    assert 0 == await program.end(number)
