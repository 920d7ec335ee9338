"""A subject as people type it, and its page and history as a terminal shows them."""

from collections.abc import Callable
from typing import TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.app.rules import rules
from service.domain.drift import short
from service.domain.events import Subject
from service.ops.lookups import Body
from service.settings import Settings

C = TypeVar("C", bound=Callable[..., object])

USUAL = "order"


def named(verb: C) -> C:
    """The rest of a subject's name."""
    lifecycle = click.option("--lifecycle", help="What kind it is, where it is not an order.")
    scope = click.option("--scope", help="Which shop, where numbers may repeat.")
    return lifecycle(scope(verb))


def read_name(
    settings: Settings, text: str, *, lifecycle: str | None, scope: str | None
) -> Subject:
    """`1001`, or in full as lists show it: `order/1001`, `order/shop-eu:1001`.

    With --lifecycle or --scope the text is the bare number, whatever is in it.
    """
    kind, slash, rest = text.partition("/")
    if lifecycle is None and scope is None and slash and kind in rules(settings).lifecycles:
        shop, colon, ref = rest.partition(":")
        return Subject(kind, shop, ref) if colon else Subject(kind, "", rest)
    return Subject(lifecycle or USUAL, scope or "", text)


def show_page(console: Console, body: Body) -> None:
    """Where a subject stands, in every lane and at every destination."""
    console.print(
        f"[bold]{escape(body['subject'])}[/]  {body['status']}  version {body['version']}"
    )
    _print = _printer(console)
    if body["merged_into"]:
        _print(f"  The number you asked for was merged into {body['merged_into']}.")
    _print_stuck(_print, body["stuck"])
    for flag in body["flags"]:
        _print(f"  {flag['flag']}: {flag['sentence']}")
    for lane, status in body["lanes"].items():
        _print(f"  {lane}: {status}")
    for parcel in body["parcels"]:
        way = "return parcel" if parcel["returns"] else "parcel"
        stands = ", ".join(f"{lane} {status}" for lane, status in parcel["lanes"].items())
        _print(f"  {way} {parcel['parcel']}: {stands}")
    for name, value in body["attributes"].items():
        _print(f"  {name} = {value}")
    for alias in body["aliases"]:
        _print(f"  also called {alias['type']}={alias['value']}{_doubt(alias)}")
    for each in body["corrections"]:
        _print(
            f"  correction {each['id']}: {each['lane']}.{each['status']} by {each['actor']} at "
            f"{each['at']:%F %T}: {each['reason']}"
        )
    console.print(_syncs(body))
    _print_held(_print, body["syncs"])


def _print_stuck(print_: Callable[[str], None], found: list[Body]) -> None:
    for each in found:
        print_(f"  {'decided' if each['decided'] else 'stuck'}: {each['sentence']}")
        print_(f"    {each['remedy']}")


def _print_held(print_: Callable[[str], None], syncs: list[Body]) -> None:
    for sync in syncs:
        if sync["difference"]:
            print_(
                f"  {sync['destination']} (held for {sync['held_for']}): "
                f"{differences(sync['difference'])}"
            )


def show_waiting(console: Console, body: Body) -> None:
    """Events that wait for the name that was searched."""
    _print = _printer(console)
    for each in body.get("waiting", ()):
        alias = each["alias"]
        _print(
            f"  the event {each['event_id']} of {each['source']} waits for "
            f"{alias['type']}={alias['value']} to be linked"
        )


def show_readings(console: Console, body: Body) -> None:
    """What each destination was just seen to show."""
    _print = _printer(console)
    for reading in body["readings"]:
        _print(f"  read back: {reading['sentence']}")
    for item in body["drift"]:
        _print(
            f"    {item['destination']}  {item['field']}: ours {_value(item['ours'])}, "
            f"theirs {_value(item['theirs'])}{_changed(item)}"
        )


def differences(fields: list[Body]) -> str:
    return "; ".join(
        f"{each['field']}: ours {_value(each['ours'])}, theirs {_value(each['theirs'])}"
        for each in fields
    )


def _value(text: str | None) -> str:
    return short(text)


def _changed(item: Body) -> str:
    when = f", changed at {item['modified_at']:%F %T}" if item["modified_at"] else ""
    by = {True: " by our own user", False: " by somebody else", None: ""}[item["by_us"]]
    return f"{when}{by}"


def show_history(console: Console, body: Body) -> None:
    table = Table("happened", "by", "says", "outcome", "why", "event")
    for step in body["history"]:
        happened = f"{step['occurred_at']:%F %T}" if step["occurred_at"] else "untimed"
        by = step["source"] or step["actor"] or ""
        table.add_row(
            happened,
            escape(by),
            escape(_says(step)),
            step["outcome"] or "",
            escape(step["reason"] or ""),
            step["event_id"] or "",
        )
    console.print(table)


def _printer(console: Console) -> Callable[[str], None]:
    def _print(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return _print


def _doubt(alias: Body) -> str:
    """What is wrong with a name, and who claims it."""
    if alias["denied"]:
        return f": no more, said by {alias['denied']['actor']} at {alias['denied']['at']:%F %T}"
    said = ", ".join(f"{each['claimant']} ({each['subject']})" for each in alias["claims"])
    waiting = f"; {alias['waiting']} events wait for it" if alias["waiting"] else ""
    if alias["conflict"]:
        return f": in conflict, said by {said}{waiting}"
    return f", said by {said}{waiting}" if alias["leads_here"] else f": outranked, said by {said}"


def _says(step: Body) -> str:
    parcel = f" [{step['parcel']}]" if step["parcel"] else ""
    what = f"{step['lane']}.{step['status']}{parcel}" if step["lane"] else "attributes"
    match step["kind"]:
        case "event":
            return what
        case "base":
            return f"what {step['events']:,} purged events folded to"
        case kind:
            return f"{kind} {what}" if step["lane"] else str(kind)


def _syncs(body: Body) -> Table:
    """Its records, and below them those that merged subjects left behind."""
    table = Table("destination", "state", "desired", "synced", "record", "error")
    left = [(each["subject"], sync) for each in body["merged"] for sync in each["syncs"]]
    for owner, sync in [*((None, sync) for sync in body["syncs"]), *left]:
        where = sync["destination"] if owner is None else f"{sync['destination']} (of {owner})"
        table.add_row(
            escape(where),
            sync["state"],
            str(sync["desired"]),
            str(sync["synced"]),
            escape(sync["remote_id"] or ""),
            escape(sync["error"] or ""),
        )
    return table
