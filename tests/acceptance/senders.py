"""Senders of webhooks: stories of orders become signed posts, and every answer is written down."""

import asyncio
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson

from service.intake.provider import SignedRequest
from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import Source
from tests.acceptance.reference import Said

STRIPE, WMS, COURIER = "stripe-eu", "wms", "courier"
PATIENCE = 3.0
"""Seconds a sender waits for an answer; most real ones hang up sooner than ten."""

PAYMENTS = (
    ("awaiting_payment", "paid"),
    ("awaiting_payment", "authorized", "paid"),
    ("awaiting_payment", "failed", "paid"),
    ("awaiting_payment", "paid", "partially_refunded", "refunded"),
    ("awaiting_payment", "cancelled"),
)
WAREHOUSE: tuple[tuple[str, ...], ...] = (
    ("new", "picking", "packed", "shipped"),
    ("picking", "packed"),
    ("picking", "cancelled"),
    (),
)
COURIERS: tuple[tuple[str, ...], ...] = (
    ("label_created", "picked_up", "in_transit", "out_for_delivery", "delivered"),
    ("in_transit", "delivery_failed", "out_for_delivery", "delivered"),
    ("in_transit", "returning", "returned_to_sender"),
    (),
)


@dataclass(frozen=True, slots=True)
class Post:
    """One body and the statements in it; sent again it is a duplicate."""

    source: str
    body: bytes
    events: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange as the sender saw it; without a status no answer came."""

    post: Post
    status: int | None
    answer: Mapping[str, int | str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def stories(count: int, *, seed: int, prefix: str = "A") -> list[Said]:
    """What happens to so many orders; some facts share their minute, some have no time."""
    chance = random.Random(seed)
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=2)
    told: list[Said] = []
    for number in range(count):
        ref, minute = f"{prefix}-{seed}-{number}", 0
        for lane, status in _steps(chance):
            minute += chance.randrange(4)
            source = {"payment": STRIPE, "fulfillment": WMS, "delivery": COURIER}[lane]
            key = f"evt_{ref}_{len(told)}"
            timed = source == STRIPE or chance.random() > 0.05
            at = start + timedelta(minutes=minute) if timed else None
            told.append(Said(source, key, ref, lane, status, at))
    return told


def _steps(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Interleave one course of each lane."""
    waiting = {
        "payment": list(chance.choice(PAYMENTS)),
        "fulfillment": list(chance.choice(WAREHOUSE)),
        "delivery": list(chance.choice(COURIERS)),
    }
    while lanes := [lane for lane, left in waiting.items() if left]:
        lane = chance.choice(lanes)
        yield lane, waiting[lane].pop(0)


def posts(
    told: Sequence[Said], sources: Mapping[str, Source], *, seed: int, copies: int = 1
) -> list[Post]:
    """Shuffled, each so many times; the warehouse reports several orders in one body."""
    chance = random.Random(seed)
    warehouse = [said for said in told if said.source == WMS]
    chance.shuffle(warehouse)
    made = [wms(batch) for batch in _chunks(warehouse, chance)]
    made += [stripe(said, sources[STRIPE]) for said in told if said.source == STRIPE]
    made += [courier(said) for said in told if said.source == COURIER]
    again = warehouse[: len(warehouse) // 10]
    made += [wms(batch) for batch in _chunks(again, chance)]
    shuffled = made * copies
    chance.shuffle(shuffled)
    return shuffled


def _chunks(events: Sequence[Said], chance: random.Random) -> Iterator[Sequence[Said]]:
    left = iter(events)
    while batch := list(itertools.islice(left, chance.randint(1, 4))):
        yield batch


def stripe(said: Said, source: Source) -> Post:
    assert said.at is not None
    occasion = Occasion(order=said.ref, at=said.at, key=said.key)
    return Post(said.source, senders.sample(source, said.status, occasion), (said,))


def wms(batch: Sequence[Said]) -> Post:
    items = [
        {"id": said.key, "order": {"number": said.ref}, "state": said.status.upper(), **_at(said)}
        for said in batch
    ]
    return Post(WMS, orjson.dumps({"events": items}), tuple(batch))


def courier(said: Said) -> Post:
    body = {"uid": said.key, "order": said.ref, "code": said.status, **_at(said)}
    return Post(COURIER, orjson.dumps(body), (said,))


def _at(said: Said) -> dict[str, str]:
    return {"at": said.at.isoformat()} if said.at else {}


@dataclass(slots=True)
class Witness:
    """Sends, and remembers every exchange; `target` tells where the gateway listens now."""

    sources: Mapping[str, Source]
    target: Callable[[], str]
    attempts: list[Attempt] = field(default_factory=list)

    async def send(
        self,
        batch: Sequence[Post],
        *,
        rate: float = 400.0,
        within: float = 45.0,
        gives_up: Callable[[Post], bool] = lambda _: False,
    ) -> None:
        """Post each at its turn, and again until accepted, unless its sender gives up at once."""
        loop = asyncio.get_running_loop()
        begun, room = loop.time(), asyncio.Semaphore(24)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def deliver(number: int, post: Post) -> None:
                await asyncio.sleep(begun + number / rate - loop.time())
                pause = 0.1
                while True:
                    async with room:
                        attempt = await self.post(session, post)
                    if attempt.status == 202 or gives_up(post):
                        return
                    assert loop.time() < begun + within, f"not accepted in {within} s: {attempt}"
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)

            await asyncio.gather(*(deliver(number, post) for number, post in enumerate(batch)))

    async def post(
        self, session: aiohttp.ClientSession, post: Post, *, signed: SignedRequest | None = None
    ) -> Attempt:
        """One exchange, signed now unless it is signed already."""
        request = signed or self.sign(post)
        try:
            async with session.post(
                f"{self.target()}/webhooks/{post.source}",
                data=request.body,
                headers=request.headers,
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
            ) as response:
                said = orjson.loads(await response.read())
                attempt = Attempt(post, response.status, said, dict(response.headers))
        except (aiohttp.ClientError, OSError, TimeoutError):
            attempt = Attempt(post, None)
        self.attempts.append(attempt)
        return attempt

    def sign(self, post: Post, *, at: datetime | None = None) -> SignedRequest:
        return senders.sign(self.sources[post.source], post.body, at=at or datetime.now(UTC))

    @property
    def accepted(self) -> set[Said]:
        """The statements that were acknowledged at least once."""
        return {said for one in self.attempts if one.status == 202 for said in one.post.events}

    @property
    def doubtful(self) -> set[Said]:
        """Those never acknowledged, but perhaps stored: no answer came, or a 5xx."""
        unsure = {
            said
            for one in self.attempts
            if one.status is None or one.status >= 500
            for said in one.post.events
        }
        return unsure - self.accepted


def by_order(events: Iterable[Said]) -> dict[str, set[Said]]:
    orders: dict[str, set[Said]] = defaultdict(set)
    for said in events:
        if said.ref:
            orders[said.ref].add(said)
    return orders
