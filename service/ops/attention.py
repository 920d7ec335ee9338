"""What a person should look at: a look and the ledger in, the worst things first out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from service.ops import now
from service.ops.concern import BAD, CAUSES, Concern, Kind, Said
from service.ops.lookups import Body
from service.ops.now import Dead, Destination, Look, Source
from service.ops.sources import Configured
from service.store.pool import Pool

LATE_EVENT = 60.0
LATE_SYNC = 300.0
"""Seconds after which what waits is told of; a retry or two may pass by without."""
NEARLY_SPENT = 0.9
MOST = 40
MOST_SENTENCES_OF_LETTERS = 12
EVENTS = "events"


def concerns(look: Look, ledger: Body | None) -> Sequence[Concern]:
    """The worst first."""
    order = {kind: place for place, kind in enumerate(Kind)}
    found = sorted(_all(look, ledger), key=lambda one: (one.kind not in BAD, order[one.kind]))
    return found[:MOST]


def _all(look: Look, ledger: Body | None) -> Iterator[Concern]:
    if ledger is not None and not ledger["balanced"] and not ledger["incomplete"]:
        count = len(ledger["misplaced"])
        yield Concern(Kind.UNBALANCED, "ledger", count=count)
    elif ledger is not None and ledger["misplaced"]:
        yield Concern(Kind.UNBALANCED, "ledger", count=len(ledger["misplaced"]))
    yield from _letters(look.dead)
    for source in look.sources:
        yield from _of_source(source)
    for destination in look.destinations:
        yield from _of_destination(destination, look)
    yield from _of_all(look)
    yield from _of_spools(look.spools)


def _letters(dead: Sequence[Dead]) -> Iterator[Concern]:
    most = sorted(dead, key=lambda one: -one.letters)[:MOST_SENTENCES_OF_LETTERS]
    for one in most:
        name = one.destination or EVENTS
        cause = CAUSES.get(one.reason, one.reason)
        yield Concern(
            Kind.DEAD,
            "dead",
            about=one.destination or "",
            said={"name": name, "cause": cause},
            count=one.letters,
            queue=(one.kind, one.destination or "", one.reason),
        )


def _of_source(source: Source) -> Iterator[Concern]:
    name = source.name
    if source.silent_since is not None:
        said: dict[str, Said] = {"name": name, "since": source.silent_since}
        yield Concern(Kind.SILENT, "source", about=name, said=said)
    if source.refused:
        count = sum(one.requests for one in source.refused)
        cause = source.refused[0].cause
        told = {"name": name, "cause": CAUSES.get(cause, cause)}
        yield Concern(Kind.REFUSED, "source", about=name, said=told, count=count)
    if source.conflicts:
        yield Concern(
            Kind.CONFLICTS, "source", about=name, said={"name": name}, count=source.conflicts
        )


def _of_destination(one: Destination, look: Look) -> Iterator[Concern]:
    yield from _standing(one, look)
    name = one.name
    for kind, count in ((Kind.HELD, one.held), (Kind.NO_RECORD, one.no_record)):
        if count:
            yield Concern(kind, "destination", about=name, said={"name": name}, count=count)
    for spent in one.budgets:
        if spent.share >= NEARLY_SPENT:
            percent = int(spent.share * 100)
            said: dict[str, Said] = {"name": name, "limit": spent.limit, "percent": percent}
            yield Concern(Kind.SPENT, "destination", about=name, said=said)


def _standing(one: Destination, look: Look) -> Iterator[Concern]:
    """One of the three: what is not called has a backlog for that reason."""
    name = one.name
    said: dict[str, Said] = {"name": name}
    if one.pause is not None and one.state_since is not None:
        by_hand = one.pause["cause"] == "operator"
        kind = Kind.PAUSED_BY_HAND if by_hand else Kind.PAUSED
        said |= {"since": one.state_since, "why": one.pause["reason"], "by": one.pause["by"]}
        yield Concern(kind, "destination", about=name, said=said)
    elif one.state == "failing" and one.state_since is not None:
        said |= {"since": one.state_since, "why": one.last_error or "?"}
        yield Concern(Kind.FAILING, "destination", about=name, said=said)
    elif one.oldest_owed_at and (look.at - one.oldest_owed_at).total_seconds() > LATE_SYNC:
        said |= {"since": one.oldest_owed_at}
        count = one.owed - one.no_record
        yield Concern(Kind.LATE_SYNCS, "destination", about=name, said=said, count=count)


def _of_all(look: Look) -> Iterator[Concern]:
    lag = look.lag
    for kind, count, since, late in (
        (Kind.LATE_EVENTS, lag.waiting, lag.oldest_event_at, LATE_EVENT),
        (Kind.LATE_LOOKUPS, lag.lookups, lag.oldest_lookup_at, LATE_SYNC),
    ):
        if count and since is not None and (look.at - since).total_seconds() > late:
            yield Concern(kind, "ledger", said={"since": since}, count=count)
    if look.strangers:
        count = sum(one.requests for one in look.strangers)
        yield Concern(Kind.STRANGERS, "source", about="unknown", count=count)


def _of_spools(spools: Iterable[Body]) -> Iterator[Concern]:
    for row in spools:
        name = row["gateway"]
        if row["state"] == "silent":
            said = {"name": name, "since": row["reported_at"]}
            yield Concern(Kind.SPOOL_SILENT, "spools", about=name, said=said)
        elif row["requests"]:
            yield Concern(
                Kind.SPOOL_FULL, "spools", about=name, said={"name": name}, count=row["requests"]
            )


async def read(pool: Pool, configured: Configured) -> Body:
    """Answer what GET /now answers; whether the ledger balances is told by the ledger."""
    look = await now.read(pool, configured)
    told = [
        {"kind": one.kind, "tone": one.tone, "about": one.about, "sentence": one.sentence}
        for one in concerns(look, None)
    ]
    return {"attention": told, **asdict(look)}
