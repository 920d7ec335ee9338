"""Rules between the keys of `[destinations.NAME.rest]`: a table in, what does not fit out."""

import re
from collections.abc import Collection, Iterator

from pydantic import JsonValue

from service.domain import templates
from service.domain.templates import Slot, TemplateError
from service.settings.destination_table import Destination
from service.settings.problems import Issue, Place
from service.settings.rest_table import RestCall, RestFeed, RestRule, RestWrite

EVERYWHERE = frozenset({"object", "key_field", "status_field"})
SAID = frozenset(
    {"key", "ref", "scope", "lifecycle", "status", "overall", "version", "idempotency_key"}
    | {"record", "fields", "field"}
)
NAMES = {
    "find": EVERYWHERE | {"key"},
    "read": EVERYWHERE | {"id"},
    "write": EVERYWHERE | SAID | {"id", "token", "action"},
    "create": EVERYWHERE | SAID,
    "note": EVERYWHERE | {"id", "text"},
    "feed": EVERYWHERE | {"since", "cursor"},
}
"""What each kind of call may be filled with."""
ALL = frozenset[str]().union(*NAMES.values())
SIGNED = ("body", "timestamp", "method", "path")
NEEDS = {"find": "key", "read": "id", "note": "text"}
"""Without this a call could not mean one record, or say anything."""


def check_rest(destination: Destination) -> Iterator[Issue]:
    """Every place is relative to the destination's table."""
    rule = destination.rest
    if (destination.crm == "rest") != (rule is not None):
        if rule is not None:
            yield Issue(("rest",), 'Only crm = "rest" reads this table.', "Remove one of the two.")
        else:
            what = "A REST CRM needs to be described."
            yield Issue(("rest",), what, f"Begin [destinations.{destination.name}.rest]; see docs.")
        return
    if rule is None:
        return
    if not destination.url:
        remedy = 'Add it, as in url = "https://crm.example.com/api".'
        yield Issue(("url",), "A REST CRM needs the address its paths stand behind.", remedy)
    yield from _auth(destination, rule)
    yield from _capabilities(destination, rule)
    yield from _parts(rule)
    for place, kind, call in calls(rule):
        yield from _call(place, call, names=NAMES[kind] | rule.parts.keys())
        yield from _needed(place, kind, call, rule=rule)
    for number, step in enumerate(rule.write):
        yield from _step(("rest", "write", number), step, destination=destination)
    if rule.feed is not None:
        yield from _feed(rule.feed, rule)


def calls(rule: RestRule) -> Iterator[tuple[Place, str, RestCall]]:
    for kind in ("find", "read", "create", "note", "feed"):
        call = getattr(rule, kind)
        if isinstance(call, RestCall):
            yield ("rest", kind), kind, call
    for number, step in enumerate(rule.write):
        yield ("rest", "write", number), "write", step


