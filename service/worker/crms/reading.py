"""The JSON of an answer comes in, plain pieces of the expected shape go out; nothing raises."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote

from pydantic import JsonValue

from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms.base import Answer, Class, Target
from service.worker.crms.client import Call, Reply

JUDGED = {
    401: Class.AUTH,
    402: Class.HUMAN,
    403: Class.HUMAN,
    404: Class.NOT_FOUND,
    408: Class.TRANSIENT,
    412: Class.CONFLICT,
    425: Class.TRANSIENT,
    429: Class.RATE,
    503: Class.TRANSIENT,
}
WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
ORDINARY = re.compile(r"[A-Za-z0-9_./ #-]{1,64}")
MOST_QUERY, AROUND = 6000, 60
"""Bytes of numbers in an address, and of what stands around each: many servers take 8 KiB."""
YEARS = range(1970, 9999)
TO_DO = {
    Class.AUTH: "the credentials are refused; put new ones where the configuration refers to, "
    "reload, then resume the destination",
    Class.HUMAN: "look at url, at the account there and at the rights of its user, then resume the "
    "destination",
    Class.PERMANENT: "look at the record there, at statuses and at attributes, then redrive",
    Class.NOT_FOUND: "it has no such record",
    Class.CONFLICT: "the record changed since it was read",
}
"""What a plain refusal means for people; what comes by itself needs nothing."""
ELSEWHERE = "a redirect, which is not followed; mend url, then resume the destination"


def mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    """An object; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: JsonValue) -> Sequence[Mapping[str, JsonValue]]:
    """The objects of a list; anything else is none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def whole(value: JsonValue) -> Sequence[Mapping[str, JsonValue]] | None:
    """The objects of a list that holds nothing else; None when it is no such list."""
    found = rows(value)
    return found if isinstance(value, list) and len(found) == len(value) else None


def text(value: JsonValue) -> str | None:
    """A value as a person would write it; empty ones are None."""
    match value:
        case None | "":
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return f"{Decimal(repr(value)).normalize():f}"
        case str() | int():
            return str(value)
        case _:
            return None


def word(value: JsonValue) -> str | None:
    """A code that may be shown to people: one short word, so never anybody's data."""
    found = text(value)
    return found if found and WORD.fullmatch(found) else None


def moment(value: JsonValue) -> datetime | None:
    """A moment in ISO 8601; without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None or found.year not in YEARS:
        # At the ends of time no moment can be told in another time zone.
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def parts(keys: Sequence[str]) -> Sequence[Sequence[str]]:
    """Different numbers, so many together as fit into one address."""
    found: list[list[str]] = []
    size = MOST_QUERY
    for key in dict.fromkeys(keys):
        size += len(quote(key, safe="")) + AROUND
        if size > MOST_QUERY:
            found.append([])
            size = len(quote(key, safe="")) + AROUND
        found[-1].append(key)
    return found


def odd(key: str) -> bool:
    """Whether a search may be refused for the sake of this number alone, as by a firewall."""
    return ORDINARY.fullmatch(key) is None


def judged(reply: Reply, call: Call) -> Class:
    """What a status means wherever a vendor says nothing else about it."""
    if reply.status in JUDGED:
        return JUDGED[reply.status]
    if 200 <= reply.status < 300:
        return Class.OK
    if reply.status >= 500 or reply.status < 200:
        return Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
    # A redirect meets every call: a wrong address, or a page to sign in at.
    return Class.HUMAN if reply.status < 400 else Class.PERMANENT


def refused(reply: Reply, call: Call, detail: str, *, kind: Class | None = None) -> Answer:
    """A reply that is no success, as an answer; one that cannot be understood says nothing."""
    found = kind or judged(reply, call)
    if found is Class.OK:
        found = Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
    return Answer(
        found,
        call.operation,
        http_status=reply.status,
        after=reply.after,
        detail=detail,
    )


def answered(
    vendor: str, reply: Reply, call: Call, *, code: str | None = None, kind: Class | None = None
) -> Answer:
    """A refusal of which no more is known than its status and perhaps a word."""
    answer = refused(reply, call, "", kind=kind)
    to_do = TO_DO.get(answer.kind)
    if reply.status < 400:
        to_do = ELSEWHERE if reply.status >= 300 else "that says nothing of what became of it"
    said = f"{vendor} answered {reply.status}{f' ({code})' if code else ''} to the {call.operation}"
    return replace(answer, detail=f"{said}: {to_do}." if to_do else f"{said}.")


def target(destination: Destination, usual: Target) -> Target:
    """What an order is here, from `objects.order` of the configuration and the usual rest."""
    rule = destination.objects.get("order")
    if rule is None:
        return usual
    return Target(
        rule.object or usual.object,
        rule.key_field or usual.key_field,
        rule.status_field or usual.status_field,
    )


def flag(destination: Destination, name: str, *, usual: bool) -> bool:
    """An option that is yes or no."""
    value = destination.options.get(name, usual)
    if not isinstance(value, bool):
        raise ConfigurationError(f"options.{name} is true or false.")
    return value


def option(destination: Destination, name: str, *, usual: str = "") -> str:
    """An option that is text."""
    value = destination.options.get(name, usual)
    if not isinstance(value, str):
        raise ConfigurationError(f"options.{name} is text: put it into quotes.")
    return value
