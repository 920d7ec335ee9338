"""Query strings in, typed and bounded values out; what is not understood is never ignored."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aiohttp import web

from service.domain.events import Alias
from service.domain.keys import clean_text
from service.ops.lookups import MOST_ITEMS, USUAL_ITEMS, Page
from service.web.problems import Refused

LONGEST = 256


def parameters(request: web.Request, known: Sequence[str]) -> dict[str, str]:
    """Each known parameter sent, once and as clean text; anything else is a problem."""
    for name in request.query:
        if name not in known:
            allowed = f"known are {', '.join(known)}" if known else "there are none here"
            raise Refused(400, f"The parameter {name[:64]!r} is not known; {allowed}.")
        if len(request.query.getall(name)) > 1:
            raise Refused(400, f"The parameter {name} was sent more than once; send it once.")
    return {name: _clean(name, value) for name, value in request.query.items()}


def page(said: dict[str, str]) -> Page:
    return Page(limit=_limit(said.get("limit")), cursor=said.get("cursor"))


def bad_cursor() -> Refused:
    return Refused(
        400, "The parameter cursor is not a `next` of this list; leave it out to begin anew."
    )


def choice(
    said: dict[str, str], name: str, words: type[StrEnum], *, beside: str | None = None
) -> str | None:
    """One of the words; `beside` is one more that there is, and that is handled elsewhere."""
    value = said.get(name)
    if value is not None and value not in set(words):
        known = [*words, beside] if beside else [*words]
        raise Refused(400, f"The parameter {name} must be one of {', '.join(known)}.")
    return value


def count(said: dict[str, str], name: str, *, most: int) -> int | None:
    text = said.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= most):
        raise Refused(400, f"The parameter {name} must be a number from 0 to {most}.")
    return int(text)


def truth(said: dict[str, str], name: str) -> bool | None:
    match said.get(name):
        case None:
            return None
        case "true" | "false" as word:
            return word == "true"
        case _:
            raise Refused(400, f"The parameter {name} must be true or false.")


def moment(said: dict[str, str], name: str) -> datetime | None:
    """A time with its zone; a plus sign in a query string is written %2B."""
    text = said.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 2000 <= found.year <= 2100:
        raise Refused(
            400, f"The parameter {name} must read like 2026-05-04T12:00:00Z, years 2000 to 2100."
        )
    return found


def uuid(said: dict[str, str], name: str) -> UUID | None:
    text = said.get(name)
    if text is None:
        return None
    found = _uuid(text)
    if found is None:
        raise Refused(400, f"The parameter {name} must be a UUID; take it from a list.")
    return found


def subject(said: dict[str, str]) -> str | None:
    value = said.get("subject")
    if value is not None and not all(value.partition("/")):
        raise Refused(400, "The parameter subject must read like order/1001.")
    return value


def alias(text: str | None) -> Alias | None:
    """`type=value`, as in `tracking:cdek=1234`; the value may hold more equals signs."""
    if text is None:
        return None
    if not all(text.partition("=")):
        raise Refused(400, "The parameter alias must read like tracking:cdek=1234.")
    type_, _, value = text.partition("=")
    return Alias(type_, value)


def number(text: str) -> int:
    """The number of a row in the path."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):
        raise Refused(400, "The id in the path is not a number; take it from the subject's page.")
    return int(text)


def identifier(text: str) -> UUID:
    """An id in its one usual spelling; Python would take several."""
    found = _uuid(text)
    if found is None:
        raise Refused(400, "The id in the path is not a UUID; take it from a list.")
    return found


def _uuid(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL_ITEMS
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
    if not 1 <= number <= MOST_ITEMS:
        raise Refused(400, f"The parameter limit must be a number from 1 to {MOST_ITEMS}.")
    return number


def _clean(name: str, value: str) -> str:
    if not value or clean_text(value, limit=4 * LONGEST) is None or len(value) > LONGEST:
        raise Refused(
            400, f"The parameter {name} must be 1 to {LONGEST} characters of text without NUL."
        )
    return value
