"""Senders of several kinds of documents: a request in, read by the layout of its kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.domain.events import Statement
from service.intake.provider import RawRequest
from service.intake.reading import mapping
from service.intake.reading.layout import Layout
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import Path
from service.intake.reading.reader import Reader
from service.settings import Source

Tell = Callable[[RawRequest], str]


@dataclass(frozen=True, slots=True)
class Kinds:
    """What tells the kind of a request, and the layout of each; `usual` reads all others."""

    kind: Tell
    layouts: Mapping[str, Layout]
    usual: Layout

    def reader(self, source: Source) -> "Sorted":
        readers = {kind: Reader.of(layout, source) for kind, layout in self.layouts.items()}
        return Sorted(self.kind, readers, Reader.of(self.usual, source))


@dataclass(frozen=True, slots=True)
class Sorted:
    """The layouts of several kinds with the rules of one source, compiled."""

    kind: Tell
    readers: Mapping[str, Reader]
    usual: Reader

    def read(self, request: RawRequest) -> Sequence[Statement]:
        return self.readers.get(self.kind(request), self.usual).read(request)


def word_at(place: str) -> Tell:
    """Tell kinds by a word in a JSON body."""
    path = Path.of(place)

    def tell(request: RawRequest) -> str:
        try:
            return mapping.word(path.find(mapping.read(request.body))) or ""
        except Unreadable:
            return ""

    return tell


def writing(request: RawRequest) -> str:
    """Tell how a body is written by its first letter: `json`, `xml`, or else `form`."""
    match request.body.lstrip()[:1]:
        case b"<":
            return "xml"
        case b"{" | b"[":
            return "json"
        case _:
            return "form"
