"""Leases that wait for room: urgent ones first, and never more than there is a place for."""

from hypothesis import given
from hypothesis import strategies as st

from service.store.syncs import Lease
from service.worker.tickets import Tickets

HIGH, NORMAL, LOW = 1, 5, 9


def lease(subject: int, priority: int = NORMAL, *, fence: int = 1) -> Lease:
    return Lease(subject, "crm", fence, priority)


def tickets(*leases: Lease, limit: int = 100) -> Tickets:
    made = Tickets()
    made.add(leases, since=1.0, limit=limit)
    return made


def order(queue: Tickets) -> list[int]:
    return [ticket.lease.subject_id for ticket in queue]


def test_the_urgent_go_first_and_equals_as_they_came() -> None:
    queue = tickets(lease(5), lease(4, LOW), lease(3), lease(2, HIGH))
    queue.add([lease(1, HIGH)], since=2.0, limit=100)
    assert [2, 1, 5, 3, 4] == order(queue)
    assert [1, 2, 5] == list(queue.take(3))  # in one order for the database
    assert [3, 4] == order(queue)


def test_a_full_house_makes_room_for_the_urgent_only() -> None:
    queue = tickets(*(lease(subject) for subject in range(5)), limit=3)
    assert [0, 1, 2] == order(queue)
    queue.add([lease(7), lease(8, HIGH), lease(9, LOW)], since=2.0, limit=3)
    assert [8, 0, 1] == order(queue)
    queue.add([], since=3.0, limit=0)
    assert [] == order(queue)


def test_of_two_leases_on_one_subject_the_younger_is_used() -> None:
    for first, second in ((NORMAL, HIGH), (HIGH, NORMAL)):
        queue = tickets(lease(1, first, fence=1), lease(1, second, fence=2))
        assert [2] == [ticket.lease.fence for ticket in queue.take(5).values()]


def test_what_could_not_start_goes_back_to_its_place() -> None:
    queue = tickets(*(lease(subject) for subject in (3, 1, 2)))
    taken = queue.take(2)
    queue.add([lease(4)], since=2.0, limit=100)
    queue.put_back(taken.values())
    assert [3, 1, 2, 4] == order(queue)


def test_who_turns_out_to_be_urgent_while_waiting_goes_to_the_front() -> None:
    queue = tickets(*(lease(subject) for subject in range(5)), lease(9, HIGH))
    assert [0, 1, 2, 3, 4] == sorted(queue.later_than(HIGH))
    queue.hurry({3: HIGH, 77: HIGH, 9: LOW})
    assert [3, 9, 0, 1, 2, 4] == order(queue)


def test_giving_everything_back_leaves_nothing() -> None:
    queue = tickets(lease(1), lease(2))
    assert [lease(1), lease(2)] == list(queue.clear())
    assert 0 == len(queue)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([HIGH, NORMAL, LOW]))))
def test_nobody_overtakes_who_is_as_urgent(arrivals: list[tuple[int, int]]) -> None:
    queue = tickets()
    for number, (subject, priority) in enumerate(arrivals):
        queue.add([lease(subject, priority, fence=number)], since=0.0, limit=7)
    left = [(ticket.lease.priority, ticket.lease.fence) for ticket in queue]
    everything = [(priority, number) for number, (_, priority) in enumerate(arrivals)]
    assert left == sorted(everything)[:7]
