"""Rows for a vendor's batch come in; parts it can take, and what a refused whole hides, go out."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from service.worker.crms.base import Answer, Class, Write

STOPS = frozenset({Class.RATE, Class.AUTH, Class.HUMAN, Class.TRANSIENT, Class.UNKNOWN_OUTCOME})
"""After one of these the rest of a batch is not worth another call."""


@dataclass(frozen=True, slots=True)
class Row:
    """One write with its place in what was asked."""

    place: int
    write: Write

    @property
    def name(self) -> str:
        """What the vendor knows it by."""
        return self.write.remote_id or self.write.key


Written = Callable[[Sequence[Row]], Awaitable[Mapping[int, Answer]]]


def distinct(rows: Sequence[Row], *, most: int) -> Iterator[Sequence[Row]]:
    """Parts in order in which no record stands twice: vendors refuse such a batch."""
    left = list(rows)
    while left:
        part, later = dict[str, Row](), list[Row]()
        for row in left:
            if row.name in part or len(part) == most:
                later.append(row)
            else:
                part[row.name] = row
        left = later
        yield list(part.values())


async def halved(rows: Sequence[Row], write: Written) -> Mapping[int, Answer]:
    """Write two halves, of which `write` halves a refused one again; stop where it is in vain."""
    middle = max(1, len(rows) // 2)
    answers = await write(rows[:middle])
    worst = next((one for one in answers.values() if one.kind in STOPS), None)
    if worst is not None:
        return {**answers, **{row.place: replace(worst, tried=False) for row in rows[middle:]}}
    return {**answers, **(await write(rows[middle:]) if rows[middle:] else {})}
