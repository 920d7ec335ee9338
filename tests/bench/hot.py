"""The hot pure functions in, microseconds and a ratio to a yardstick of the same machine out.

Each path is measured in turns with what it cannot do without (a bare HMAC, a bare parse …). Of many
turns the fastest of each side counts: other work on the machine only ever adds. So a ratio moves
when the code does, and hardly ever when the machine is busy.
"""

import argparse
import gc
import hmac
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import process_time_ns
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.broker import wire
from service.domain import law
from service.domain.lifecycles.order import ORDER
from service.intake.provider import NO_KEYS, Genuine, Provider, RawRequest
from service.intake.providers import registry
from service.sandbox import senders
from service.settings import Source
from service.store.ids import new_id
from service.vault import KEY, Vault
from tests import make
from tests.bench import installation, load, record
from tests.bench.record import Record

TURNS, CALLS = 60, 50
SIZE = 2048
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Path:
    stage: str
    name: str
    ours: Work
    yardstick: Work
    what: str
    """The yardstick in words."""


@dataclass(frozen=True, slots=True)
class Found:
    path: Path
    micros: float
    ratio: float


def paths() -> Iterator[Path]:
    for number, source in enumerate((load.SHOP, load.PAY)):
        provider, request = _posted(source, number)
        yield from _intake(source.name, provider, request)
    yield _sealing()
    yield from _wire()
    yield _folding()


def _posted(source: Source, number: int) -> tuple[Provider, RawRequest]:
    """A request of about 2 KiB as the gateway sees it."""
    made = next(load.webhooks("hot", 1, first=number))
    assert made.source == source.name
    body = load.filled(made.body, SIZE) if len(made.body) < SIZE else made.body
    now = datetime.now(UTC)
    provider = registry.preset(source.provider).build(source)
    signed = senders.sign(source, body, at=now)
    headers = [(name.lower(), value) for name, value in signed.headers.items()]
    request = RawRequest("POST", f"/webhooks/{source.name}", "", headers, body, now)
    assert provider.verify(request, now=now, keys=NO_KEYS) == Genuine()
    return provider, request


def _intake(name: str, provider: Provider, request: RawRequest) -> Iterator[Path]:
    key, body, now = os.urandom(32), request.body, datetime.now(UTC)
    yield Path(
        "verify",
        f"verify {name}",
        lambda: provider.verify(request, now=now, keys=NO_KEYS),
        lambda: hmac.digest(key, body, "sha256"),
        "HMAC-SHA256 of the body",
    )
    yield Path(
        "parse",
        f"parse {name}",
        lambda: provider.parse(request),
        lambda: orjson.loads(body),
        "orjson.loads of the body",
    )


def _sealing() -> Path:
    vault, bare, body = Vault([os.urandom(KEY)]), AESGCM(os.urandom(KEY)), os.urandom(SIZE)
    context = f"requests/{new_id()}"
    return Path(
        "seal",
        "seal",
        lambda: vault.seal(body, context=context),
        lambda: bare.encrypt(os.urandom(12), body, b""),
        "AES-256-GCM of 2 KiB",
    )


def _wire() -> Iterator[Path]:
    ids, now = [new_id() for _ in range(wire.MAX_IDS)], datetime.now(UTC)
    body = wire.encode(ids, now)
    texts = [str(one) for one in ids]
    yield Path(
        "publish",
        f"encode {len(ids)} ids",
        lambda: wire.encode(ids, now),
        lambda: orjson.dumps(texts),
        "orjson.dumps of the ids",
    )
    yield Path(
        "consume",
        f"decode {len(ids)} ids",
        lambda: wire.decode(body),
        lambda: orjson.loads(body),
        "orjson.loads of the message",
    )


def _folding() -> Path:
    said = (("order", "new"), ("payment", "authorized"), ("payment", "paid"))
    events = [
        make.event(lane=lane, status=status, occurred_at=make.at(place))
        for place, (lane, status) in enumerate(said)
    ]
    text = orjson.dumps(law.fold(ORDER, events).state.to_json())
    return Path(
        "fold",
        f"law over {len(events)} events",
        lambda: law.fold(ORDER, events),
        lambda: orjson.dumps(orjson.loads(text)),
        "the state read and written as JSON",
    )


def found(turns: int = TURNS) -> list[Found]:
    gc.collect()
    gc.disable()
    try:
        return [_measured(path, turns) for path in paths()]
    finally:
        gc.enable()


def _measured(path: Path, turns: int) -> Found:
    _spent(path.ours), _spent(path.yardstick)
    pairs = [(_spent(path.ours), _spent(path.yardstick)) for _ in range(turns)]
    ours, yardstick = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    return Found(path, ours, ours / yardstick)


def _spent(work: Work) -> float:
    """Microseconds of CPU of one call."""
    began = process_time_ns()
    for _ in range(CALLS):
        work()
    return (process_time_ns() - began) / CALLS / 1000


def records(measured: Sequence[Found]) -> list[Record]:
    return [
        Record(
            f"hot.{one.path.name.replace(' ', '-')}",
            one.path.name,
            "µs",
            [one.micros],
            [one.micros / one.ratio],
            wanted="most",
            how=f"the fastest of {TURNS} turns, beside {one.path.what}",
            details={"stage": one.path.stage},
        )
        for one in measured
    ]


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    return records(found(words.turns)), installation.computer()


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the hot pure functions.")
    parser.add_argument("--turns", type=int, default=TURNS)
    return parser


def main() -> None:
    words = options().parse_args()
    print(record.table(records(found(words.turns))))


if __name__ == "__main__":
    main()
