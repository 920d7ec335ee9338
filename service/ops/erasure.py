"""A person asks to be forgotten: a subject in; its requests and attributes are blanked."""

from service.domain.events import Subject
from service.ops.decisions import Hand, open_subject, record, unknown
from service.ops.lookups import Body
from service.store import dossiers, erasure
from service.store.pool import transaction

COUNTED = ("amount", "currency")
"""Attributes that the law counts with, and that tell of nobody."""


async def erase(hand: Hand, name: Subject, *, reason: str) -> Body:
    """Blank what events of a subject told, in the database; statuses and counts stay.

    No new version is made and nothing is owed: what was sent to destinations stays there. Requests
    that told of several subjects are blanked as a whole.
    """
    row_id = await _find(hand, name)
    async with transaction(hand.pool) as tx:
        found = await erasure.lock(tx, row_id)
        row = await open_subject(tx, hand, name)
        done = await erasure.blank(tx, row.id, found, but=COUNTED)
        said = {"reason": reason, "requests": done.requests, "events": done.events}
        await record(tx, hand, "erase", target=name, detail=said)
    return {"subject": str(name), **said}


async def _find(hand: Hand, name: Subject) -> int:
    found = await dossiers.read(hand.pool, name)
    if found is None:
        raise unknown(name)
    return int(found.subject["id"])
