"""Rows written straight into the tables: what the road leaves behind, and what bugs would."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from service.domain.law import State
from service.store.ids import new_id
from service.store.pool import Connection

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def request(tx: Connection, **said: Any) -> UUID:
    """Store a request of source `shop`, unless told otherwise."""
    row: dict[str, Any] = {
        "id": new_id(),
        "source": "shop",
        "received_at": AT,
        "peer": "192.0.2.1",
        "method": "POST",
        "path": "/webhooks/shop",
        "query": "",
        "headers": {"content-type": "application/json"},
        "body": b'{"id":1}',
        **said,
    }
    await _insert(tx, "requests", row)
    return UUID(str(row["id"]))


async def event(tx: Connection, *places: str, **said: Any) -> UUID:
    """Store an event and the rows that put it into buckets: an outcome, `dead`, `pending`."""
    row: dict[str, Any] = {
        "id": new_id(),
        "request_id": new_id(),
        "source": "shop",
        "dedupe_key": "evt_1",
        "lifecycle": "order",
        "scope": "",
        "ref": "1001",
        "lane": "payment",
        "status": "paid",
        "code": "PAID",
        "occurred_at": AT,
        "received_at": AT + timedelta(seconds=1),
        "attributes": {"amount": "10.00"},
        "fate": "fold",
        "note": "",
        **said,
    }
    await _insert(tx, "events", row)
    for place in places:
        await put(tx, row["id"], place)
    return UUID(str(row["id"]))


async def put(tx: Connection, event_id: UUID, place: str) -> None:
    """Put an event, or an id that is none, into one more bucket."""
    if place == "pending":
        await _insert(tx, "outbox", {"event_id": event_id, "due_at": AT})
    elif place == "dead":
        await letter(tx, kind="event", event_id=event_id)
    else:
        why = f"it was {place}"
        await _insert(tx, "event_outcomes", {"event_id": event_id, "outcome": place, "reason": why})


async def letter(tx: Connection, **said: Any) -> None:
    row = {"id": new_id(), "reason": "unmapped", "summary": "The status is not known.", **said}
    await _insert(tx, "dead_letters", row)


async def subject(tx: Connection, **said: Any) -> int:
    """Store order 1001 at version 3, unless told otherwise; returns its row id."""
    row = {
        "lifecycle": "order",
        "scope": "",
        "ref": "1001",
        "status": "paid",
        "version": 3,
        "law": 1,
        "state": State.empty().to_json(),
        **said,
    }
    return int(await _insert(tx, "subjects", row, returning="id"))


async def sync(tx: Connection, subject_id: int, **said: Any) -> None:
    """Store a sync that is at rest: synced at the version that is owed."""
    row = {
        "subject_id": subject_id,
        "destination": "crm",
        "state": "synced",
        "desired_version": 3,
        "synced_version": 3,
        **said,
    }
    await _insert(tx, "syncs", row)


async def transition(
    tx: Connection, subject_id: int, *event_ids: UUID, version: int, **said: Any
) -> None:
    row = {
        "id": new_id(),
        "subject_id": subject_id,
        "version": version,
        "previous": "",
        "status": "paid",
        "lanes": {},
        "event_ids": list(event_ids),
        **said,
    }
    await _insert(tx, "transitions", row)


async def attempt(tx: Connection, subject_id: int, *, version: int, **said: Any) -> None:
    row = {
        "id": new_id(),
        "operation": "write",
        "subject_id": subject_id,
        "destination": "crm",
        "version": version,
        "class": "ok",
        "http_status": 200,
        "ms": 12,
        "detail": "",
        **said,
    }
    await _insert(tx, "attempts", row)


async def tally(tx: Connection, **said: Any) -> None:
    row = {"source": "shop", "process": new_id(), "day": AT.date(), **said}
    await _insert(tx, "request_tallies", row)


async def refusal(tx: Connection, **said: Any) -> None:
    row = {
        "id": new_id(),
        "source": "shop",
        "at": AT,
        "reason": "The signature is right but was made 3600 s before our clock.",
        "cause": "stale_clock",
        "peer": "192.0.2.7",
        "method": "POST",
        "header_names": ["x-signature"],
        "body_sha256": bytes(32),
        "body_bytes": 8,
        "skew": timedelta(hours=-1),
        **said,
    }
    await _insert(tx, "refusals", row)


async def capture(tx: Connection, **said: Any) -> None:
    row = {
        "source": "shop",
        "received_at": AT,
        "peer": "192.0.2.7",
        "method": "POST",
        "path": "/webhooks/shop",
        "query": "",
        "headers": [["x-signature", "00ff"]],
        "body": b"{}",
        "weight": 40,
        **said,
    }
    await _insert(tx, "captures", row)


async def alias(tx: Connection, subject_id: int, **said: Any) -> None:
    """Have the shop say that a subject goes by the tracking number 123, unless told otherwise."""
    row = {
        "lifecycle": "order",
        "type": "tracking:cdek",
        "value": "123",
        "subject_id": subject_id,
        "kind": "source",
        "claimant": "shop",
        **said,
    }
    await _insert(tx, "aliases", row)


async def waiting(tx: Connection, event_id: UUID, **said: Any) -> None:
    row = {
        "event_id": event_id,
        "lifecycle": "order",
        "type": "tracking:cdek",
        "value": "123",
        "deadline_at": AT + timedelta(days=7),
        **said,
    }
    await _insert(tx, "waiting", row)


async def correction(tx: Connection, subject_id: int, **said: Any) -> int:
    row = {
        "subject_id": subject_id,
        "lane": "payment",
        "status": "paid",
        "reason": "I saw the money.",
        "actor": "anna",
        **said,
    }
    return int(await _insert(tx, "corrections", row, returning="id"))


async def anomaly(tx: Connection, **said: Any) -> None:
    row = {
        "id": new_id(),
        "kind": "alias_conflict",
        "source": "shop",
        "detail": "tracking:cdek=123 leads to two orders.",
        **said,
    }
    await _insert(tx, "anomalies", row)


async def _insert(tx: Connection, table: str, row: dict[str, Any], returning: str = "") -> Any:
    names = ", ".join(row)
    values = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    statement = f"INSERT INTO {table} ({names}) VALUES ({values})"
    if returning:
        return await tx.fetchval(f"{statement} RETURNING {returning}", *row.values())
    return await tx.execute(statement, *row.values())
