"""Exchanges with outside systems: a filter and a page in, the body for API and command line out."""

from uuid import UUID

from service.ops.lookups import BadCursor, Body, Page, decode_cursor, encode_cursor
from service.store import attempts
from service.store.attempts import AttemptFilter, Row
from service.store.pool import Pool
from service.worker.crms.base import Class

ERRORS = tuple(each.value for each in Class if each is not Class.OK)


async def listed(pool: Pool, wanted: AttemptFilter, page: Page) -> Body:
    """Answer what GET /attempts answers."""
    before = _place(page.cursor) if page.cursor else None
    rows = await attempts.page(pool, wanted, before=before, limit=page.limit + 1)
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return {
        "items": [_item(row) for row in shown],
        "next": encode_cursor([str(shown[-1]["id"])]) if more else None,
    }


def _item(row: Row) -> Body:
    return {
        "id": str(row["id"]),
        "at": row["at"],
        "subject": attempts.name(row),
        "destination": row["destination"],
        "version": row["version"],
        "operation": row["operation"],
        "success": row["class"] == Class.OK,
        "class": row["class"],
        "http_status": row["http_status"],
        "ms": row["ms"],
        "detail": row["detail"],
    }


def _place(cursor: str) -> UUID:
    match decode_cursor(cursor):
        case [str(text)]:
            try:
                return UUID(text)
            except ValueError:
                raise BadCursor from None
        case _:
            raise BadCursor
