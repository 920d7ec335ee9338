"""One owed sync on its way to a destination: what is known of it, from its lease to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from service.domain.drift import Shown
from service.domain.verdict import DeadLetter, Done, Retry
from service.store.syncs import Intent, Left, Owed, Settled
from service.worker.crms.base import Answer, Change, Class, Known, Record, Wanted, Write
from service.worker.sync import End, Hold
from service.worker.tickets import Ticket

MOST_INTENTS = 4
REFUSED = frozenset(
    {
        Class.RATE,
        Class.AUTH,
        Class.CONFLICT,
        Class.NOT_FOUND,
        Class.PERMANENT,
        Class.GONE,
        Class.HUMAN,
    }
)
"""How a write ends that had no effect for certain."""
SLOW = (Class.RATE, Class.TRANSIENT, Class.UNKNOWN_OUTCOME)
"""What is tried again ever more seldom, though it may count no attempt."""


class Step(StrEnum):
    """What comes next on an errand."""

    FIND = "find"
    READ = "read"
    WRITE = "write"
    NOTHING = "nothing"
    """It has ended."""


@dataclass(slots=True)
class Errand:
    """Made from rows; filled in as it goes."""

    owed: Owed
    change: Change
    ticket: Ticket
    write: Write
    shown: Shown = field(default_factory=dict)
    """What the record would show; nothing where no records are kept."""
    hash: bytes = b""
    verify: int = 0
    """What is owed to an uncertain past: see `Owed`; 0 where a write may simply be repeated."""
    keeps: bool = False
    """Whether the destination keeps records."""
    readable: bool = False
    """Whether a lost answer is found out by reading."""
    record: Record | None = None
    """As it was found or read on this errand."""
    differs: bool = False
    forget: bool = False
    """The id that was known leads to no record any more."""
    sent: bool = False
    """A call was made that may have written it."""
    step: Step = Step.NOTHING
    answers: list[tuple[Answer, int]] = field(default_factory=list)
    """Every exchange about it, and how many milliseconds it took."""
    end: End | None = None

    @property
    def subject_id(self) -> int:
        return self.owed.lease.subject_id

    @property
    def last(self) -> Answer | None:
        return self.answers[-1][0] if self.answers else None

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.write.target, self.write.key, tuple(self.write.fields))

    def known(self, remote_id: str) -> Known:
        return Known(self.write.target, remote_id, tuple(self.write.fields))


def intent(errand: Errand) -> Intent:
    """What is stored before it is sent."""
    return Intent(
        errand.owed.lease,
        errand.owed.version,
        errand.hash,
        errand.change.key,
        shown=_intents(errand),
        found=_with(errand, seen(errand)) if errand.record else None,
        remote_id=errand.write.remote_id,
    )


def seen(errand: Errand) -> Shown:
    """What the record showed, in the same words as what it should show."""
    if errand.record is None:
        return {}
    return {**errand.record.fields, errand.write.target.status_field: errand.record.status}


def remote_id(errand: Errand) -> str | None:
    """The id of its record, as far as it is known at its end."""
    told = errand.last.remote_id if errand.sent and errand.last else None
    return told or errand.write.remote_id


def settled(errand: Errand) -> Settled:
    """The destination shows it: it was written, or it was so already."""
    owed, answer = errand.owed, errand.last
    told = answer if errand.sent else None
    return Settled(
        owed.lease,
        owed.version,
        owed.status,
        remote_id=remote_id(errand),
        token=told.token if told else _token(errand),
        written=_with(errand, errand.shown) if errand.shown else owed.written,
        hash=errand.hash if errand.shown else owed.written_hash,
        again=_again(errand),
    )


def left(errand: Errand) -> Left:
    """It does not show it yet; the end of the errand says what happens next."""
    owed, answer = errand.owed, errand.last
    kind = answer.kind if answer else None
    row = Left(
        owed.lease,
        owed.version,
        "no_record" if kind is Class.NOT_FOUND else "pending",
        differs=errand.differs,
        error=answer.detail if answer and answer.detail else None,
        unsure=errand.readable and errand.sent and kind is Class.UNKNOWN_OUTCOME,
        sent=errand.sent,
        shown=_intents(errand) if errand.sent else owed.intents,
        remote_id=errand.write.remote_id,
        token=None if kind is Class.CONFLICT else _token(errand),
        forget=errand.forget,
    )
    match errand.end:
        case Retry(after, free):
            slow = kind in SLOW and answer is not None and answer.tried
            return replace(row, delay=after, counted=not free, failing=slow or not free)
        case Hold(why, difference, summary):
            return replace(
                row,
                state="held",
                counted=False,
                failing=False,
                token=None,  # it is the token of what a person left there
                error=summary,
                held_for=why,
                difference=difference,
            )
        case DeadLetter() as letter:
            return replace(row, state="dead", error=letter.summary, letter=letter)
        case Done() | None:
            raise AssertionError("what is done is not left")
        case _:
            assert_never(errand.end)


def doubtful(errand: Errand) -> Shown | None:
    """What may have been written though somebody else has the sync by now."""
    return errand.shown if errand.readable and errand.sent else None


def _intents(errand: Errand) -> list[Shown]:
    """The newest first; those before it may still be on their way, too."""
    if not errand.shown:
        return []
    older = [each for each in errand.owed.intents if each != errand.shown]
    return [errand.shown, *older][:MOST_INTENTS]


def _with(errand: Errand, shown: Shown) -> Mapping[str, str | None]:
    return {**(errand.owed.written or {}), **shown}


def _token(errand: Errand) -> str | None:
    return errand.record.token if errand.record else errand.owed.remote_token


def _again(errand: Errand) -> bool:
    """A call of somebody else may still arrive: it cannot undo what is read after it."""
    if errand.verify == 1:
        return True
    newer = errand.owed.version > errand.owed.synced_version
    return errand.verify > 1 and errand.sent and newer
