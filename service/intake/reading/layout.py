"""The requests of one kind of sender as data: where things stand, and what its words mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, Union

from service.intake.reading.bodies import Format
from service.intake.reading.money import Amount, Spelling

Told: TypeAlias = Union[str, "Branch"]
"""What a word means: `lane.status`, `facts` (only details), `look up`, `ignore: why`, or which
other word decides."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Another word decides. `absent` is what it means that there is none; empty: unmapped."""

    place: str
    told: Mapping[str, Told]
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Says:
    """One thing an event says: the place of its word, and what each word means.

    Words outside `ours` (prefixes) are no concern of ours and ignored; empty: every word is ours,
    and one that is not in `told` is unmapped. A word is looked up as it stands, then in capitals.
    """

    place: str
    told: Mapping[str, Told]
    ours: tuple[str, ...] = ()
    absent: str = ""
    called: str = ""
    """What people are told the word is, where its place would not tell them: `code of a scan`."""


@dataclass(frozen=True, slots=True)
class MoneyAt:
    """Where an amount that moved stands; `when` names words of the code for which it is read."""

    kind: Literal["paid", "refunded", "charged_back"]
    amount: str
    """Also an amount itself, in single quotes: `'0'` where a refund failed."""
    currency: str = ""
    """The place of its currency; or the currency itself, in single quotes."""
    id: str = ""
    spelling: Spelling = "major"
    when: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    """Where the words stand that `when` speaks of, joined by colons; none: the code."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in the requests of one kind of sender.

    A place is `header:NAME`, `query:NAME`, `tail`, `body:sha256` (which names events that have no
    id), or a JMESPath into the item; where a request carries several items, the whole document is
    under `root`.
    """

    title: str
    says: tuple[Says, ...]
    """The word of the first one is the event's code; each makes a statement of its own."""
    ref: str
    key: tuple[str, ...] = ()
    """Places that together name the event, the time it happened among them if it has no id; none:
    the whole body does."""
    form: Format = "json"
    items: str = ""
    inner: tuple[str, ...] = ()
    """Lists within each item, from outside in: their members are then the events, each with the
    item around it under `up`."""
    when: str = ""
    zone: str = ""
    """The zone of times that carry none, where the source does not set one."""
    lifecycle: str = "order"
    parcel: str = ""
    returns: str = ""
    """Says, by anything but null and false, that the parcel goes back."""
    reason: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    amounts: Mapping[str, Amount] = field(default_factory=dict)
    money: tuple[MoneyAt, ...] = ()
    author: str = ""
    """Who made the change; where that is the option `own_user`, it is our own write come back."""
    lookup: tuple[str, str] | None = None
    """For `look up`: the kind of the object, and the place of its id."""
