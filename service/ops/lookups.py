"""Looking things up: filters and a page in, the bodies that API and command line share out."""

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from service.domain.events import Subject
from service.domain.lifecycle import Lifecycle
from service.domain.masking import Mask, mask_of
from service.store import lookups
from service.store.ids import first_id
from service.store.lookups import AnomalyFilter, EventFilter, EventRows, Row, SubjectFilter
from service.store.pool import Pool
from service.store.seals import PLAIN, Seals

Body = dict[str, Any]
Fields = Mapping[str, Sequence[str]]
"""By source: what is hidden of what it sends."""
NOBODY: Fields = {}

MOST_ITEMS = 200
USUAL_ITEMS = 50
PRIVATE_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
HIDDEN = "[hidden]"


class BadCursor(Exception):
    """The cursor did not come from the list it is given to."""


@dataclass(frozen=True, slots=True)
class Page:
    """How much to show, and after what: `next` of the page before."""

    limit: int = USUAL_ITEMS
    cursor: str | None = None


async def subjects(
    pool: Pool, wanted: SubjectFilter, page: Page, *, lifecycles: Mapping[str, Lifecycle]
) -> Body:
    after = _subject_place(page.cursor) if page.cursor else None
    everywhere = replace(wanted, lifecycles=tuple(lifecycles))
    rows = await lookups.subjects(pool, everywhere, after=after, limit=page.limit + 1)
    return _listed(
        rows,
        page,
        show=lambda row: subject_item(row, lifecycles),
        place=lambda row: [row["updated_at"].isoformat(), row["id"]],
    )


async def events(pool: Pool, wanted: EventFilter, page: Page, *, hidden: Fields = NOBODY) -> Body:
    before = _event_place(page.cursor) if page.cursor else None
    rows = await lookups.events(pool, wanted, before=before, limit=page.limit + 1)
    return _listed(
        rows,
        page,
        show=lambda row: _event_item(row, mask_of(hidden, row["source"])),
        place=lambda row: [str(row["id"])],
    )


AMONG = 20_000
"""Events that are looked through for the last ones of a source."""
SLACK = timedelta(minutes=2)
"""What the clocks of gateways, and a watch that looks once a minute, may be behind."""


async def recent(
    pool: Pool, source: str, *, heard: datetime | None, limit: int, hidden: Fields = NOBODY
) -> Body:
    """The last accepted events of a source; quick, whenever it was heard last.

    `heard` is when that was, as far as is known: the search begins there.
    """
    rows = await lookups.events(
        pool,
        EventFilter(source, among=AMONG),
        before=first_id(heard + SLACK) if heard is not None else None,
        limit=limit,
    )
    mask = mask_of(hidden, source)
    return {"items": [_event_item(row, mask) for row in rows], "next": None}


async def anomalies(pool: Pool, wanted: AnomalyFilter, page: Page) -> Body:
    before = _event_place(page.cursor) if page.cursor else None
    rows = await lookups.anomalies(pool, wanted, before=before, limit=page.limit + 1)
    return _listed(rows, page, show=_anomaly, place=lambda row: [str(row["id"])])


async def event(
    pool: Pool, event_id: UUID, *, sealing: Seals = PLAIN, hidden: Fields = NOBODY
) -> Body | None:
    """One event with the request it came in and the exchanges that carried it on."""
    found = await lookups.event(pool, event_id, sealing=sealing)
    return _event_body(found, mask_of(hidden, found.event["source"])) if found else None


def _listed(
    rows: Sequence[Row],
    page: Page,
    *,
    show: Callable[[Row], Body],
    place: Callable[[Row], list[object]],
) -> Body:
    """One page; a row was fetched beyond it to know whether there is a next one."""
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return {
        "items": [show(row) for row in shown],
        "next": encode_cursor(place(shown[-1])) if more else None,
    }


def encode_cursor(place: list[object]) -> str:
    return urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[object]:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", cursor):
        raise BadCursor
    try:
        place = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise BadCursor from None
    if not isinstance(place, list):
        raise BadCursor
    return place


def _subject_place(cursor: str) -> tuple[datetime, int]:
    match decode_cursor(cursor):
        case [str(at), int(row_id)] if not isinstance(row_id, bool) and 0 < row_id < 2**63:
            moment = _moment(at)
        case _:
            raise BadCursor
    return moment, row_id


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadCursor from None
    if moment.tzinfo is None:
        raise BadCursor
    return moment


