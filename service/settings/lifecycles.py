"""Lifecycles of the configuration: tables in; lifecycles, or what does not fit together, out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from service.domain import flaws
from service.domain.lifecycle import Alarm, Lane, Lifecycle, Rule, Settlement
from service.domain.lifecycles import LIFECYCLES, shorthand
from service.settings.lifecycle_tables import (
    AlarmTable,
    LaneTable,
    LifecycleTable,
    RuleTable,
    SettlementTable,
)
from service.settings.problems import Issue
from service.settings.schema import suggest


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The lifecycles that the other tables of the file may name."""

    lifecycles: Mapping[str, Lifecycle]
    unread: frozenset[str] = frozenset()
    """Those whose tables have slips of the pen: not all they say can be told yet."""

    @property
    def statuses(self) -> set[str] | None:
        """Every overall status; None while it cannot be told."""
        if self.unread:
            return None
        return {word for each in self.lifecycles.values() for word in each.overall_statuses}

    @property
    def likely_statuses(self) -> set[str]:
        """Those of orders, and of what the file itself defines."""
        return {
            word
            for name, each in self.lifecycles.items()
            if name == "order" or each is not LIFECYCLES.get(name)
            for word in each.overall_statuses
        }

    def is_foreign(self, name: str) -> bool:
        """Whether the lifecycle is there, and its lanes cannot be told."""
        return name in self.unread and name not in self.lifecycles

    def speaks(self, pattern: str) -> bool:
        """Whether some event may be called so."""
        first = pattern.partition(".")[0]
        return any(fnmatchcase(event, pattern) for event in self._events()) or any(
            self.is_foreign(name) and fnmatchcase(name, first) for name in self.unread
        )

    def _events(self) -> Iterator[str]:
        for lifecycle in self.lifecycles.values():
            yield f"{lifecycle.name}.attributes"
            yield from (f"{lifecycle.name}.{name}" for name in flaws.names(lifecycle))

    def patterns(self) -> Iterator[str]:
        for lifecycle in self.lifecycles.values():
            yield f"{lifecycle.name}.*"
            yield from (f"{lifecycle.name}.{lane}.*" for lane in lifecycle.lanes)


def vocabulary(
    tables: Mapping[str, LifecycleTable], unread: Mapping[str, LifecycleTable | None]
) -> Vocabulary:
    """The shipped lifecycles and those of the file; of an unread one perhaps the lanes."""
    partial = {name: build(table) for name, table in unread.items() if table is not None}
    own = {name: build(table) for name, table in tables.items()}
    return Vocabulary({**LIFECYCLES, **partial, **own}, frozenset(unread))


def build(table: LifecycleTable) -> Lifecycle:
    """The lifecycle a table describes; what it does not say is as shipped."""
    base = LIFECYCLES.get(table.name) or Lifecycle(table.name, {}, (), "")
    return Lifecycle(
        name=table.name,
        lanes=base.lanes or {name: _lane(name, lane) for name, lane in table.lanes.items()},
        rules=base.rules if table.overall is None else tuple(map(_rule, table.overall)),
        otherwise=table.otherwise or base.otherwise,
        alarms=base.alarms if table.alarms is None else tuple(map(_alarm, table.alarms)),
    )


def _lane(name: str, table: LaneTable) -> Lane:
    rows = [(word, status.rank, status.exits) for word, status in table.statuses.items()]
    return shorthand.lane(
        name,
        *rows,
        partly=table.partly,
        backward=table.backward,
        settlement=_settlement(table.settlement),
    )


def _settlement(table: SettlementTable | None) -> Settlement | None:
    if table is None:
        return None
    return Settlement(table.returned, table.paid, table.partly, table.fully, table.restored)


def _rule(table: RuleTable) -> Rule:
    return Rule(_groups(table.when), table.status, frozenset(table.unless))


def _alarm(table: AlarmTable) -> Alarm:
    return Alarm(table.flag, table.sentence, _groups(table.when), frozenset(table.unless))


def _groups(conditions: Sequence[str]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(condition.split(" | ")) for condition in conditions)


def check_lifecycle(table: LifecycleTable) -> Iterator[Issue]:
    missing = [*(_shipped(table) if table.name in LIFECYCLES else _own(table))]
    yield from missing
    if not any(issue.place == ("lanes",) for issue in missing):
        lacking = {issue.place for issue in missing}
        for flaw in flaws.find(build(table)):
            if flaw.where not in lacking:
                yield _issue(flaw)


def _shipped(table: LifecycleTable) -> Iterator[Issue]:
    if table.lanes:
        yield Issue(
            ("lanes",),
            f"The lanes of {table.name}, which is shipped, are fixed: senders speak of them.",
            "Remove them, or give your lifecycle another name.",
        )


def _own(table: LifecycleTable) -> Iterator[Issue]:
    if not table.lanes:
        yield Issue(
            ("lanes",),
            "No lifecycle of this name is shipped, and one of your own needs lanes.",
            "Begin one with [lifecycles.NAME.lanes.work.statuses], or mend the name. "
            f"{suggest(table.name, LIFECYCLES)}",
        )
        return
    if not table.overall:
        yield Issue(
            ("overall",),
            "No rule gives an overall status, so all would be the same.",
            'Add one, as in overall = [{ when = ["work.done"], status = "closed" }].',
        )
    if table.otherwise is None:
        yield Issue(
            ("otherwise",),
            "It is not said what to show when no rule holds.",
            'Add it, as in otherwise = "new".',
        )


def _issue(flaw: flaws.Flaw) -> Issue:
    what = f"{flaw.sentence[0].upper()}{flaw.sentence[1:]}."
    remedy = suggest(flaw.word, flaw.choices) if flaw.choices else flaw.remedy
    return Issue(flaw.where, what, remedy)
