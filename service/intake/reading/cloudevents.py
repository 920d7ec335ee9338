"""CloudEvents 1.0 over HTTP, in all its modes: a request in, the event (or events) as JSON out.

Structured and batched bodies are what they are; binary mode is written as structured mode would be,
so that one mapping reads both. Facts: CloudEvents 1.0.2 specification, HTTP protocol binding.
"""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import unquote

from service.domain import keys
from service.intake.provider import RawRequest
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON

REQUIRED = ("id", "source", "type")
STRUCTURED = "application/cloudevents"


def read(request: RawRequest) -> JSON:
    """Read whichever mode it is; the items of a batch are checked one by one by `envelope`."""
    kind = _kind(request)
    if not kind.startswith(STRUCTURED) and request.header("ce-specversion") is not None:
        return _binary(request, kind)
    return mapping.read(request.body)


def envelope(item: JSON) -> dict[str, JSON]:
    """Check what every event must carry, and open data that is JSON in base64."""
    if not isinstance(item, dict):
        raise Unreadable("The event is not a JSON object.")
    if item.get("specversion") != "1.0":
        raise Unreadable("The event is no CloudEvent of specversion 1.0.")
    for attribute in REQUIRED:
        if not isinstance(item.get(attribute), str) or not item[attribute]:
            raise Unreadable(f"The CloudEvent has no {attribute}.")
    match item.get("data_base64"):
        case None:
            return item
        case str(text):
            return {**item, "data": _opened(text, item.get("datacontenttype"))}
        case _:
            raise Unreadable("The data_base64 of the CloudEvent is no text.")


def identity(item: Mapping[str, JSON]) -> str:
    """Name the event: `id` is unique only together with `source`."""
    source = str(item["source"]).replace(" ", "%20")
    whole = f"{source} {item['id']}"
    long = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
    return keys.clean_text(whole) or long


def _kind(request: RawRequest) -> str:
    return (request.header("content-type") or "").strip().lower()


def _binary(request: RawRequest, kind: str) -> JSON:
    event: dict[str, JSON] = {
        name.removeprefix("ce-"): unquote(value)
        for name, value in request.headers
        if name.startswith("ce-")
    }
    if kind:
        event["datacontenttype"] = kind
    if request.body:
        event["data"] = _data(request.body, kind)
    return event


def _opened(text: str, kind: JSON) -> JSON:
    try:
        content = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("The data_base64 of the CloudEvent is not base64.") from None
    return _data(content, kind.lower() if isinstance(kind, str) else "")


def _data(content: bytes, kind: str) -> JSON:
    """Read data: JSON unless its media type says something else, which then is a text."""
    media = kind.partition(";")[0].strip()
    if not media or media.endswith(("/json", "+json")):
        return mapping.read(content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Unreadable(f"The data of type {mapping.shown(media)} is not text.") from None
