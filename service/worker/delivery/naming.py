"""Ids of records that were learned: claimed as names of their subjects, by which events find them.

A source that passes on what happens in a CRM knows the record's id and nothing else.
"""

from collections.abc import Iterable, Mapping

from service.domain import names
from service.domain.names import Claim, Conflict, Name
from service.settings import Destination
from service.store import aliases, writing
from service.store.pool import Connection
from service.store.writing import Contradiction, Writes
from service.worker.delivery import errands
from service.worker.delivery.errands import Errand

LONGEST = 256


def learned(done: Iterable[Errand]) -> dict[Name, int]:
    """The subjects whose record was not known before, by the name of the record."""
    found: dict[Name, int] = {}
    for errand in done:
        remote_id = errands.remote_id(errand)
        if remote_id and remote_id != errand.owed.remote_id and len(remote_id) <= LONGEST:
            kind = f"record:{errand.owed.lease.destination}"
            found[Name(errand.owed.subject.lifecycle, kind, remote_id)] = errand.subject_id
    return found


async def lock(tx: Connection, named: Mapping[Name, int]) -> None:
    """Before anything else is locked, as everybody does who changes claims."""
    await aliases.lock_names(tx, named)


async def claim(tx: Connection, named: Mapping[Name, int], rule: Destination) -> None:
    """Claim locked names; events that waited for them are owed to the fold again."""
    if not named:
        return
    before = await aliases.book(tx, named)
    claimed = {
        Claim(name, subject, "destination", rule.name)
        for name, subject in named.items()
        if not _is_decided(before[name], subject)
    }
    after = {name: before[name] | {each for each in claimed if each.name == name} for name in named}
    changes = names.changed(before, after)
    conflicts = [
        Contradiction(
            rule.name,
            None,
            named[name],
            f"{name} leads to {len(now.subjects)} subjects: one record there, several here.",
        )
        for name, (_, now) in changes.items()
        if isinstance(now, Conflict)
    ]
    await writing.write(
        tx,
        Writes(claimed=claimed, released=names.released(changes), contradictions=conflicts),
    )


def _is_decided(said: Iterable[Claim], subject: int) -> bool:
    """Claimed already, or an operator took it back."""
    known = list(said)
    others = {claim.subject for claim in known if claim.kind != "denial"}
    return any(claim.subject == subject for claim in known) or len(others) >= names.MOST_SUBJECTS
