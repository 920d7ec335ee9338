"""A CRM that keeps records in memory, as a small program: it counts what it does, and can fail."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from service.domain.budget import Limit
from service.worker import wording
from service.worker.crms.base import (
    Answer,
    Capabilities,
    Class,
    Known,
    Page,
    Record,
    Target,
    Wanted,
    Write,
)

TARGET = Target("deal", "order_no", "stage")
OK = Answer(Class.OK, "write", 200)
GONE_IN_TRANSIT = Answer(Class.UNKNOWN_OUTCOME, "write", detail="No answer came.")


@dataclass
class Sheet:
    """One record."""

    key: str
    fields: dict[str, str | None] = field(default_factory=dict)
    edition: int = 1


class Cabinet:
    """`spoil` may answer a write in its place; what it returns with `True` happens all the same."""

    targets = {"order": TARGET}  # noqa: RUF012  # as adapters have it

    def __init__(self, **can: object) -> None:
        self.capabilities = Capabilities(**{"batch": 100, **can})  # type: ignore[arg-type]
        self.sheets: dict[str, Sheet] = {}
        self.calls: list[tuple[str, list[str]]] = []
        self.effects: Counter[str] = Counter()
        self.notes: list[tuple[str, str]] = []
        self.spoil: Callable[[Write], tuple[Answer, bool] | None] = lambda _: None
        self.refuse: Callable[[str], Answer | Exception | None] = lambda _: None
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        self.by_us: bool | None = None
        self._ids = count(1)

    def keep(self, *keys: str, **fields: str | None) -> None:
        """Put records in, as a shop's own connector would."""
        for key in keys:
            self.sheets[f"r{next(self._ids)}"] = Sheet(key, dict(fields))

    def edit(self, key: str, **fields: str | None) -> None:
        """A person changes a record."""
        for sheet in self.sheets.values():
            if sheet.key == key:
                sheet.fields |= fields
                sheet.edition += 1

    def shows(self, key: str) -> str | None:
        return next(each.fields.get("stage") for each in self.sheets.values() if each.key == key)

    def asked(self, operation: str) -> list[list[str]]:
        return [about for name, about in self.calls if name == operation]

    def limits(self) -> Sequence[Limit]:
        return ()

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        self._called("find", [each.key for each in wanted])
        if (refusal := self._refusal("find")) is not None:
            return [refusal] * len(wanted)
        return [
            [self._record(known) for known, sheet in self.sheets.items() if sheet.key == each.key]
            for each in wanted
        ]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        self._called("read", [each.remote_id for each in known])
        if (refusal := self._refusal("read")) is not None:
            return [refusal] * len(known)
        return [
            self._record(each.remote_id)
            if each.remote_id in self.sheets
            else Answer(Class.NOT_FOUND, "read", 404)
            for each in known
        ]

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        self._called("write", [write.key for write in writes])
        self.arrived.set()
        await self.gate.wait()
        if (refusal := self._refusal("write")) is not None:
            return [refusal] * len(writes)
        return [self._write(write) for write in writes]

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        raise NotImplementedError

    async def note(self, known: Known, text: str) -> Answer:
        self._called("note", [known.remote_id])
        self.notes.append((known.remote_id, text))
        return Answer(Class.OK, "note", 201)

    def _called(self, operation: str, about: list[str]) -> None:
        self.calls.append((operation, about))

    def _refusal(self, operation: str) -> Answer | None:
        refusal = self.refuse(operation)
        if isinstance(refusal, Exception):
            raise refusal
        return refusal

    def _record(self, remote_id: str) -> Record:
        sheet = self.sheets[remote_id]
        fields = {name: text for name, text in sheet.fields.items() if name != "stage"}
        return Record(
            remote_id,
            sheet.key,
            sheet.fields.get("stage"),
            fields,
            token=str(sheet.edition),
            by_us=self.by_us,
        )

    def _write(self, write: Write) -> Answer:
        spoiled = self.spoil(write)
        if spoiled is not None and not spoiled[1]:
            return spoiled[0]
        answer = self._done(write)
        return spoiled[0] if spoiled is not None else answer

    def _done(self, write: Write) -> Answer:
        remote_id = write.remote_id or self._made(write)
        sheet = self.sheets.get(remote_id)
        if sheet is None:
            return Answer(Class.NOT_FOUND, "write", 404)
        if write.token is not None and write.token != str(sheet.edition):
            return Answer(Class.CONFLICT, "write", 412)
        sheet.fields |= wording.shown(write)
        sheet.edition += 1
        self.effects[write.key] += 1
        return replace(OK, remote_id=remote_id, token=str(sheet.edition))

    def _made(self, write: Write) -> str:
        known = [each for each, sheet in self.sheets.items() if sheet.key == write.key]
        if known or not write.create:
            return known[0] if known else ""
        made = f"r{next(self._ids)}"
        self.sheets[made] = Sheet(write.key)
        return made
