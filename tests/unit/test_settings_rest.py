"""Every mistake in a REST table is found, with its place and a way to mend it."""

from pathlib import Path
from typing import Any

import pytest

from service.settings import Destination
from service.settings.rest_checks import check_rest
from service.settings.secrets import References

REST = {
    "key_field": "number",
    "find": {"path": "/orders", "query": {"number": "{key}"}},
    "read": {"path": "/orders/{id}"},
    "write": {"path": "/orders/{id}"},
}
WRITE = {"path": "/orders/{id}"}


def problems(keys: dict[str, Any] | None = None, **table: Any) -> list[tuple[str, str, str]]:
    usual = {"crm": "rest", "name": "shop", "url": "https://crm.example.com", "token": "plain:x"}
    described = {**usual, "rest": {**REST, **(keys or {})}, **table}
    context = References({}, Path(), sandbox=True)
    destination = Destination.model_validate(described, context=context)
    return [
        (".".join(map(str, each.place)), each.what, each.remedy) for each in check_rest(destination)
    ]


def test_the_plain_table_has_no_problem() -> None:
    assert [] == problems()


@pytest.mark.parametrize(
    ("rest", "place", "says"),
    [
        ({"find": {"path": "/o?n={kye}"}}, "rest.find.path", "{kye} has no value here"),
        ({"find": {"path": "/o?n={key|up}"}}, "rest.find.path", "no filter 'up'"),
        ({"find": {"path": "/o?n={key"}}, "rest.find.path", "no placeholder"),
        ({"find": {"path": "/o?n='{key}'"}}, "rest.find.path", "between quotes"),
        ({"find": {"path": "/orders"}}, "rest.find.path", "says {key} nowhere"),
        ({"find": {"path": "o/{key}"}}, "rest.find.path", "not a path behind url"),
        ({"find": {"path": "/o/{key} x"}}, "rest.find.path", "not a path behind url"),
        (
            {"find": {"path": "/o", "query": {"f": {"n": "{key}"}}}},
            "rest.find.query.f",
            "parameter",
        ),
        ({"find": {"path": "/o", "body": ["{key}"]}}, "rest.find.body", "GET carries no body"),
        ({"read": {"path": "/orders"}}, "rest.read.path", "says {id} nowhere"),
        ({"read": {"path": "/orders/{key}"}}, "rest.read.path", "{key} has no value here"),
        ({"write": {"path": "/orders"}}, "rest.write.0.path", "says {id} nowhere"),
        ({"write": {**WRITE, "method": "GET"}}, "rest.write.0.method", "writes nothing"),
        ({"write": {**WRITE, "body": {"a": ["{stat}"]}}}, "rest.write.0.body.a.0", "{stat} has no"),
        ({"write": {**WRITE, "body": {"{stat}": 1}}}, "rest.write.0.body", "{stat} has no"),
        (
            {"write": {**WRITE, "headers": {"X-A": "{no}"}}},
            "rest.write.0.headers.X-A",
            "{no} has no",
        ),
        ({"write": {**WRITE, "headers": {"X-A": "{token}"}}}, "rest.record", "record.token"),
        ({"write": {**WRITE, "unless_shown": True}}, "rest.write.0.unless_shown", "left out"),
        ({"write": {"path": "/{id}/{action}"}}, "rest.write.0.when", "no {action}"),
        (
            {"write": {**WRITE, "body": ["{status}"], "encoding": "form"}},
            "rest.write.0.body",
            "form",
        ),
        ({"parts": {"key": 1}}, "rest.parts.key", "cannot be called"),
        ({"parts": {"Filter": 1}}, "rest.parts.Filter", "cannot be called"),
        ({"parts": {"filter": ["{nope}"]}}, "rest.parts.filter.0", "{nope} has no"),
        ({"create": {"path": "/o", "body": {"s": "{status}"}}}, "rest.create.body", "number"),
        ({"note": {"path": "/o/{id}"}}, "rest.note.path", "says {text} nowhere"),
        ({"feed": {"path": "/o?p={cursor}"}}, "rest.feed", "says {since} nowhere"),
        ({"feed": {"path": "/o?s={since}"}}, "rest.feed", "says {cursor} nowhere"),
        (
            {"feed": {"path": "/o?s={since}&c={cursor}", "paging": {"by": "cursor"}}},
            "rest.feed.paging",
            "next cursor",
        ),
        ({"auth": {"scheme": "header"}}, "rest.auth.header", "name of its header"),
        ({"auth": {"scheme": "basic"}}, "token", "no colon"),
        ({"auth": {"scheme": "hmac", "header": "X-S"}}, "secret", "secret to sign with"),
        (
            {"auth": {"scheme": "hmac", "header": "X-S", "signed": "{bdoy}"}},
            "rest.auth.signed",
            "{bdoy} has no value here",
        ),
        (
            {"auth": {"scheme": "hmac", "header": "X-S", "signed": "{timestamp}{body}"}},
            "rest.auth.signed",
            "does not learn the {timestamp}",
        ),
        ({"idempotent": True}, "rest.idempotent", "{idempotency_key}"),
        (
            {"key_field": "", "find": {"path": "/o?{key_field}={key}"}},
            "rest",
            "{key_field} is used",
        ),
    ],
)
def test_a_mistake_is_found_at_its_place(rest: dict[str, Any], place: str, says: str) -> None:
    found = problems(rest)
    assert any(place == where and says in what for where, what, _ in found), found
    assert all(remedy.endswith(".") for *_, remedy in found)


@pytest.mark.parametrize(
    ("table", "place", "says"),
    [
        ({"url": ""}, "url", "needs the address"),
        ({"rest": None}, "rest", "needs to be described"),
        ({"crm": "callback"}, "rest", "Only crm"),
        ({"token": None}, "token", "nothing to be let in with"),
        ({"on_missing": "create"}, "on_missing", "how a record is made"),
        ({"notes": True}, "notes", "how a note is left"),
    ],
)
def test_what_does_not_fit_the_destination_is_found(
    table: dict[str, Any], place: str, says: str
) -> None:
    found = problems(**table)
    assert any(place == where and says in what for where, what, _ in found), found


def test_every_status_needs_its_action() -> None:
    step = {"path": "/{id}/{action}", "when": "status", "actions": {"paid": "pay"}}
    found = problems({"write": step}, statuses={"paid": "paid", "cancelled": "void"})
    assert ["rest.write.0.actions"] == [where for where, *_ in found]
    assert "'void'" in found[0][1]


@pytest.mark.parametrize(
    "rest",
    [
        {"find": {**REST["find"], "records": "items["}},  # type: ignore[dict-item]
        {"success": {"when": "nope(x)"}},
        {"errors": [{"pattern": "(", "kind": "rate"}]},
        {"errors": [{"pattern": "x" * 300, "kind": "rate"}]},
        {"errors": [{"kind": "odd"}]},
        {"headers": {"bad name": "x"}},
        {"record": {"token": "header:bad name"}},
        {"write": []},
        {"feed": {"path": "/o", "paging": {"by": "odd"}}},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(rest: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        problems(rest)
