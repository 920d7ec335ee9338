"""A lifecycle as plain data and as TOML: what configuration writes, configuration can read."""

from collections.abc import Iterator, Mapping, Sequence

from service.domain.lifecycle import Alarm, Lane, Lifecycle, Rule
from service.settings.schema import as_toml

Plain = dict[str, object]


def body(lifecycle: Lifecycle) -> Plain:
    """In the shape of `[lifecycles.NAME]`, and with all its overall statuses."""
    return {
        "name": lifecycle.name,
        "lanes": {name: _lane(lane) for name, lane in lifecycle.lanes.items()},
        "overall": [_rule(lifecycle, rule) for rule in lifecycle.rules],
        "otherwise": lifecycle.otherwise,
        "statuses": list(lifecycle.overall_statuses),
        "alarms": [_alarm(lifecycle, alarm) for alarm in lifecycle.alarms],
    }


def _lane(lane: Lane) -> Plain:
    order = list(lane.statuses)
    made: Plain = {
        "statuses": {
            name: {"rank": status.rank, "exits": sorted(status.exits, key=order.index)}
            for name, status in lane.statuses.items()
        }
    }
    if lane.partly:
        made["partly"] = dict(lane.partly)
    if lane.backward:
        made["backward"] = dict(lane.backward)
    if (money := lane.settlement) is not None:
        made["settlement"] = {
            "returned": money.returned,
            "paid": money.paid,
            "partly": money.partly,
            "fully": money.fully,
            "restored": money.restored,
        }
    return made


def _rule(lifecycle: Lifecycle, rule: Rule) -> Plain:
    return {**_conditions(lifecycle, rule), "status": rule.status}


def _alarm(lifecycle: Lifecycle, alarm: Alarm) -> Plain:
    said = {"flag": alarm.flag, "sentence": alarm.sentence}
    return {**said, **_conditions(lifecycle, alarm)}


def _conditions(lifecycle: Lifecycle, rule: Rule | Alarm) -> Plain:
    when = [" | ".join(_in_order(lifecycle, group)) for group in rule.when]
    unless = _in_order(lifecycle, rule.unless)
    return {"when": when, "unless": unless} if unless else {"when": when}


def _in_order(lifecycle: Lifecycle, names: frozenset[str]) -> list[str]:
    every = (f"{lane.name}.{word}" for lane in lifecycle.lanes.values() for word in lane.statuses)
    return [name for name in every if name in names]


def toml(lifecycle: Lifecycle, *, lanes: bool) -> str:
    """Tables to paste into the configuration; lanes only where they may be changed."""
    plain = body(lifecycle)
    head = f"lifecycles.{lifecycle.name}"
    lines = [f"[{head}]", f"otherwise = {as_toml(plain['otherwise'])}"]
    for key in ("overall", "alarms"):
        lines += _array(key, plain[key])
    if lanes:
        lines += _tables(f"{head}.lanes", plain["lanes"])
    return "\n".join(lines)


def _array(key: str, items: object) -> Iterator[str]:
    match items:
        case [_, *_]:
            yield f"{key} = ["
            yield from (f"  {as_toml(item)}," for item in items)
            yield "]"
        case _:
            yield f"{key} = []"


def _tables(head: str, lanes: object) -> Iterator[str]:
    for lane, tables in _pairs(lanes):
        for key, table in _pairs(tables):
            yield f"\n[{head}.{lane}.{key}]"
            yield from (f"{word} = {as_toml(value)}" for word, value in _pairs(table))


def _pairs(table: object) -> Sequence[tuple[str, object]]:
    return list(table.items()) if isinstance(table, Mapping) else []
