"""XML: bytes in, a JSON-like document of bounded size out; what could harm a parser is refused.

An element becomes its text, or an object where it has attributes or children: attributes as
`@name`, children by name, several of one name as a list, text beside them as `#text`. Namespaces
are dropped, comments and processing instructions too; all values are texts.
"""

from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from service.intake.reading.mapping import MAX_DEPTH, Unreadable
from service.intake.reading.paths import JSON

MAX_PIECES = 100_000
"""Elements, attributes and stretches of text; each costs far more memory than its bytes."""


def read(body: bytes) -> JSON:
    """Read a document: an object of one key, the name of its root."""
    builder = _Builder()
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except Unreadable:
        raise
    except DefusedXmlException:
        raise Unreadable("The XML carries a DOCTYPE or an entity; neither is taken.") from None
    except ParseError as error:
        line, column = error.position
        raise Unreadable(f"The body is not XML: line {line}, column {column}.") from None
    except (LookupError, ValueError):
        raise Unreadable("The XML is in an encoding that is not known.") from None
    return builder.document


@dataclass(slots=True)
class _Element:
    name: str
    inside: dict[str, JSON]
    texts: list[str] = field(default_factory=list)

    def value(self) -> JSON:
        text = "".join(self.texts).strip()
        if not self.inside:
            return text
        return {**self.inside, "#text": text} if text else self.inside


class _Builder:
    """Takes what the parser finds, in order, and counts it."""

    def __init__(self) -> None:
        self.document: dict[str, JSON] = {}
        self._open = [_Element("", self.document)]
        self._pieces = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count(1 + len(attributes))
        if len(self._open) > MAX_DEPTH:
            raise Unreadable(f"The body nests deeper than {MAX_DEPTH} levels.")
        inside: dict[str, JSON] = {f"@{_local(name)}": text for name, text in attributes.items()}
        self._open.append(_Element(_local(tag), inside))

    def data(self, text: str) -> None:
        self._count(1)
        self._open[-1].texts.append(text)

    def end(self, _tag: str) -> None:
        done = self._open.pop()
        siblings, value = self._open[-1].inside, done.value()
        match siblings.get(done.name):
            case None:
                siblings[done.name] = value
            case list() as several:
                several.append(value)
            case one:
                siblings[done.name] = [one, value]

    def close(self) -> None:
        """Asked for by the parser; the document is there already."""

    def _count(self, pieces: int) -> None:
        self._pieces += pieces
        if self._pieces > MAX_PIECES:
            raise Unreadable(f"The XML has more than {MAX_PIECES} elements, attributes and texts.")


def _local(name: str) -> str:
    return name.rpartition("}")[2]
