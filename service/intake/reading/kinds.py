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

    kind: Tell | Path
    """A place is that of a word in bodies that are JSON, whatever their kind."""
    layouts: Mapping[str, Layout]
    usual: Layout

    def reader(self, source: Source) -> "Sorted":
        readers = {kind: self._reader(layout, source) for kind, layout in self.layouts.items()}
        return Sorted(self.kind, readers, Reader.of(self.usual, source))

    def _reader(self, layout: Layout, source: Source) -> Reader:
        """Name documents of another lifecycle as the preset does.

        Where the number of an order is does not say where the number of an invoice is.
        """
        subject = source.subject
        if layout.lifecycle != self.usual.lifecycle and "lifecycle" not in subject.model_fields_set:
            own = subject.model_copy(update={"ref": None})
            source = source.model_copy(update={"subject": own})
        return Reader.of(layout, source)


@dataclass(frozen=True, slots=True)
class Sorted:
    """The layouts of several kinds with the rules of one source, compiled."""

    kind: Tell | Path
    readers: Mapping[str, Reader]
    usual: Reader

    def read(self, request: RawRequest) -> Sequence[Statement]:
        if isinstance(self.kind, Path):
            return self._by_word(self.kind, request)
        return self._of(self.kind(request)).read(request)

    def _by_word(self, place: Path, request: RawRequest) -> Sequence[Statement]:
        """Parse the body once, for its kind and for what it says."""
        try:
            document = mapping.read(request.body)
            kind = mapping.word(place.find(document)) or ""
            return self._of(kind).read_document(document, request)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)

    def _of(self, kind: str) -> Reader:
        return self.readers.get(kind, self.usual)


def word_at(place: str) -> Path:
    """Tell kinds by a word in a JSON body."""
    return Path.of(place)


def writing(request: RawRequest) -> str:
    """Tell how a body is written by its first letter: `json`, `xml`, or else `form`."""
    match request.body.lstrip()[:1]:
        case b"<":
            return "xml"
        case b"{" | b"[":
            return "json"
        case _:
            return "form"
