"""Systems that Orderhook knows by configuration alone: events come in, signed posts go out."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from service.domain.events import Event, Money
from service.domain.lifecycles import ORDER
from tests.acceptance.reference import Said
from tests.acceptance.senders import Post
from tests.acceptance.stage import CRM_SECRET, JWT_SECRET, Stage

TRACKING = "tracking:cdek"
ATTRIBUTES = ("amount", "bin", "boxes", "carrier", "currency", "n", "signed_by", "vip")
FACTS = "facts"

CONFIG = """\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "{folder}/data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
prefix = "{prefix}"
[auth]
jwt_secret = "plain:{jwt}"
{sources}
[destinations.crm]
crm = "callback"
url = "{crm}/callback"
secret = "plain:{secret}"
timeout = "1s"
retry = {{ first = "300ms", max = "2s" }}
[[routes]]
destinations = ["crm"]
"""
SOURCE = """\
[sources.{name}]
provider = "generic"
secrets = ["plain:the secret of {name}"]
items = "events"
key = "id"
occurred_at = "at"
status = "word"
revokes = "takes_back"
attributes = {{ {attributes} }}
[sources.{name}.verify]
scheme = "hmac"
header = "X-Signature"
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Time"
[sources.{name}.subject]
ref = "order"
parcel = "parcel.number"
returns = "parcel.direction == 'back'"
aliases = {{ "{tracking}" = "tracking" }}
[sources.{name}.statuses]
{statuses}
"""
MONEY = """\
[[sources.{name}.money]]
kind = "{kind}"
amount = "money.{kind}.id && money.{kind}.amount"
currency = "money.{kind}.currency"
id = "money.{kind}.id"
[[sources.{name}.money]]
kind = "{kind}"
amount = "!(money.{kind}.id) && money.{kind}.amount"
currency = "money.{kind}.currency"
"""
KINDS = ("paid", "refunded", "charged_back")


async def configure(stage: Stage, names: Iterable[str]) -> None:
    """Start the CRM, and write a configuration of so many systems that all speak alike."""
    await stage.open_crm()
    text = CONFIG.format(
        folder=stage.folder,
        prefix=stage.prefix,
        jwt=JWT_SECRET,
        crm=stage.crm,
        secret=CRM_SECRET,
        sources="\n".join(map(_source, sorted(names))),
    )
    stage.config.write_text(text)


def _source(name: str) -> str:
    words = [f"{lane}.{each}" for lane in ORDER.lanes for each in ORDER.lanes[lane].statuses]
    text = SOURCE.format(
        name=name,
        tracking=TRACKING,
        attributes=", ".join(f'{each} = "facts.{each}"' for each in ATTRIBUTES),
        statuses="\n".join(f'"{word}" = "{word}"' for word in (*words, FACTS)),
    )
    return text + "".join(MONEY.format(name=name, kind=kind) for kind in KINDS)


def posts(events: Iterable[Event], chance: random.Random, *, copies: int) -> list[Post]:
    """Some of one body, some alone; each so many times, in no order at all."""
    made: list[Post] = []
    for source, mine in sorted(_by_source(events).items()):
        chance.shuffle(mine)
        made += [_post(source, batch) for batch in _chunks(mine, chance)]
    shuffled = made * copies
    chance.shuffle(shuffled)
    return shuffled


def _by_source(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.source, []).append(event)
    return found


def _chunks(events: Sequence[Event], chance: random.Random) -> Iterator[Sequence[Event]]:
    left = iter(events)
    while batch := list(islice(left, chance.randint(1, 5))):
        yield batch


def _post(source: str, batch: Sequence[Event]) -> Post:
    body = orjson.dumps({"events": [_item(event) for event in batch]})
    return Post(source, body, tuple(_said(event) for event in batch))


def _said(event: Event) -> Said:
    said = event.statement
    where = (said.ref or "", said.lane or "", said.status or "")
    return Said(event.source, said.dedupe_key, *where, said.occurred_at)


def _item(event: Event) -> dict[str, Any]:
    """Write an event as these systems do; what there is nothing to say of is left out."""
    said = event.statement
    item = {
        "id": said.dedupe_key,
        "order": said.ref,
        "at": said.occurred_at.isoformat() if said.occurred_at else None,
        "word": _word(event),
        "takes_back": said.revokes.dedupe_key if said.revokes else None,
        "tracking": [alias.value for alias in said.aliases],
        "parcel": said.parcel
        and {"number": said.parcel, "direction": "back" if said.returns else "out"},
        "facts": said.attributes,
        "money": {money.kind: _money(money) for money in said.money},
    }
    return {name: part for name, part in item.items() if part}


def _word(event: Event) -> str | None:
    said = event.statement
    if said.status is not None:
        return f"{said.lane}.{said.status}"
    return None if said.revokes else FACTS


def _money(money: Money) -> dict[str, str | None]:
    return {"amount": money.amount, "currency": money.currency, "id": money.id}
