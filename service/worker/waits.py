"""Names that lead nowhere, or to several subjects, come in; sentences about them go out."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from service.domain.events import Event
from service.domain.names import EVENT, Conflict, Name, Resolution
from service.store.folding import Standing

MOST_NAMED = 3
"""Subjects or names in one sentence; more are counted."""


def reason(event: Event, meant: Resolution, *, standing: Standing, until: datetime) -> str:
    """Say what an event waits for."""
    if event.statement.revokes is not None and event.statement.follows:
        source, key = event.statement.revokes
        return (
            f"waits for the event {key} of {source} to be folded, which it takes back; "
            f"until {until:%F %H:%M} UTC"
        )
    called = _listed([str(alias) for alias in event.statement.aliases], "or")
    limit = f"until {until:%F %H:%M} UTC"
    match meant:
        case Conflict(subjects):
            return f"waits because {called} leads to {_subjects(subjects, standing)}; {limit}"
        case _:
            return f"waits for {called} to be linked to {_a(event.statement.lifecycle)}; {limit}"


def contradiction(name: Name, found: Conflict, *, standing: Standing) -> str:
    """Say which subjects a name leads to; every such sentence begins with the name."""
    return (
        f"{name} leads to {_subjects(found.subjects, standing)}. Events that know only this name "
        f"wait until an operator links it to one of them, or merges them."
    )


def vain(names: Sequence[Name], *, since: datetime) -> str:
    """Say what became of a wait that ended."""
    if names[0].type.startswith(EVENT):
        source = names[0].type.removeprefix(EVENT)
        return (
            f"It waited since {since:%F %H:%M} UTC for the event of {source} that it takes back "
            f"({names[0]}), in vain. It comes back by itself when that one comes."
        )
    called = _listed([str(name) for name in names], "or")
    return (
        f"It waited since {since:%F %H:%M} UTC for {called} to be linked to "
        f"{_a(names[0].lifecycle)}, in vain."
    )


def _subjects(ids: Sequence[int], standing: Standing) -> str:
    known: Mapping[int, object] = {row.id: row.subject for row in standing.rows.values()}
    return _listed([str(known[each]) for each in ids], "and")


def _listed(words: Sequence[str], joined: str) -> str:
    shown = [*words[:MOST_NAMED]]
    if len(words) > MOST_NAMED:
        shown.append(f"{len(words) - MOST_NAMED} more")
    *first, last = shown
    return f"{', '.join(first)} {joined} {last}" if first else last


def _a(lifecycle: str) -> str:
    noun = lifecycle.replace("_", " ")
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
