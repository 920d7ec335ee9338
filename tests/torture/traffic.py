"""Senders without end: orders tell their stories, shuffled, some twice; every answer is kept."""

import asyncio
import heapq
import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from service.sandbox import senders
from service.settings import Source
from tests.acceptance.reference import Said
from tests.acceptance.senders import Post, posts, stories
from tests.torture.gun import Gun, Shot

ORDERS = 60
"""In one chunk of stories; what they tell is shuffled within it."""
LATE = 0.04
"""The share of posts that come up to half a minute late."""
COPIES = ((1, 0.72), (2, 0.14), (3, 0.07), (4, 0.04), (5, 0.03))
GIVES_UP = 0.03
"""The share of senders that never try again."""
IN_FLIGHT = 96
"""Requests at a time."""
OUTSTANDING = 20_000
"""Posts that wait for their next try."""
PAUSE_MAX = 4.0
LATE_ANSWER = 200.0
"""Milliseconds after which the service may have turned to its spool."""

Address = tuple[str, int]
Answer = tuple[float, float, int, str, str]
"""Moment, milliseconds, status (0 without one), what it means, source."""


@dataclass(slots=True)
class Witness:
    """What was sent and what was answered; nothing of it comes from the service's own books."""

    sent: int = 0
    """Different events that went out at least once."""
    accepted: dict[tuple[str, str], Said] = field(default_factory=dict)
    accepted_at: dict[str, float] = field(default_factory=dict)
    """The first moment of each order."""
    doubtful: dict[tuple[str, str], Said] = field(default_factory=dict)
    requests: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    answers: list[Answer] = field(default_factory=list)

    def note(self, post: Post, shot: Shot, *, at: float) -> None:
        word = _word(shot)
        self.requests[post.source][word] += 1
        if shot.accepted and shot.ms >= LATE_ANSWER:
            self.requests[post.source]["late"] += 1
        status = shot.status if isinstance(shot.status, int) else 0
        self.answers.append((at, shot.ms, status, word, post.source))
        for said in post.events:
            key = (said.source, said.key)
            if shot.accepted:
                self.accepted[key] = said
                self.doubtful.pop(key, None)
                self.accepted_at.setdefault(said.ref, at)
            elif word in {"unknown", "put_off"} and key not in self.accepted:
                self.doubtful[key] = said


def _word(shot: Shot) -> str:
    match shot.status:
        case "refused" | "unknown":
            return shot.status
        case status if status >= 500:
            return "put_off"
        case status if status >= 300:
            return "rejected"
        case _:
            return "duplicate" if shot.duplicate else "accepted"


class Traffic:
    """`gateways` tells who can be reached now; each attempt goes to any of them."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        gateways: Callable[[], list[Address]],
        *,
        seed: int,
        rate: float,
        log: Path,
    ) -> None:
        self.witness = Witness()
        self._sources = sources
        self._gateways = gateways
        self._rate = rate
        self._seed = seed
        self._chance = random.Random(seed)
        self._gun = Gun()
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._log: IO[str] = log.open("a", buffering=1 << 16)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._given_up = asyncio.Event()

    async def run(self) -> None:
        """Send until `close` is called."""
        clock = asyncio.get_running_loop().time
        turns = self._turns()
        begun = clock()
        while not self._closing.is_set():
            due, post, alone = next(turns)
            if (wait := begun + due - clock()) > 0:
                await asyncio.sleep(wait)
            while len(self._tasks) >= OUTSTANDING:
                await asyncio.sleep(0.1)
            task = asyncio.create_task(self._deliver(post, gives_up=alone))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self, within: float) -> None:
        """Start nothing new, let what is under way be accepted, as long as that may take."""
        self._closing.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        self._given_up.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        self._gun.close()
        self._log.close()

    def forget(self, address: Address) -> None:
        self._gun.forget(address)

    def _turns(self) -> Iterator[tuple[float, Post, bool]]:
        """When each post is due, in seconds from the start, and whether it is sent only once."""
        waiting: list[tuple[float, int, Post, bool]] = []
        numbers = itertools.count()
        now = 0.0
        for chunk in itertools.count():
            seed = self._seed * 100_000 + chunk
            told = stories(ORDERS, seed=seed, prefix="T")
            self.witness.sent += len(told)
            made = posts(told, self._sources, seed=seed)
            step = len(told) / len(made) / self._rate
            for post in made:
                copies = self._copies()
                first = now + (self._chance.random() * 30 if self._chance.random() < LATE else 0.0)
                alone = copies == 1 and self._chance.random() < GIVES_UP
                for number in range(copies):
                    due = first + (self._chance.expovariate(1 / 6) if number else 0.0)
                    heapq.heappush(waiting, (due, next(numbers), post, alone))
                now += step
                while waiting and waiting[0][0] <= now:
                    due, _, ready, once = heapq.heappop(waiting)
                    yield due, ready, once

    def _copies(self) -> int:
        counts, weights = zip(*COPIES, strict=True)
        return int(self._chance.choices(counts, weights)[0])

    async def _deliver(self, post: Post, *, gives_up: bool) -> None:
        """Try until it is accepted, as patient senders do, or once."""
        pause = 0.2
        while True:
            async with self._room:
                if self._given_up.is_set():
                    return  # it waited for its turn, and nothing went out
                shot = await self._attempt(post)
            if shot.accepted or gives_up or self._given_up.is_set():
                return
            await asyncio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(pause * 2, PAUSE_MAX)

    async def _attempt(self, post: Post) -> Shot:
        gateways = self._gateways()
        if not gateways:
            shot = Shot("refused", duplicate=False, ms=0.0)
        else:
            source = self._sources[post.source]
            signed = senders.sign(source, post.body, at=datetime.now(UTC))
            headers = dict(signed.headers)
            address = random.choice(gateways)
            shot = await self._gun.fire(address, f"/webhooks/{post.source}", headers, signed.body)
        self._note(post, shot)
        return shot

    def _note(self, post: Post, shot: Shot) -> None:
        at = time.time()
        self.witness.note(post, shot, at=at)
        keys = [said.key for said in post.events]
        line = [round(at, 3), post.source, keys, shot.status, shot.duplicate, round(shot.ms, 1)]
        self._log.write(json.dumps(line) + "\n")
