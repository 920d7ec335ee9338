"""How claimed entries are spread over messages."""

from service.broker.publisher import chunks, split
from service.store.ids import new_id
from service.store.outbox import Entry


def entries(count: int, *, solo: bool = False) -> list[Entry]:
    return [Entry(new_id(), crashes=0, solo=solo) for _ in range(count)]


def test_a_message_carries_a_hundred_entries_in_their_order() -> None:
    claimed = entries(250)
    messages = split(claimed)
    assert [100, 100, 50] == [len(message) for message in messages]
    assert [entry.event_id for entry in claimed] == [each for ids in messages for each in ids]


def test_a_suspect_travels_alone() -> None:
    innocent, suspects = entries(3), entries(2, solo=True)
    messages = split([suspects[0], *innocent, suspects[1]])
    assert [
        [entry.event_id for entry in innocent],
        [suspects[0].event_id],
        [suspects[1].event_id],
    ] == messages


def test_nothing_makes_no_message() -> None:
    assert ([], []) == (split([]), list(chunks([])))
