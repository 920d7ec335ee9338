"""A source and a sample come in; it is posted as its sender would, and the answer goes out.

Nobody can tell such an event from a true one: it goes the whole road to every destination.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.domain.errors import Declined, Misnamed, NotFound
from service.domain.keys import clean_text
from service.ops.lookups import Body
from service.ops.rereading import Senders
from service.settings import Source
from service.store import actions
from service.store.pool import Pool, transaction

USUAL_ORDER = "TEST-1"
LONGEST_ORDER = 64
NOBODY_SENDS = "This process has no public listener that a test event could be posted to."


@dataclass(frozen=True, slots=True)
class Answered:
    """What the public listener said to it."""

    status: int
    text: str


class Rehearsal(Protocol):
    """Plays the senders."""

    def samples(self, source: Source) -> Sequence[str]:
        """The samples of its provider, the usual one first."""
        ...

    def obstacle(self, source: Source) -> str | None:
        """Why none can be sent, in a sentence."""
        ...

    async def send(self, source: Source, *, sample: str, order: str) -> Answered:
        """Post one; raises DependencyUnavailable when nothing answers."""
        ...


class Nobody:
    """Where nothing listens."""

    def samples(self, source: Source) -> Sequence[str]:  # noqa: ARG002
        return ()

    def obstacle(self, source: Source) -> str | None:  # noqa: ARG002
        return NOBODY_SENDS

    async def send(self, source: Source, *, sample: str, order: str) -> Answered:  # noqa: ARG002
        raise Declined(NOBODY_SENDS)


@dataclass(frozen=True, slots=True)
class Wish:
    """The test event that somebody wants."""

    source: str
    sample: str
    actor: str
    order: str = USUAL_ORDER


async def rehearse(pool: Pool, senders: Senders, rehearsal: Rehearsal, wish: Wish) -> Body:
    """Answer what POST /sources/{name}/test answers; it is written down before it is sent."""
    source = _expect(senders, rehearsal, wish)
    async with transaction(pool) as tx:
        detail = {"sample": wish.sample, "order": wish.order}
        await actions.record(tx, wish.actor, "source.test", target=wish.source, detail=detail)
    answered = await rehearsal.send(source, sample=wish.sample, order=wish.order)
    return {
        "source": wish.source,
        "sample": wish.sample,
        "order": wish.order,
        "status": answered.status,
        "taken": 200 <= answered.status < 300,
        "answer": answered.text,
    }


def _expect(senders: Senders, rehearsal: Rehearsal, wish: Wish) -> Source:
    if wish.source not in senders:
        known = ", ".join(sorted(senders)) or "none"
        raise NotFound(f"There is no source {wish.source}; configured are: {known}.")
    source = senders[wish.source].source
    if (obstacle := rehearsal.obstacle(source)) is not None:
        raise Declined(obstacle)
    samples = rehearsal.samples(source)
    if wish.sample not in samples:
        raise Misnamed(
            f"{source.provider} has no sample {wish.sample[:64]}; there is: {', '.join(samples)}."
        )
    if clean_text(wish.order, limit=LONGEST_ORDER) is None or not wish.order.strip():
        raise Misnamed(f"The order number must be 1 to {LONGEST_ORDER} characters of plain text.")
    return source
