"""What batches spent comes in; what the next one will probably spend, call by call, goes out."""

from collections.abc import Mapping, Sequence

Costs = Mapping[str, float]

ONE: Sequence[Costs] = ({"requests": 1.0},)
MOST = 64
"""Calls of one batch that are remembered."""


class Foresight:
    """The shorter of the last two bills: what a single bad row costs its batch is no custom."""

    def __init__(self) -> None:
        self._bills: dict[bool, tuple[Sequence[Costs], Sequence[Costs]]] = {}
        self._asked = False

    def learn(self, bill: Sequence[Costs], *, asked: bool) -> None:
        """`asked`: something had to be asked before it could be written."""
        if bill:
            bill = bill[:MOST]
            _, last = self._bills.get(asked, (bill, bill))
            self._bills[asked] = (last, bill)

    def begin(self, *, asked: bool) -> None:
        """The next batch will be as the one that begins now."""
        self._asked = asked

    @property
    def calls(self) -> Sequence[Costs]:
        bills = self._bills.get(self._asked)
        return min(bills, key=len) if bills else ONE
