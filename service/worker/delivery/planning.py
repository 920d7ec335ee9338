"""Owed syncs come in; what must be asked before they can be written, or their end, comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.domain import drift
from service.domain.verdict import DeadLetter, Done, Reason
from service.settings import Destination
from service.store.syncs import Owed
from service.worker import sync, wording
from service.worker.crms.base import Answer, Class, Crm, Record, Target
from service.worker.delivery import cleaning, errands
from service.worker.delivery.errands import Errand, Step
from service.worker.sync import Hold
from service.worker.tickets import Ticket

Targets = Mapping[str, Target]


def begin(
    owed: Owed, ticket: Ticket, *, rule: Destination, crm: Crm, targets: Targets | None
) -> Errand:
    """Put a change into the words of the destination; one that cannot be is dead.

    `targets` are those of a CRM that keeps records; any other is told.
    """
    change = sync.change(owed)
    if targets is None:
        write = wording.told(change)
        return Errand(owed, change, ticket, write, hash=wording.digest(write))
    said = wording.worded(change, rule, targets)
    if isinstance(said, Answer):
        errand = Errand(owed, change, ticket, wording.told(change))
        summary = f"{rule.name} cannot be told of {owed.subject}: {said.detail}"
        errand.end = DeadLetter(Reason.NOT_CONFIGURED, summary)
        return errand
    readable = not crm.capabilities.idempotent
    return Errand(
        owed,
        change,
        ticket,
        replace(said, remote_id=owed.remote_id),
        shown=wording.shown(said),
        hash=wording.digest(said),
        verify=owed.verify if readable else 0,
        readable=readable,
        keeps=True,
    )


def first(errand: Errand, *, rule: Destination, crm: Crm) -> Step:
    """What to do with it, by what is known without asking."""
    if errand.end is not None:
        return Step.NOTHING
    if not errand.keeps:
        return _told(errand, rule)
    if _stands(errand):
        errand.end = Done()
        return Step.NOTHING
    if _must_look(errand, rule=rule, crm=crm):
        return Step.READ if errand.write.remote_id else Step.FIND
    if errand.write.remote_id or crm.capabilities.keyed:
        _conditional(errand, rule=rule, crm=crm)
        return Step.WRITE
    return Step.FIND


def found(errand: Errand, records: Sequence[Record], *, rule: Destination, crm: Crm) -> Step:
    """Go on with the records that carry its number: one is it, none or many are told apart."""
    match list(records):
        case [record]:
            errand.forget = False
            return compared(errand, record, rule=rule, crm=crm)
        case []:
            return _missing(errand, rule=rule, crm=crm)
        case many:
            ids = ", ".join(drift.short(record.remote_id) for record in many[:5])
            errand.end = DeadLetter(
                Reason.AMBIGUOUS_RECORD,
                f"{len(many)} records of {rule.name} carry {errand.write.key} ({ids}): "
                f"merge them there, then redrive.",
            )
            return Step.NOTHING


def counted(errand: Errand, records: Sequence[Record], *, rule: Destination) -> Answer:
    """A search as an exchange: that nothing was found is an answer, too."""
    if records:
        return Answer(Class.OK, "find")
    detail = f"{rule.name} has no record with the number {drift.short(errand.write.key)}."
    return Answer(Class.NOT_FOUND, "find", detail=detail)


def compared(errand: Errand, record: Record, *, rule: Destination, crm: Crm) -> Step:
    """Go on with the record as it is: what it shows already is not written again."""
    errand.record = record = cleaning.record(record)
    errand.write = replace(errand.write, remote_id=record.remote_id, create=False)
    owed = errand.owed
    seen = drift.compare(
        errand.shown,
        errands.seen(errand),
        written=owed.written,
        intents=owed.intents,
        by_us=record.by_us,
    )
    errand.differs = bool(seen.differences)
    if not seen.differences:
        errand.end = Done()
    elif rule.shadow:
        errand.end = _in_shadow(errand, dict(seen.differences), rule)
    elif seen.by_person and rule.conflict == "respect" and not owed.overrule:
        errand.end = _by_person(dict(seen.differences), sorted(seen.by_person), rule)
    if errand.end is not None:
        return Step.NOTHING
    if crm.capabilities.conditional:
        errand.write = replace(errand.write, token=record.token)
    return Step.WRITE


def gone(errand: Errand) -> Step:
    """The id that was known leads nowhere: look for the record by its number, once."""
    errand.forget = True
    errand.write = replace(errand.write, remote_id=None, token=None)
    return Step.FIND


def _told(errand: Errand, rule: Destination) -> Step:
    if not rule.shadow:
        return Step.WRITE
    status = drift.Difference(ours=errand.owed.status, theirs=errand.owed.previous)
    errand.end = _in_shadow(errand, {"status": status}, rule)
    return Step.NOTHING


def _stands(errand: Errand) -> bool:
    """Whether what we wrote last says the same, and nothing casts a doubt on it."""
    owed = errand.owed
    if not errand.shown:
        return True
    return (
        owed.written_hash == errand.hash
        and owed.synced_version > 0  # a restored database may have forgotten later writes
        and not errand.verify
        and owed.attempts == 0
        and owed.held_for is None
    )


def _must_look(errand: Errand, *, rule: Destination, crm: Crm) -> bool:
    owed = errand.owed
    if errand.verify or rule.shadow:
        return True
    if owed.held_for is not None and not owed.overrule:
        return True
    if rule.conflict != "respect" or owed.overrule:
        return False
    guarded = crm.capabilities.conditional and owed.remote_token is not None
    return owed.written is None or not guarded


def _conditional(errand: Errand, *, rule: Destination, crm: Crm) -> None:
    """Where people are respected, write only onto what we left there."""
    if rule.conflict == "respect" and not errand.owed.overrule and crm.capabilities.conditional:
        errand.write = replace(errand.write, token=errand.owed.remote_token)
    _maybe_create(errand, rule=rule, crm=crm)


def _maybe_create(errand: Errand, *, rule: Destination, crm: Crm) -> None:
    creates = rule.on_missing == "create" and crm.capabilities.creates
    if creates and errand.write.remote_id is None:
        errand.write = replace(errand.write, create=True)


def _missing(errand: Errand, *, rule: Destination, crm: Crm) -> Step:
    errand.write = replace(errand.write, remote_id=None, token=None)
    errand.differs = True
    _maybe_create(errand, rule=rule, crm=crm)
    if not errand.write.create:
        return Step.NOTHING
    if rule.shadow:
        made = {
            name: drift.Difference(ours=value, theirs=None) for name, value in errand.shown.items()
        }
        errand.end = _in_shadow(errand, made, rule)
        return Step.NOTHING
    return Step.WRITE


def _in_shadow(errand: Errand, difference: dict[str, drift.Difference], rule: Destination) -> Hold:
    summary = f"{rule.name} is in shadow: nothing was written to {drift.spoken(difference)}."
    errand.answers.append((Answer(Class.OK, "shadow", detail=summary), 0))
    return Hold("shadow", difference, summary)


def _by_person(
    difference: dict[str, drift.Difference], fields: Sequence[str], rule: Destination
) -> Hold:
    theirs = {name: difference[name] for name in fields}
    summary = (
        f"A person changed it at {rule.name} ({drift.spoken(theirs)}): decide which stands, "
        f"or set it there to what it should be."
    )
    return Hold("person", difference, summary)
