"""One thing that a person should look at: what it is and of what in, its sentence out.

Sentences are translated where they are shown, so they come with what is to be filled in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from service.domain.verdict import Reason

Tone = Literal["bad", "warn"]
Place = Literal["ledger", "source", "destination", "dead", "spools"]

Said = str | int | datetime


class Kind(StrEnum):
    """In the order in which they are told."""

    UNBALANCED = "unbalanced"
    FAILING = "failing"
    PAUSED = "paused"
    DEAD = "dead"
    SILENT = "silent"
    LATE_EVENTS = "late_events"
    LATE_SYNCS = "late_syncs"
    SPOOL_SILENT = "spool_silent"
    SPOOL_FULL = "spool_full"
    REFUSED = "refused"
    STRANGERS = "strangers"
    HELD = "held"
    CONFLICTS = "conflicts"
    LATE_LOOKUPS = "late_lookups"
    SPENT = "spent"
    NO_RECORD = "no_record"
    PAUSED_BY_HAND = "paused_by_hand"


BAD = frozenset(
    {Kind.UNBALANCED, Kind.FAILING, Kind.PAUSED, Kind.DEAD, Kind.SILENT, Kind.SPOOL_SILENT}
)
SAYS: Mapping[Kind, tuple[str, str]] = {
    Kind.UNBALANCED: (
        "The ledger does not balance: %(count)s row is out of place.",
        "The ledger does not balance: %(count)s rows are out of place.",
    ),
    Kind.FAILING: ("%(name)s does not answer since %(since)s: %(why)s", ""),
    Kind.PAUSED: ("%(name)s is paused since %(since)s until a person acts: %(why)s", ""),
    Kind.DEAD: (
        "%(count)s dead letter of %(name)s: %(cause)s",
        "%(count)s dead letters of %(name)s: %(cause)s",
    ),
    Kind.SILENT: ("%(name)s is silent since %(since)s, longer than it ever was.", ""),
    Kind.LATE_EVENTS: (
        "%(count)s accepted event waits to be applied, since %(since)s.",
        "%(count)s accepted events wait to be applied, the oldest since %(since)s.",
    ),
    Kind.LATE_SYNCS: (
        "%(count)s order waits for %(name)s, since %(since)s.",
        "%(count)s orders wait for %(name)s, the oldest since %(since)s.",
    ),
    Kind.SPOOL_SILENT: (
        "%(name)s is not heard since %(since)s: its spool may hold requests that nobody counts.",
        "",
    ),
    Kind.SPOOL_FULL: (
        "The spool of %(name)s holds %(count)s request, so the ledger is incomplete.",
        "The spool of %(name)s holds %(count)s requests, so the ledger is incomplete.",
    ),
    Kind.REFUSED: (
        "%(count)s request of %(name)s was refused in the last ten minutes: %(cause)s.",
        "%(count)s requests of %(name)s were refused in the last ten minutes: %(cause)s.",
    ),
    Kind.STRANGERS: (
        "%(count)s request came to an address that no source has, in the last ten minutes.",
        "%(count)s requests came to addresses that no source has, in the last ten minutes.",
    ),
    Kind.HELD: (
        "A person changed %(count)s record in %(name)s: decide whose word counts.",
        "A person changed %(count)s records in %(name)s: decide whose word counts.",
    ),
    Kind.CONFLICTS: (
        "%(count)s thing that %(name)s said contradicts another.",
        "%(count)s things that %(name)s said contradict others.",
    ),
    Kind.LATE_LOOKUPS: (
        "%(count)s look-up at a sender is owed, since %(since)s.",
        "%(count)s look-ups at senders are owed, the oldest since %(since)s.",
    ),
    Kind.SPENT: ("%(percent)s %% of what %(name)s grants is used up (%(limit)s).", ""),
    Kind.NO_RECORD: (
        "%(count)s order has no record in %(name)s yet.",
        "%(count)s orders have no record in %(name)s yet.",
    ),
    Kind.PAUSED_BY_HAND: ("%(by)s paused %(name)s at %(since)s: %(why)s", ""),
}
"""For one, and for several; where it is never counted there is only one."""

CAUSES: Mapping[str, str] = {
    Reason.UNREADABLE: "the body could not be read",
    Reason.UNMAPPED: "a word that the source does not map",
    Reason.UNRESOLVED_SUBJECT: "nobody knows which order it is about",
    Reason.LOOKUP_FAILED: "the sender would not tell its state",
    Reason.POISON: "folding it fails each time",
    Reason.REFUSED: "the change is refused",
    Reason.NOT_FOUND: "there is no such record",
    Reason.AMBIGUOUS_RECORD: "several records carry the number",
    Reason.NOT_CONFIGURED: "it is not configured for that",
    Reason.GONE: "the address is gone for good",
    Reason.RETRIES_EXHAUSTED: "every attempt failed",
    Reason.UNKNOWN_OUTCOME: "nobody knows whether it arrived",
    "unknown_source": "there is no such source",
    "wrong_address": "from an address that may not send",
    "stale_clock": "signed too long ago, or a clock is wrong",
    "missing": "the signature is missing",
    "repeated": "a header came twice",
    "unknown_key": "signed with a key that is not known",
    "wrong_secret": "the signature is wrong",
    "malformed": "the signature cannot be read",
}
"""Why letters are dead and requests refused, short."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One sentence, and where to read on."""

    kind: Kind
    place: Place
    about: str = ""
    """The source or destination; of a spool the gateway."""
    said: Mapping[str, Said] = field(default_factory=dict)
    count: int = 1
    queue: tuple[str, str, str] | None = None
    """Of dead letters: kind, destination, reason."""

    @property
    def tone(self) -> Tone:
        return "bad" if self.kind in BAD else "warn"

    @property
    def sentence(self) -> str:
        one, many = SAYS[self.kind]
        said = {name: _plain(value) for name, value in self.said.items()}
        return (many if many and self.count != 1 else one) % {"count": self.count, **said}


def _plain(value: Said) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)
