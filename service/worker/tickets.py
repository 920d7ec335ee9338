"""The leases of one destination that wait for room: the urgent ones first, then as they came."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from service.store.syncs import Lease


@dataclass(frozen=True, slots=True)
class Ticket:
    """A lease waiting for room, and the monotonic time before it was taken."""

    lease: Lease
    since: float
    number: int


class Tickets:
    """What is left out when there are too many runs out and is found again."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Ticket]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Ticket]:
        return (ticket for _, _, ticket in sorted(self._heap))

    def add(self, leases: Iterable[Lease], *, since: float, limit: int) -> None:
        """Keep the first `limit`: an urgent one also finds room in a full house."""
        fresh = [Ticket(lease, since, next(self._numbers)) for lease in leases]
        self._heap += [(ticket.lease.priority, ticket.number, ticket) for ticket in fresh]
        self._heap.sort()
        del self._heap[max(limit, 0) :]

    def take(self, most: int) -> dict[int, Ticket]:
        """Up to so many by subject; of two leases on one subject the younger counts."""
        batch: dict[int, Ticket] = {}
        while self._heap and len(batch) < most:
            _, _, ticket = heapq.heappop(self._heap)
            other = batch.setdefault(ticket.lease.subject_id, ticket)
            if other.lease.fence < ticket.lease.fence:
                batch[ticket.lease.subject_id] = ticket
        return dict(sorted(batch.items()))

    def put_back(self, tickets: Iterable[Ticket]) -> None:
        """To where they were taken from."""
        for ticket in tickets:
            heapq.heappush(self._heap, (ticket.lease.priority, ticket.number, ticket))

    def later_than(self, priority: int) -> list[int]:
        """The subjects that wait with less urgency."""
        return [ticket.lease.subject_id for rank, _, ticket in self._heap if rank > priority]

    def hurry(self, priorities: Mapping[int, int]) -> None:
        """Some subjects turned out to be more urgent while they waited."""
        self._heap = [
            (min(rank, priorities.get(ticket.lease.subject_id, rank)), number, ticket)
            for rank, number, ticket in self._heap
        ]
        heapq.heapify(self._heap)

    def clear(self) -> Sequence[Lease]:
        leases = [ticket.lease for ticket in self]
        self._heap.clear()
        return leases
