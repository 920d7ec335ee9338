"""Secrets in each item: whose item shows ours is heard, and a stranger's item says nothing."""

import json
from collections.abc import Mapping

import pytest

from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, Guard, RawRequest
from service.intake.reading import mapping
from service.intake.reading.layout import Layout, Says
from service.intake.reading.reader import Reader
from service.intake.verification.itemised import REFUSED, Itemised
from tests.unit.verification.keypairs import NOW, request, source

SCHEME = Itemised("value", "clientState", "changeType")


def guard() -> Guard:
    return SCHEME.guard(source(b"ours"))


def batch(*items: object) -> RawRequest:
    return request(body=json.dumps({"value": items}).encode())


def item(state: object) -> Mapping[str, object]:
    return {"clientState": state, "changeType": "updated"}


@pytest.mark.parametrize(
    "body", [b"", b"ours", b'{"value":[', b"\xff", b"[" * 100 + b"]" * 100], ids=repr
)
def test_a_body_that_cannot_be_read_is_refused_and_stays_as_it_came(body: bytes) -> None:
    sent = request(body=body)
    refused = guard().verify(sent, now=NOW, keys=NO_KEYS)
    assert isinstance(refused, Forged)
    assert refused.reason.startswith("The body ")
    assert (sent, sent) == (guard().redact(sent), guard().open(sent))


@pytest.mark.parametrize(
    "document",
    [None, 7, "ours", [], [item("ours")], {}, {"value": item("ours")}, {"value": ["ours", None]}],
    ids=repr,
)
def test_a_secret_outside_the_items_of_the_list_proves_nothing(document: object) -> None:
    sent = request(body=json.dumps(document).encode())
    refused = guard().verify(sent, now=NOW, keys=NO_KEYS)
    assert isinstance(refused, Forged)
    assert Cause.MISSING == refused.cause
    assert (sent, sent) == (guard().redact(sent), guard().open(sent))


@pytest.mark.parametrize("state", [True, 7, ["ours"], {"ours": "ours"}, "our", "ours ", "OURS"])
def test_only_the_very_text_of_the_secret_is_the_secret(state: object) -> None:
    refused = guard().verify(batch(item(state), item("other")), now=NOW, keys=NO_KEYS)
    assert isinstance(refused, Forged)
    assert Cause.WRONG_SECRET == refused.cause


def test_a_batch_whose_items_show_no_secret_is_stored_as_it_came() -> None:
    sent = batch({"changeType": "updated"})
    assert sent == guard().redact(sent)


def test_an_item_without_a_secret_says_nothing_beside_one_that_shows_it() -> None:
    sent = batch({"changeType": "updated"}, "ours", item("ours"))
    assert Genuine() == guard().verify(sent, now=NOW, keys=NO_KEYS)
    stranger, odd, ours = json.loads(guard().open(sent).body)["value"]
    assert ("refused", "ours", "updated") == (stranger["changeType"], odd, ours["changeType"])


LAYOUT = Layout(
    title="Items",
    says=(Says("changeType", {"updated": "facts", REFUSED: "ignore: it is a stranger's"}),),
    ref="`null`",
    key=("id",),
    items="value",
)


def test_no_item_of_a_batch_too_long_to_be_opened_is_heard() -> None:
    strangers = [item("theirs")] * mapping.MAX_ITEMS
    sent = batch(item("ours"), *strangers)
    assert sent == guard().open(sent)
    (heard,) = Reader.of(LAYOUT, source(b"ours")).read(guard().open(sent))
    assert f"more than {mapping.MAX_ITEMS} events" in heard.note


def test_no_secret_of_a_batch_too_long_to_be_opened_is_stored() -> None:
    sent = batch(*[item("ours")] * mapping.MAX_ITEMS, item("theirs"))
    stored = guard().redact(sent).body
    assert (0, 0) == (stored.count(b'"ours"'), stored.count(b'"theirs"'))
