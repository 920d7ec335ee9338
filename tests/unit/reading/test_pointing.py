"""Thin events: what was posted is read by one layout, what was fetched by another."""

from datetime import UTC, datetime

import pytest

from service.domain.events import Fate, Lookup
from service.domain.keys import body_key
from service.intake.provider import RawRequest
from service.intake.reading.layout import Layout, Says
from service.intake.reading.pointing import Pointing
from service.settings import Secret, Source

AT = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
SOURCE = Source.model_validate(
    {"name": "shop", "provider": "generic", "secrets": (Secret.plain("s"),)}
)
POSTED = Layout(
    title="Shop",
    form="form",
    says=(Says("event", {"changed": "look up"}),),
    ref="`null`",
    lookup=("order", "id"),
)
ANSWERED = Layout(
    title="Shop", says=(Says("state", {"paid": "payment.paid"}),), ref="number", key=("number",)
)
READER = Pointing.of(POSTED, ANSWERED, SOURCE, needs="event")


def request(body: bytes, method: str = "POST") -> RawRequest:
    return RawRequest(method, "/webhooks/shop", "", (), body, AT)


def test_an_event_is_looked_up_and_its_answer_read() -> None:
    (said,) = READER.read(request(b"event=changed&id=7"))
    assert (Fate.LOOK_UP, Lookup("order", "7")) == (said.fate, said.lookup)
    (said,) = READER.read(request(b'{"number":"A-1","state":"paid"}', "GET"))
    assert ("A-1", "payment", "paid") == (said.ref, said.lane, said.status)


@pytest.mark.parametrize("body", [b"", b"id=7", b"event=", b"\xff", b"[[["])
def test_a_body_without_what_every_event_carries_is_none(body: bytes) -> None:
    (said,) = READER.read(request(body))
    assert (Fate.UNREADABLE, body_key(body)) == (said.fate, said.dedupe_key)
    assert said.note.endswith(".")


def test_without_a_need_every_body_is_read() -> None:
    (said,) = Pointing.of(POSTED, ANSWERED, SOURCE).read(request(b"id=7"))
    assert Fate.UNMAPPED is said.fate
