"""Payments that were wholly reversed: what a reader said of one in, what the law needs out."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from service.domain import keys
from service.domain.events import Fate, Statement
from service.intake.provider import RawRequest
from service.intake.reading.reader import Reader

WHOLE = frozenset({"cancelled", "refunded"})


@dataclass(frozen=True, slots=True)
class Reversals:
    """Reads senders that have one word for letting held money go and for giving taken money back.

    A whole reversal is told as both: the law steps on `cancelled` while nothing was taken, and on
    `refunded` after that, whichever arrives first.
    """

    reader: Reader
    words: Collection[str]
    """The senders' words that mean a reversal."""

    def read(self, request: RawRequest) -> Sequence[Statement]:
        return [each for said in self.reader.read(request) for each in self._both(said)]

    def _both(self, said: Statement) -> Iterator[Statement]:
        whole = said.lane == "payment" and said.status in WHOLE and said.fate is Fate.FOLD
        if said.code not in self.words or not whole:
            yield said
            return
        key = f"{said.dedupe_key}:taken"
        yield replace(said, status="cancelled", money=())
        yield replace(
            said,
            dedupe_key=keys.clean_text(key) or keys.body_key(key.encode()),
            status="refunded",
        )
