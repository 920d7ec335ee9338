"""`orderhook keys`, `retention`, `erase` and `audit` as people and scripts use them."""

import asyncio
import base64
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli.main import cli
from service.domain.errors import NotFound
from service.domain.events import Event
from service.ops.retention import Runner
from service.settings.models import Retention
from service.store import acceptance, actions
from service.store.acceptance import Arrival
from service.store.ids import first_id, new_id
from service.store.pool import transaction
from service.store.seals import PLAIN, Seals
from service.vault import Vault
from tests import make
from tests.folding import Desk, desk, shop

pytestmark = pytest.mark.postgres

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)
CONFIG = """\
[server]
sandbox = true
data_dir = "{folder}"
keys = {keys}
[store]
url = "plain:{dsn}"
[broker]
url = "embedded"
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9/callback"
secret = "plain:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[[routes]]
destinations = ["crm"]
"""


@dataclass(frozen=True)
class Terminal:
    """A configuration file for a database, and somebody who types."""

    folder: Path
    dsn: str

    def run(self, *words: str, keys: tuple[bytes, ...] = (NEW,), answer: str = "") -> Result:
        file = self.folder / "orderhook.toml"
        ring = [f"plain:{base64.b64encode(key).decode()}" for key in keys]
        text = CONFIG.format(folder=self.folder, dsn=self.dsn, keys=orjson.dumps(ring).decode())
        file.write_text(text)
        return CliRunner().invoke(
            cli,
            [words[0], *words[1:], "--config", str(file)],
            input=answer,
            standalone_mode=False,
            env={"USER": "anna"},
        )

    def do(self, work: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
        async def done() -> None:
            async with desk(self.dsn) as made:
                await work(made)

        asyncio.run(done())

    def happen(self, *events: Event) -> None:
        self.do(lambda made: made.happen(*events))


@pytest.fixture
def terminal(tmp_path: Path, database: str) -> Terminal:
    return Terminal(tmp_path, database)


def said(result: Result) -> Mapping[str, Any]:
    body: Mapping[str, Any] = orjson.loads(result.stdout)
    return body


def seal(terminal: Terminal, *keys: bytes) -> None:
    async def work(made: Desk) -> None:
        one = Arrival(
            new_id(), "shop", make.AT, "", "POST", "/", "", {}, b"{}", [make.event(id=new_id())]
        )
        lease = timedelta(seconds=30)
        await acceptance.accept(
            made.db, [one], process=new_id(), published=False, lease=lease, sealing=Seals.of(keys)
        )

    terminal.do(work)


def test_keys_tell_what_they_seal_and_rotate_what_an_older_one_sealed(terminal: Terminal) -> None:
    seal(terminal, OLD)
    before = terminal.run("keys", "status", keys=(NEW, OLD))
    assert 0 == before.return_value
    assert "1 sealed: 0 by the first key of server.keys, 1 by an older one" in before.stdout
    assert "needed until `orderhook keys rotate` has run" in before.stdout
    assert "1 sealed anew" in terminal.run("keys", "rotate", keys=(NEW, OLD)).stdout
    assert "0 sealed anew" in terminal.run("keys", "rotate", keys=(NEW, OLD)).stdout
    after = terminal.run("keys", "status")
    assert (0, True) == (after.return_value, "1 by the first key" in after.stdout)


@pytest.mark.parametrize("ring", [(NEW,), ()])
def test_what_no_key_of_the_ring_opens_is_named_and_exits_1(
    terminal: Terminal, ring: tuple[bytes, ...]
) -> None:
    seal(terminal, OLD)
    done = terminal.run("keys", "status", keys=ring)
    assert 1 == done.return_value
    assert f"-{Vault([OLD]).id} (made " in done.stdout
    assert "opens with no key of the ring: add the key that was there then." in done.stdout


def test_without_keys_and_with_nothing_sealed_the_way_to_a_key_is_told(terminal: Terminal) -> None:
    for verb in ("status", "rotate"):
        done = terminal.run("keys", verb, keys=())
        assert "openssl rand -base64 32" in str(done.exception)


def test_no_key_is_ever_printed(terminal: Terminal) -> None:
    seal(terminal, OLD)
    for verb in ("status", "rotate"):
        done = terminal.run("keys", verb, keys=(NEW, OLD))
        for key in (OLD, NEW):
            assert base64.b64encode(key).decode() not in done.output


def test_retention_tells_what_is_past_its_time_and_lets_it_leave(terminal: Terminal) -> None:
    terminal.do(_long_ago)
    due = said(terminal.run("retention", "status", "--json"))["due"]
    assert (2, 2, 2) == (due["events"], due["settled"], due["requests"])
    for words in (("status",), ("run", "--dry-run")):
        assert "Past that: 2 events, 2 of them settled" in terminal.run("retention", *words).stdout
    assert "2 events, " in terminal.run("retention", "run").stdout
    left = said(terminal.run("retention", "status", "--json"))
    assert (0, 2) == (left["due"]["events"], left["purged"]["events"])
    assert "2 orders stand on what theirs folded to" in terminal.run("retention", "status").stdout
    assert 0 == terminal.run("ledger").return_value


async def _long_ago(made: Desk) -> None:
    """Two events of forty days ago; which day a row is of stands in its id."""
    began = first_id(datetime.now(UTC) - timedelta(days=40)).int
    for number in (1, 2):
        request, event = UUID(int=began + number), UUID(int=began + 10 + number)
        told = replace(shop(f"100{number}"), id=event)
        one = Arrival(request, "shop", make.AT, "", "POST", "/", "", {}, b"{}", [told])
        lease = timedelta(seconds=30)
        await acceptance.accept(made.db, [one], process=new_id(), published=False, lease=lease)
        await made.worker().fold([event])


def test_an_order_shows_what_is_left_of_its_purged_events(terminal: Terminal) -> None:
    terminal.happen(shop("1001"))

    async def purge(made: Desk) -> None:
        now = datetime.now(UTC) + timedelta(days=40)
        await Runner(made.db, Retention(), made.rules, sealing=PLAIN, now=now).run()

    terminal.do(purge)
    [step] = orjson.loads(terminal.run("orders", "history", "1001", "--json").stdout)
    assert ("base", 1) == (step["kind"], step["events"])
    assert "what 1" in terminal.run("orders", "history", "1001").stdout


def test_a_person_is_forgotten_once_somebody_says_yes(terminal: Terminal) -> None:
    terminal.happen(shop("1001", attributes={"email": "ada@example.com"}))
    why = ("--reason", "They asked.")
    no = terminal.run("erase", "1001", *why, answer="n\n")
    assert no.exception is not None
    assert "ada@example.com" in asyncio.run(_kept(terminal.dsn))
    done = said(terminal.run("erase", "1001", *why, "--yes", "--json"))
    assert {"subject": "order/1001", "reason": "They asked.", "requests": 1, "events": 1} == done
    assert "ada@example.com" not in asyncio.run(_kept(terminal.dsn))
    again = terminal.run("erase", "1001", *why, answer="y\n")
    assert "Nothing was sent to any destination" in again.stdout
    assert 0 == terminal.run("ledger").return_value


async def _kept(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT e::text FROM events e UNION ALL SELECT s::text FROM subjects s"
    )
    await connection.close()
    return repr(rows)


def test_a_script_must_say_yes_beforehand_and_give_a_reason(terminal: Terminal) -> None:
    assert "add --yes" in str(terminal.run("erase", "1001", "--reason", "x", "--json").exception)
    assert "reason" in str(terminal.run("erase", "1001", "--yes").exception)


def test_what_is_not_there_cannot_be_forgotten(terminal: Terminal) -> None:
    done = terminal.run("erase", "nobody", "--reason", "They asked.", "--yes")
    assert isinstance(done.exception, NotFound)


def test_who_did_what_is_listed_the_last_first_and_can_be_narrowed(terminal: Terminal) -> None:
    terminal.happen(shop("1001"))
    terminal.run("erase", "1001", "--reason", "They asked.", "--yes")
    terminal.run("orders", "set", "1001", "payment.refunded", "--reason", "By hand.")
    items = said(terminal.run("audit", "list", "--json"))["items"]
    assert ["subject.correct", "subject.erase"] == [each["action"] for each in items]
    assert {"cli:anna"} == {each["actor"] for each in items}
    [one] = said(terminal.run("audit", "list", "--action", "subject.erase", "--json"))["items"]
    assert items[1] == one
    assert "subject.erase" in terminal.run("audit", "list", "--target", "order/1001").stdout
    assert [] == said(terminal.run("audit", "list", "--actor", "bert", "--json"))["items"]


def test_62_a_broken_record_of_acts_exits_1_and_says_where(terminal: Terminal) -> None:
    for number in (1, 2, 3):
        terminal.do(lambda made, number=number: _act(made, number))  # type: ignore[misc]
    whole = terminal.run("audit", "verify")
    assert (0, True) == (whole.return_value, whole.stdout.startswith("whole: 3 actions."))
    head = whole.stdout.split("The head is ")[1].split(";")[0]
    assert 0 == terminal.run("audit", "verify", "--head", head).return_value
    asyncio.run(_tamper(terminal.dsn))
    broken = terminal.run("audit", "verify", "--head", head)
    assert 1 == broken.return_value
    assert "broken: The action of link 2 is gone." == broken.stdout.strip()


async def _act(made: Desk, number: int) -> None:
    async with transaction(made.db) as tx:
        target = f"order/{number}"
        await actions.record(tx, "anna", "subject.correct", target=target, detail={"n": number})


async def _tamper(dsn: str) -> None:
    """As somebody does who owns the tables: past the triggers."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("DELETE FROM operator_actions WHERE target = 'order/2'")
    await connection.close()
