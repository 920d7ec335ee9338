"""What docs/operations.md promises an operator, done as it says: restore, rotation."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.intake.provider import SignedRequest
from service.store.embedded_programs import BIN, WHEEL
from tests import servers
from tests.acceptance import checker
from tests.acceptance.checker import Json
from tests.acceptance.senders import STRIPE, WMS, Post, Witness, posts, stories
from tests.acceptance.stage import Program, Stage, until
from tests.acceptance.test_crashes import ROLES

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(180)]


async def test_after_a_restore_destinations_catch_up_and_nothing_is_applied_twice(
    stage: Stage, postgres: servers.Postgres
) -> None:
    stage.durability = "strict"
    await stage.open_crm()
    await stage.open(*ROLES)
    sender = stage.witness()
    batch = posts(stories(60, seed=50), sender.sources, seed=50)
    batch += posts(stories(20, seed=51, prefix="LATER"), sender.sources, seed=51)
    kept, lost = batch[: len(batch) // 3], batch[len(batch) // 3 :]
    await stage.behave(mode="ok", delay_ms=400)
    await sender.send(kept)
    dump = await _dumped(stage)
    await stage.behave(mode="ok")
    told = await _told(stage, sender, lost)

    await _lose(stage, postgres, sender.sign(next(one for one in kept if one.source == STRIPE)))
    await _restore(stage, postgres, dump)
    await stage.open(*ROLES)

    caught_up = await checker.gather(stage.places)
    assert 0 == caught_up.ledger["totals"]["pending"]
    in_the_backup = {event["subject"] for event in caught_up.events}
    assert in_the_backup < told.keys()
    shown = _versions(caught_up.orders)
    assert all(shown[subject] > max(told.values()) for subject in in_the_backup)

    await sender.send(batch)
    proof = await checker.prove(sender, stage.places)
    assert told.keys() == _versions(proof.orders).keys()
    assert min(_versions(proof.orders).values()) > max(told.values())
    duplicates = [one for one in sender.attempts if "Orderhook-Duplicate" in one.headers]
    assert len(duplicates) >= len(kept)


async def _told(stage: Stage, sender: Witness, lost: Sequence[Post]) -> dict[str, int]:
    """The versions the CRM knows after posts that the backup will not hold."""
    between = Witness(sender.sources, sender.target, [*sender.attempts])
    await between.send(lost)
    return _versions((await checker.prove(between, stage.places)).orders)


async def _lose(stage: Stage, postgres: servers.Postgres, signed: SignedRequest) -> None:
    """The database is gone while everything runs: senders are put off, roles stop when told."""
    postgres.execute(f"DROP DATABASE {_name(stage)} WITH (FORCE)")
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{stage.public}/webhooks/{STRIPE}", data=signed.body, headers=signed.headers
        ) as response,
    ):
        assert 503 == response.status
    for role in ROLES:
        assert (role, 0) == (role, await stage.programs[role].end())


async def _restore(stage: Stage, postgres: servers.Postgres, dump: Path) -> None:
    postgres.execute(f"CREATE DATABASE {_name(stage)}")
    await _program("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={stage.store}", dump)
    for verb in (("migrate",), ("restored", "--yes")):
        said = await asyncio.to_thread(stage.verb, *verb)
        assert 0 == said.code, said


def _versions(orders: Sequence[Json]) -> dict[str, int]:
    return {order["subject"]: order["version"] for order in orders}


def _name(stage: Stage) -> str:
    return urlsplit(stage.store).path.removeprefix("/")


async def _dumped(stage: Stage) -> Path:
    """A dump taken while the fold and the pumps have work in hand."""
    dump = stage.folder / "orderhook.dump"
    await _program("pg_dump", "--format=custom", f"--file={dump}", stage.store)
    return dump


async def _program(name: str, *words: str | Path) -> None:
    spec = find_spec(WHEEL)
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parents[1] / BIN / name
    call = [program, *words]
    done = await asyncio.to_thread(
        subprocess.run, call, capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stderr


OLD, NEW = "the old secret of the warehouse", "the new secret of the warehouse"


async def test_a_secret_is_rotated_without_one_refusal(stage: Stage) -> None:
    await stage.open_crm()
    _keep_in_files(stage, {"old": OLD, "new": NEW}, "old")
    await stage.open("gateway", "relay", "worker-1")
    old = stage.witness()
    batch = [
        post for post in posts(stories(150, seed=52), old.sources, seed=52) if post.source == WMS
    ]
    async with _steady(old, batch[: len(batch) // 2]):
        await _reloaded(stage, "new", "old")
        new = Witness(stage.sources, old.target, old.attempts)
    async with _steady(new, batch[len(batch) // 2 :]), _steady(old, batch[:20]):
        await until(lambda: len(new.attempts) > len(batch) // 2 + 5, "the sender signs anew")
    async with _steady(new, batch):
        await _reloaded(stage, "new")
    assert {202} == {one.status for one in new.attempts}
    async with aiohttp.ClientSession() as session:
        assert 401 == (await Witness(old.sources, old.target).post(session, batch[0])).status
    await checker.prove(new, stage.places)


def _keep_in_files(stage: Stage, secrets: Mapping[str, str], *used: str) -> None:
    for name, secret in secrets.items():
        (stage.folder / name).write_text(secret)
    named = ", ".join(f'"file:{name}"' for name in used)
    stage.configure()
    text = stage.config.read_text()
    plain = '"plain:the secret of the warehouse"'
    assert plain in text
    stage.config.write_text(text.replace(plain, named))


async def _reloaded(stage: Stage, *used: str) -> None:
    """Every role reads the configuration again."""
    _keep_in_files(stage, {}, *used)
    for program in [each for name, each in stage.programs.items() if name != "sandbox-crm"]:
        await _reload(program)


async def _reload(program: Program) -> None:
    times = program.output.count('"reloaded"')
    program.send(signal.SIGHUP)
    await until(
        lambda: program.output.count('"reloaded"') > times,
        f"{program.name} takes the new configuration",
    )


@asynccontextmanager
async def _steady(witness: Witness, batch: Sequence[Post]) -> AsyncIterator[None]:
    """The sender goes on while the body of the block runs."""
    sending = asyncio.create_task(witness.send(batch, rate=40, gives_up=lambda _: True))
    try:
        yield
    finally:
        await sending
