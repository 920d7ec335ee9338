"""The leases of one destination that wait for room: the urgent first, the live before the rest."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import inf

from service.store.syncs import Lease


@dataclass(frozen=True, slots=True)
class Ticket:
    """A lease waiting for room, and the monotonic time before it was taken."""

    lease: Lease
    since: float
    number: int
    live: bool = False
    """Handed on by a fold, and not found in the database."""


Place = tuple[int, bool, int, Ticket]


class Tickets:
    """What is left out when there are too many runs out and is found again."""

    def __init__(self) -> None:
        self._heap: list[Place] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Ticket]:
        return (ticket for *_, ticket in sorted(self._heap))

    def first(self) -> Ticket | None:
        return self._heap[0][-1] if self._heap else None

    def add(self, leases: Iterable[Lease], *, since: float, limit: int, live: bool = False) -> None:
        """Keep the first `limit`: an urgent one also finds room in a full house."""
        fresh = [Ticket(lease, since, next(self._numbers), live) for lease in leases]
        self._heap += [_place(ticket) for ticket in fresh]
        self._heap.sort()
        del self._heap[max(limit, 0) :]

    def take(self, most: int, *, since: float = -inf) -> dict[int, Ticket]:
        """Up to so many by subject; of two leases on one subject the younger counts.

        Those taken before `since` have run out and are dropped.
        """
        batch: dict[int, Ticket] = {}
        while self._heap and len(batch) < most:
            *_, ticket = heapq.heappop(self._heap)
            if ticket.since < since:
                continue
            other = batch.setdefault(ticket.lease.subject_id, ticket)
            if other.lease.fence < ticket.lease.fence:
                batch[ticket.lease.subject_id] = ticket
        return dict(sorted(batch.items()))

    def put_back(self, tickets: Iterable[Ticket]) -> None:
        """To where they were taken from."""
        for ticket in tickets:
            heapq.heappush(self._heap, _place(ticket))

    def later_than(self, priority: int) -> list[int]:
        """The subjects that wait with less urgency."""
        return [ticket.lease.subject_id for rank, _, _, ticket in self._heap if rank > priority]

    def hurry(self, priorities: Mapping[int, int]) -> None:
        """Some subjects turned out to be more urgent while they waited."""
        self._heap = [
            (min(rank, priorities.get(ticket.lease.subject_id, rank)), found, number, ticket)
            for rank, found, number, ticket in self._heap
        ]
        heapq.heapify(self._heap)

    def clear(self) -> Sequence[Lease]:
        leases = [ticket.lease for ticket in self]
        self._heap.clear()
        return leases


def _place(ticket: Ticket) -> Place:
    return (ticket.lease.priority, not ticket.live, ticket.number, ticket)