def _event_place(cursor: str) -> UUID:
    match decode_cursor(cursor):
        case [str(text)]:
            try:
                return UUID(text)
            except ValueError:
                raise BadCursor from None
        case _:
            raise BadCursor


def subject_item(row: Row, lifecycles: Mapping[str, Lifecycle]) -> Body:
    """What a list tells of a subject, and a page of its own begins with."""
    known = lifecycles.get(row["lifecycle"])
    sentences = {alarm.flag: alarm.sentence for alarm in known.alarms} if known else {}
    merged = row.get("into_ref") is not None
    return {
        "subject": str(_name(row)),
        "lifecycle": row["lifecycle"],
        "scope": row["scope"],
        "ref": row["ref"],
        "status": row["status"],
        "version": row["version"],
        "flags": [{"flag": flag, "sentence": sentences.get(flag, "")} for flag in row["flags"]],
        "merged_into": str(_name(row, "into_")) if merged else None,
        "updated_at": row["updated_at"],
    }


def _event_item(row: Row, mask: Mask) -> Body:
    return {
        "id": str(row["id"]),
        "request_id": str(row["request_id"]),
        "source": row["source"],
        "dedupe_key": row["dedupe_key"],
        "subject": _about(row),
        "lifecycle": row["lifecycle"],
        "scope": row["scope"],
        "ref": row["ref"],
        "parcel": row["parcel"],
        "aliases": row["details"].get("aliases", []),
        "lane": row["lane"],
        "status": row["status"],
        "code": row["code"],
        "occurred_at": row["occurred_at"],
        "received_at": row["received_at"],
        "attributes": mask.attributes(row["attributes"]),
        "outcome": row["outcome"],
        "reason": row["reason"],
        "waiting": _waiting(row),
    }


def _about(row: Row) -> str | None:
    """The subject an event names, or the one that took it in."""
    if row["home_ref"] is not None:
        return str(_name(row, "home_"))
    return str(_name(row)) if row["ref"] is not None else None


def _waiting(row: Row) -> Body | None:
    """What an event waits for; past its deadline there is no `until`, but a link revives it."""
    if row["waits_for"] is None:
        return None
    return {"aliases": row["waits_for"], "until": row["waits_until"]}


def _anomaly(row: Row) -> Body:
    return {
        "id": str(row["id"]),
        "at": row["at"],
        "kind": row["kind"],
        "source": row["source"],
        "event_id": str(row["event_id"]) if row["event_id"] is not None else None,
        "subject": str(_name(row)) if row["ref"] is not None else None,
        "detail": row["detail"],
        "ended_at": row["ended_at"],
    }


def _event_body(found: EventRows, mask: Mask) -> Body:
    return {
        **_event_item(found.event, mask),
        "request": _request(found.request, mask) if found.request is not None else None,
        "attempts": [_attempt(row) for row in found.attempts],
    }


def _request(row: Row, mask: Mask) -> Body:
    """The request as it came, but for what lets another one in, and what tells of people."""
    return {
        "id": str(row["id"]),
        "received_at": row["received_at"],
        "peer": row["peer"],
        "method": row["method"],
        "path": _without_tail(row["path"]),
        "query": mask.query(row["query"]),
        "headers": _shown(row["headers"]),
        "erased_at": row["erased_at"],
        "size": len(row["body"]),
        "body_base64": b64encode(mask.body(row["body"])).decode(),
    }


def _without_tail(path: str) -> str:
    """The tail of the path may be the token that lets a sender in."""
    source, slash, tail = path.removeprefix("/webhooks/").partition("/")
    return f"/webhooks/{source}/{HIDDEN}" if slash and tail else path


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: HIDDEN if name.lower() in PRIVATE_HEADERS else value
        for name, value in headers.items()
    }


def _attempt(row: Row) -> Body:
    return {
        "at": row["at"],
        "destination": row["destination"],
        "version": row["version"],
        "operation": row["operation"],
        "class": row["class"],
        "http_status": row["http_status"],
        "ms": row["ms"],
        "detail": row["detail"],
    }


def _name(row: Row, prefix: str = "") -> Subject:
    return Subject(row[f"{prefix}lifecycle"], row[f"{prefix}scope"], row[f"{prefix}ref"])
