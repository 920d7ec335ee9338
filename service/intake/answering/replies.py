"""Answers in a sender's own dialect: values in, replies of bounded plain bytes out."""

import orjson

from service.intake.provider import RawRequest, Reply

MAX_ECHO = 1024
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
JSON = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}


def text(body: str, *, status: int = 200) -> Reply:
    return Reply(status, body.encode("utf-8", "replace"), PLAIN)


def document(body: object, *, status: int = 200) -> Reply:
    return Reply(status, orjson.dumps(body), JSON)


def echo(request: RawRequest, parameter: str) -> Reply | None:
    """Give back the value of a query parameter, as senders do that test an address."""
    value = request.parameter(parameter)
    return text(value) if value is not None and is_harmless(value) else None


def is_harmless(value: str) -> bool:
    """Whether a stranger may have this text repeated: short, printable, one line."""
    return 0 < len(value) <= MAX_ECHO and value.isascii() and value.isprintable()
