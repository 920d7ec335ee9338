"""A kind of destination comes in; what there is to say of it, in words and as JSON, goes out."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from service.domain.budget import Limit
from service.settings.schema import as_toml
from service.worker.crms.base import Target
from service.worker.crms.kind import Kind

UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
    (timedelta(seconds=1), "second"),
)


def row(kind: Kind) -> dict[str, Any]:
    """What a list says of a kind of destination."""
    return {"name": kind.name, "title": kind.title, "promise": kind.promise}


def page(kind: Kind) -> dict[str, Any]:
    """All there is to say of one."""
    oauth = kind.oauth
    return row(kind) | {
        "setup": kind.setup.strip().splitlines(),
        "example": list(example(kind)),
        "url": kind.default_url,
        "grants": list(oauth.grants) if oauth else [],
        "options": [
            {
                "name": option.name,
                "what": option.what,
                "example": option.example,
                "required": option.required,
            }
            for option in kind.options
        ],
        "objects": {
            lifecycle: {
                "object": target.object or None,
                "key_field": target.key_field or None,
                "status_field": target.status_field or None,
            }
            for lifecycle, target in (kind.targets or {}).items()
        },
        "limits": [
            {
                "name": limit.name,
                "count": limit.count,
                "period_s": limit.period.total_seconds(),
                "burst": limit.burst,
            }
            for limit in kind.limits
        ],
        "capabilities": abilities(kind),
        "doubts": list(kind.doubts),
    }


def abilities(kind: Kind) -> list[str]:
    """What it can do, in words."""
    can = kind.capabilities
    if can is None:
        return []
    told = {
        f"takes {can.batch} changes in one call": can.batch > 1,
        "takes our key, so that a lost answer is repeated without a second effect": can.idempotent,
        "writes by the merchant's number, without looking for the record": can.keyed,
        "writes only what has not changed since it was read": can.conditional,
        'makes records (on_missing = "create")': can.creates,
        "takes entries in the time line (notes = true)": can.notes,
        "tells what changed since a moment": can.feed,
    }
    return [words for words, true in told.items() if true]


def letting_in(kind: Kind, place: Callable[[str], str]) -> dict[str, JsonValue]:
    """What lets us in, in the simplest way; `place` tells where a secret of some name is."""
    if kind.token:
        return {"token": place("token")}
    if kind.oauth is None:
        return {}
    given = kind.example.get("oauth", {})
    grant = kind.oauth.grants[0]
    secrets = ("client_secret", "refresh_token")[: 2 if grant == "refresh_token" else 1]
    return {
        "oauth": {
            "grant": grant,
            **(given if isinstance(given, dict) else {}),
            "client_id": "the id of our app there",
            **{name: place(name) for name in secrets},
        }
    }


def kept_as(target: Target) -> str:
    """What an order is there, and where its number and its stage stand."""
    kind = target.object or "what the table names"
    found = target.key_field or "the field the table names"
    return f"{kind}, found by {found}, status in {target.status_field or 'the one it names'}"


def quotas(kind: Kind) -> Sequence[tuple[Sequence[str], str]]:
    """Its quotas as people say them; those that are alike together, with all their names."""
    alike: dict[str, list[str]] = {}
    for limit in kind.limits:
        alike.setdefault(_spoken(limit), []).append(limit.name)
    return [(names, said) for said, names in alike.items()]


def _spoken(limit: Limit) -> str:
    at_once = f", {_count(limit.burst)} at once" if limit.burst > 1 else ""
    return f"{_count(limit.count)} in each {_period(limit.period)}{at_once}"


def _period(period: timedelta) -> str:
    for span, word in UNITS:
        many, rest = divmod(period, span)
        if not rest and many:
            return word if many == 1 else f"{many} {word}s"
    return f"{period.total_seconds():g} s"


def _count(number: float) -> str:
    return f"{number:,.10g}".replace(",", " ")


def example(kind: Kind) -> Iterator[str]:
    """A table to begin with."""
    yield "[destinations.crm]"
    yield f"crm = {as_toml(kind.name)}"
    for key, value in (
        dict(kind.example) | letting_in(kind, lambda name: f"env:CRM_{name.upper()}")
    ).items():
        yield f"{key} = {as_toml(value)}"
    if kind.targets is not None:
        yield "shadow = true                # reads only: look at what would be written first"
    yield ""
    yield "[destinations.crm.statuses]  # our overall status, their stage"
    yield 'paid = "…"'
    yield 'delivered = "…"'