def texts(value: JsonValue, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text of a structure, keys as well."""
    match value:
        case str():
            yield place, value
        case list():
            for number, inner in enumerate(value):
                yield from texts(inner, (*place, number))
        case dict():
            for name, inner in value.items():
                yield place, name
                yield from texts(inner, (*place, name))
        case _:
            return


def used(value: JsonValue, rule: RestRule) -> frozenset[str]:
    """The names a structure is filled with, those behind its parts as well."""
    found: set[str] = set()
    for _, text in texts(value):
        found |= {slot.name for slot in _slots(text)}
    for name in found & rule.parts.keys():
        found |= used(rule.parts[name], rule.model_copy(update={"parts": {}}))
    return frozenset(found)


def used_by(call: RestCall, rule: RestRule) -> frozenset[str]:
    return used([call.path, call.query, dict(call.headers), call.body], rule)


def _slots(text: str) -> list[Slot]:
    try:
        return list(templates.slots(templates.parse(text)))
    except TemplateError:
        return []


def _template(place: Place, text: str, names: Collection[str]) -> Iterator[Issue]:
    try:
        templates.check(text, names)
    except TemplateError as error:
        yield Issue(place, error.what, error.remedy)


def _call(place: Place, call: RestCall, *, names: Collection[str]) -> Iterator[Issue]:
    if not call.path.startswith("/") or re.search(r"[\s#\x00-\x1f]", call.path):
        remedy = 'Begin it with a slash and leave out spaces and "#", as in "/orders/{id}".'
        yield Issue((*place, "path"), "This is not a path behind url.", remedy)
    yield from _template((*place, "path"), call.path, names)
    for name, value in call.query.items():
        yield from _parameter((*place, "query", name), value, names)
    for header, text in call.headers.items():
        yield from _template((*place, "headers", header), text, names)
    for inner, text in texts(call.body):
        yield from _template((*place, "body", *inner), text, names)
    method = getattr(call, "method", "")
    if method == "GET" and call.body is not None and place[1] not in {"write", "create"}:
        remedy = "Remove it, or choose another method."
        yield Issue((*place, "body"), "A GET carries no body.", remedy)
    if call.encoding != "json" and not isinstance(call.body, dict | str | None):
        remedy = 'Write { name = "{status}" }.'
        yield Issue((*place, "body"), "A form is a table of names and values.", remedy)


def _parameter(place: Place, value: JsonValue, names: Collection[str]) -> Iterator[Issue]:
    inner: list[JsonValue] = value if isinstance(value, list) else [value]
    if any(isinstance(each, dict | list) for each in inner):
        remedy = "Name the structure in parts and write its {name} here."
        yield Issue(place, "A parameter is text, a number, or a list of these.", remedy)
        return
    for _, text in texts(inner):
        yield from _template(place, text, names)


def _parts(rule: RestRule) -> Iterator[Issue]:
    for name, part in rule.parts.items():
        place: Place = ("rest", "parts", name)
        if name in ALL or re.fullmatch(r"[a-z][a-z_]*", name) is None:
            remedy = "Take lower-case letters and underscores, and no word with a meaning here."
            yield Issue(place, f"A part cannot be called {name!r}.", remedy)
        for inner, text in texts(part):
            yield from _template((*place, *inner), text, ALL)


def _needed(place: Place, kind: str, call: RestCall, *, rule: RestRule) -> Iterator[Issue]:
    mentioned = used_by(call, rule)
    need = NEEDS.get(kind)
    if need is not None and need not in mentioned:
        what = f"The call is the same for every record: it says {{{need}}} nowhere."
        yield Issue((*place, "path"), what, f"Place {{{need}}} in its path, query or body.")
    if kind == "write" and not mentioned & {"id", "key", "ref"}:
        what = "The call is the same for every record: it says {id} nowhere."
        yield Issue((*place, "path"), what, 'Place it, as in path = "/orders/{id}".')
    numbered = "key" in mentioned or ("record" in mentioned and rule.key_field)
    if kind == "create" and not numbered:
        what = "A record made so would not carry the merchant's number."
        yield Issue((*place, "body"), what, 'Place it, as in body = { number = "{key}" }.')
    if "token" in mentioned and not rule.record.token:
        remedy = 'Add it, as in record = { token = "header:ETag" }.'
        yield Issue(
            ("rest", "record"), "{token} is used, and record.token does not say it.", remedy
        )
    if "key_field" in mentioned and not rule.key_field:
        remedy = 'Add it, as in key_field = "number".'
        yield Issue(("rest",), "{key_field} is used, and key_field does not say it.", remedy)


def _step(place: Place, step: RestWrite, *, destination: Destination) -> Iterator[Issue]:
    rule = destination.rest
    assert rule is not None
    if step.method == "GET":
        yield Issue((*place, "method"), "A GET writes nothing.", "Write PUT, PATCH or POST.")
    if step.unless_shown and step.when != "status":
        remedy = 'Write when = "status" beside it.'
        yield Issue((*place, "unless_shown"), "Only a step of the status can be left out.", remedy)
    if "action" not in used_by(step, rule):
        return
    if step.when != "status":
        remedy = 'Write when = "status" beside it.'
        yield Issue((*place, "when"), "Without a status there is no {action}.", remedy)
    for status in sorted(set(destination.statuses.values()) - step.actions.keys()):
        what = f"There is no action for the status {status!r}."
        yield Issue((*place, "actions"), what, f'Add it, as in actions = {{ "{status}" = "…" }}.')


def _auth(destination: Destination, rule: RestRule) -> Iterator[Issue]:
    auth = rule.auth
    place: Place = ("rest", "auth")
    if auth.scheme in {"header", "hmac"} and auth.header is None:
        remedy = 'Add it, as in header = "X-Api-Key".'
        yield Issue((*place, "header"), f"{auth.scheme} needs the name of its header.", remedy)
    if auth.scheme == "hmac":
        yield from _signing(destination, rule)
    elif auth.scheme != "none" and destination.token is None and destination.oauth is None:
        remedy = 'Add token, or write auth = { scheme = "none" } in [destinations.NAME.rest].'
        yield Issue(("token",), "There is nothing to be let in with.", remedy)
    if destination.oauth is not None and auth.scheme != "bearer":
        remedy = 'Write scheme = "bearer", or remove oauth.'
        yield Issue((*place, "scheme"), "A token of oauth is shown as bearer.", remedy)
    if auth.scheme == "basic" and destination.token and b":" not in destination.token.reveal():
        remedy = "Mend the value the reference leads to: it is user:password."
        yield Issue(("token",), "There is no colon between user and password.", remedy)


def _signing(destination: Destination, rule: RestRule) -> Iterator[Issue]:
    if destination.secret is None:
        remedy = 'Add it, as in secret = "env:CRM_SECRET".'
        yield Issue(("secret",), "hmac needs a secret to sign with.", remedy)
    place: Place = ("rest", "auth", "signed")
    yield from _template(place, rule.auth.signed, SIGNED)
    if "{timestamp}" in rule.auth.signed and rule.auth.timestamp_header is None:
        remedy = 'Add it, as in timestamp_header = "X-Timestamp".'
        yield Issue(place, "The receiver does not learn the {timestamp} that is signed.", remedy)


def _capabilities(destination: Destination, rule: RestRule) -> Iterator[Issue]:
    if destination.on_missing == "create" and rule.create is None:
        remedy = 'Describe it in rest.create, or write "wait".'
        yield Issue(("on_missing",), "Nothing says how a record is made.", remedy)
    if destination.notes and rule.note is None:
        remedy = "Describe it in rest.note, or remove notes."
        yield Issue(("notes",), "Nothing says how a note is left.", remedy)
    if rule.idempotent and not any("idempotency_key" in used_by(step, rule) for step in rule.write):
        remedy = 'Place it, as in headers = { "Idempotency-Key" = "{idempotency_key}" }.'
        yield Issue(("rest", "idempotent"), "No step of write says {idempotency_key}.", remedy)


def _feed(feed: RestFeed, rule: RestRule) -> Iterator[Issue]:
    place: Place = ("rest", "feed")
    mentioned = used_by(feed, rule)
    if "since" not in mentioned:
        remedy = 'Place it, as in query = { updated_since = "{since}" }.'
        yield Issue(place, "The feed would list everything: it says {since} nowhere.", remedy)
    by = feed.paging.by
    if by == "cursor" and not feed.paging.next:
        remedy = 'Add it, as in next = "meta.next_cursor".'
        yield Issue((*place, "paging"), "Nothing says where the next cursor is.", remedy)
    if by != "link" and "cursor" not in mentioned:
        remedy = 'Place it, as in query = { page = "{cursor}" }.'
        yield Issue(place, "Every page would be the first: it says {cursor} nowhere.", remedy)
