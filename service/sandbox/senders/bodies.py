"""Bodies of simulated senders: a document and a format in, bytes as posted out."""

from collections.abc import Iterator
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

import orjson

from service.domain.errors import ConfigurationError
from service.intake.reading.paths import JSON

CONTENT_TYPES = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "application/xml",
    "cloudevents": "application/cloudevents+json",
}


def write(form: str, document: JSON) -> bytes:
    """Write what the intake reads back as this document; a form and XML know texts only."""
    match form:
        case "form":
            return urlencode(list(_fields(document, ""))).encode("ascii")
        case "xml":
            return _xml(document)
        case _:
            return orjson.dumps(document)


def _fields(node: JSON, name: str) -> Iterator[tuple[str, str]]:
    match node:
        case dict():
            for key, value in node.items():
                yield from _fields(value, f"{name}[{key}]" if name else key)
        case list():
            for place, value in enumerate(node):
                yield from _fields(value, f"{name}[{place}]")
        case _:
            yield name, _text(node)


def _xml(document: JSON) -> bytes:
    if not isinstance(document, dict) or len(document) != 1:
        raise ConfigurationError(
            "No XML sample can be made: all paths of the source must begin at one root element."
        )
    ((root, value),) = document.items()
    return f'<?xml version="1.0" encoding="UTF-8"?>{_element(root, value)}'.encode()


def _element(name: str, node: JSON) -> str:
    match node:
        case list():
            return "".join(_element(name, value) for value in node)
        case dict():
            marks = [(key, value) for key, value in node.items() if key.startswith("@")]
            attributes = "".join(f" {key[1:]}={quoteattr(_text(value))}" for key, value in marks)
            inside = "".join(
                escape(_text(value)) if key == "#text" else _element(key, value)
                for key, value in node.items()
                if not key.startswith("@")
            )
            return f"<{name}{attributes}>{inside}</{name}>"
        case _:
            return f"<{name}>{escape(_text(node))}</{name}>"


def _text(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
