"""Thin events and what they point at: a webhook, or a fetched object, in; statements out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from service.domain.events import Statement
from service.intake.provider import RawRequest
from service.intake.reading import bodies, mapping
from service.intake.reading.layout import Layout
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import Path
from service.intake.reading.reader import Reader
from service.settings import Source


@dataclass(frozen=True, slots=True)
class Pointing:
    """Reads what a sender posts by one layout, and what its API answers by another."""

    posted: Reader
    answered: Reader
    needs: Path | None = None
    """What every webhook carries; a body without it is none."""

    @classmethod
    def of(cls, posted: Layout, answered: Layout, source: Source, *, needs: str = "") -> Self:
        path = Path.of(needs) if needs else None
        return cls(Reader.of(posted, source), Reader.of(answered, source), path)

    def read(self, request: RawRequest) -> Sequence[Statement]:
        if request.method == "GET":
            return self.answered.read(request)
        why = self._lack(request) if self.needs else ""
        return (mapping.unreadable(request, why),) if why else self.posted.read(request)

    def _lack(self, request: RawRequest) -> str:
        layout, needs = self.posted.layout, self.needs
        try:
            document = bodies.read(layout.form, request)
        except Unreadable as why:
            return str(why)
        if needs is None or mapping.name(needs.find(document)):
            return ""
        return f"It is not an event of {layout.title}: it needs {needs.expression}."
