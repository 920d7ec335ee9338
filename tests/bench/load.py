"""How many webhooks in, signed requests of a shop and a payment provider out, no two the same.

They are made before a clock starts: whoever sends them only reads them from a file. Orders tell
their five steps in turns, so that neighbours in the file are about different orders, and any five
of them are the five steps. Some orders are met in the middle of their story.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import orjson

from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import HmacRule, Secret, Source, SubjectRule

SHOP_KEY = "a key of the shop in the benchmark"
PAY_KEY = "whsec_of_the_payments_in_the_benchmark"
SHOP = Source(
    name="shop",
    provider="generic",
    secrets=(Secret.plain(SHOP_KEY),),
    verify=HmacRule(header="X-Signature"),
    key="id",
    subject=SubjectRule(ref="order"),
    occurred_at="at",
    status="status",
    statuses={
        "PLACED": "order.new",
        "PACKED": "fulfillment.packed",
        "SHIPPED": "fulfillment.shipped",
    },
)
PAY = Source(
    name="pay",
    provider="stripe",
    secrets=(Secret.plain(PAY_KEY),),
    subject=SubjectRule(ref="data.object.metadata.order_no"),
)
TABLES = f"""
[sources.shop]
provider = "generic"
durability = "{{durability}}"
verify = {{{{ scheme = "hmac", header = "X-Signature" }}}}
secrets = ["env:SHOP_KEY"]
key = "id"
subject = {{{{ ref = "order" }}}}
occurred_at = "at"
status = "status"
statuses = {{{{ {", ".join(f'{word} = "{said}"' for word, said in SHOP.statuses.items())} }}}}
[sources.pay]
provider = "stripe"
durability = "{{durability}}"
secrets = ["env:PAY_KEY"]
subject = {{{{ ref = "data.object.metadata.order_no" }}}}
"""
"""The same two sources in the words of a configuration."""
ENVIRON = {"SHOP_KEY": SHOP_KEY, "PAY_KEY": PAY_KEY}

STORY: Sequence[tuple[Source, str]] = (
    (SHOP, "order.new"),
    (PAY, "authorized"),
    (PAY, "paid"),
    (SHOP, "fulfillment.packed"),
    (SHOP, "fulfillment.shipped"),
)
STEP = timedelta(minutes=1)
SIZES = (1024, 1400, 1800, 2300, 3000, 4096)
"""Bytes of bodies; the middle is about 2 KiB, as of an order with some lines."""
ACTIVE = 5000
"""Orders that tell their story at the same time."""
LINE = orjson.dumps(
    {"sku": "MUG-BLUE-0.3L", "title": "A blue mug", "quantity": 2, "price": "9.90", "vat": "1.58"}
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request before it is put into a file."""

    source: str
    body: bytes
    headers: dict[str, str]

    def http(self) -> bytes:
        fields = {**self.headers, "Host": "hooks.example.com", "User-Agent": "sender/2.1"}
        fields["Content-Length"] = str(len(self.body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST /webhooks/{self.source} HTTP/1.1\r\n{head}\r\n".encode() + self.body


def webhooks(
    name: str, count: int, *, first: int = 0, active: int = ACTIVE, numbered: int | None = None
) -> Iterator[Webhook]:
    """`name` keeps them apart from those of other runs against the same installation.

    `numbered`: orders are called `o` and a number from there on.
    """
    sizes = islice(cycle(SIZES), first % len(SIZES), None)
    for number, size in zip(range(first, first + count), sizes, strict=False):
        lap, order = divmod(number, active)
        story, step = divmod(lap + order % len(STORY), len(STORY))
        source, sample = STORY[step]
        now = datetime.now(UTC)
        at = now - STEP * (len(STORY) - step)
        ref = f"{name}-{story}-{order}"
        if numbered is not None:
            ref = f"o{numbered + story * active + order}"
        occasion = Occasion(order=ref, at=at, key=f"{name}-{number}")
        body = filled(senders.sample(source, sample, occasion), size)
        signed = senders.sign(source, body, at=now)
        yield Webhook(source.name, signed.body, dict(signed.headers))


def filled(body: bytes, size: int) -> bytes:
    """Add order lines to a JSON object until it has about this size."""
    lines = max(0, (size - len(body) - 19) // (len(LINE) + 1))
    return body[:-1] + b',"further_lines":[' + b",".join([LINE] * lines) + b"]}"


def write(file: Path, requests: Iterator[Webhook]) -> int:
    """Each as the number of its bytes, a line end, and the bytes; returns how many."""
    count = 0
    with file.open("wb", buffering=1 << 20) as out:
        for request in requests:
            count += 1
            whole = request.http()
            out.write(b"%d\n%b" % (len(whole), whole))
    return count


def read(file: Path) -> Iterator[bytes]:
    """What `write` wrote."""
    with file.open("rb", buffering=1 << 20) as source:
        while line := source.readline():
            yield source.read(int(line))
