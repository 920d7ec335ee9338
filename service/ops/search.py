"""Any number or name of an order in, the orders it leads to out."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from service.domain.events import Subject
from service.domain.lifecycle import Lifecycle
from service.ops.lookups import Body, subject_item
from service.store import search
from service.store.pool import Pool
from service.store.search import Row, Wanted

MOST_HITS = 50
ROWS = 100
"""Several names may lead to one order."""
LAST = chr(0x10FFFF)


async def find(pool: Pool, text: str, *, lifecycles: Mapping[str, Lifecycle]) -> Body:
    """Answer what GET /subjects?q= answers: exact hits, or else what begins so.

    The text is an order number, another name (a tracking number, a payment id) with or without its
    type, the id of a record at a destination, or that of an event.
    """
    found = await search.find(pool, read(text, lifecycles), limit=ROWS)
    return {
        "items": _items(found.hits, lifecycles)[:MOST_HITS],
        "next": None,
        "exact": found.exact,
        "event_id": str(found.event_id) if found.event_id else None,
        "waiting": [_waiting(row) for row in found.waiting[:MOST_HITS]],
    }


def read(text: str, lifecycles: Iterable[str]) -> Wanted:
    """What somebody typed, as everything that it may be."""
    text = text.strip()
    type_, equals, value = text.partition("=")
    typed = bool(equals and type_.strip() and value.strip())
    bare = value.strip() if typed else text.removeprefix("#").strip() or text
    spelled = (
        [bare, bare.upper(), bare.lower()] if typed else [bare, text, bare.upper(), bare.lower()]
    )
    return Wanted(
        values=list(dict.fromkeys(spelled)),
        type=type_.strip() if typed else None,
        names=[] if typed else _names(text, lifecycles),
        event_id=None if typed else _uuid(text),
        between=_between(bare),
    )


def _names(text: str, lifecycles: Iterable[str]) -> list[Subject]:
    """`order/1001`, `order/shop-eu:1001` and `shop-eu:1001`."""
    lifecycle, slash, rest = text.partition("/")
    if not slash or lifecycle not in set(lifecycles):
        lifecycle, rest = "", text
    scope, colon, ref = rest.partition(":")
    scoped = [Subject(lifecycle, scope, ref)] if colon and ref else []
    return [*scoped, Subject(lifecycle, "", rest)] if lifecycle else scoped


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _between(prefix: str) -> tuple[str, str] | None:
    """The texts that begin so, as bounds of an index: up to where another last letter stands."""
    stem = prefix.rstrip(LAST)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:
        following = 0xE000  # what lies between is no letter
    return prefix, stem[:-1] + chr(following)


def _items(hits: Sequence[Row], lifecycles: Mapping[str, Lifecycle]) -> list[Body]:
    """Each order once, with the first name that led to it."""
    items: dict[int, Body] = {}
    for row in hits:
        if row["id"] not in items:
            by = {name: row[name] for name in ("by", "type", "value")}
            items[row["id"]] = {**subject_item(row, lifecycles), "found": by}
    return list(items.values())


def _waiting(row: Row) -> Body:
    return {
        "event_id": str(row["event_id"]),
        "source": row["source"],
        "lifecycle": row["lifecycle"],
        "alias": {"type": row["type"], "value": row["value"]},
        "lane": row["lane"],
        "status": row["status"],
        "received_at": row["received_at"],
        "until": row["deadline_at"],
    }
