"""A proposal from captured requests can be loaded; it reads and judges what it came from."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.app.known import KNOWN
from service.domain.events import Fate, Statement
from service.domain.lifecycles import LIFECYCLES
from service.intake.provider import Genuine, RawRequest
from service.intake.providers import registry
from service.ops.proposing import Offered, propose, words
from service.sandbox import senders
from service.sandbox.senders.occasion import Delivery
from service.sandbox.senders.signing import drafts
from service.settings import (
    BasicRule,
    BearerRule,
    HeaderRule,
    HmacRule,
    QueryRule,
    Secret,
    Source,
    UrlTokenRule,
    VerifyRule,
    load,
)

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECRET = "sender:2b1a09f8e7d6c5b4"
TOKEN = "4f9d1c0b7a6e5d3c2b1a09f8e7d6c5b4"
BASE = '[server]\ndata_dir = "data"\n[store]\nurl = "embedded"\n[broker]\nurl = "embedded"\n'
ENVIRON = {"SHOP_SECRET": SECRET, "SHOP_TOKEN": TOKEN, "GIVEN": SECRET}
GIVEN = Offered(SECRET.encode(), "env:GIVEN")


def filled(proposal: str) -> str:
    """Do what the marks ask for, without thinking."""
    return re.sub(
        r'^# FILL IN: (.*) = "lane.status"$', r'\1 = "ignore"', proposal, flags=re.MULTILINE
    )


def loaded(proposal: str, folder: Path, **environ: str) -> Source:
    file = folder / "orderhook.toml"
    file.write_text(BASE + filled(proposal))
    return load(file, {**ENVIRON, **environ}, known=KNOWN).sources["shop"]


def posted(body: object, *headers: tuple[str, str], path: str = "", query: str = "") -> RawRequest:
    return RawRequest(
        method="POST",
        path=f"/webhooks/shop{path}",
        query=query,
        headers=[("content-type", "application/json"), *headers],
        body=body if isinstance(body, bytes) else orjson.dumps(body),
        received_at=AT,
        tail=path.removeprefix("/"),
    )


KEYS = (
    *("id", "event_id", "eventId", "uuid", "event.id", "meta.event_id", "header:X-Event-Id"),
    *("header:X-Delivery-Id", "data.id", '"message-id"'),
)
REFS = (
    *("order", "order.number", "orderNumber", "data.order_id", "payload.order.no", "reference"),
    *("data.merchant_order_id", '"order-ref"', "order.reference"),
)
STATES = ("status", "state", "data.status", "event_type", "order_status", "payload.state", "type")
TIMES = ("at", "occurred_at", "timestamp", "data.updatedAt", "event_time", None)
FORMATS = ("auto", "unix", "unix_ms", "%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S")
SAID = {"PICKING": "fulfillment.picking", "Shipped": "fulfillment.shipped"}
SAID |= {"order.paid": "payment.paid", "out-for-delivery": "delivery.out_for_delivery"}
SAID |= {"DELIVERED": "delivery.delivered", "labelPrinted": "delivery.label_created"}
MESSAGES = (
    *("{body}", "{timestamp}.{body}", "{timestamp}{body}", "{body}|{timestamp}"),
    *("{id}.{timestamp}.{body}", "{timestamp}:{id}:{body}", "{id}\n{body}"),
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    message = draw(st.sampled_from(MESSAGES))
    rule = {
        "scheme": "hmac",
        "header": draw(st.sampled_from(("X-Signature", "X-Hub-Signature-256", "Hmac", "X-Sign"))),
        "algorithm": draw(st.sampled_from(("sha256", "sha512", "sha1"))),
        "encoding": draw(st.sampled_from(("hex", "base64"))),
        "prefix": draw(st.sampled_from(("", "sha256=", "v1=", "v1,"))),
        "signed": message,
    }
    if "{timestamp}" in message:
        rule["timestamp_header"] = draw(st.sampled_from(("X-Timestamp", "X-Request-Time", "X-Ts")))
    if "{id}" in message:
        rule["id_header"] = draw(st.sampled_from(("X-Event-Id", "X-Webhook-Id")))
    return rule


@st.composite
def sources(draw: st.DrawFn) -> Source:
    said: dict[str, Any] = {
        "name": "shop",
        "provider": "generic",
        "secrets": (Secret.plain(SECRET),),
        "verify": draw(rules()),
        "format": draw(st.sampled_from(("json", "json", "form", "cloudevents"))),
        "key": draw(st.sampled_from(KEYS)),
        "subject": {"ref": draw(st.sampled_from(REFS))},
        "status": draw(st.sampled_from(STATES)),
        "statuses": SAID,
        "attributes": draw(st.sampled_from(({}, {"amount": "total"}, {"currency": "currency"}))),
    }
    if said["format"] == "cloudevents":
        # The envelope has places of its own for these.
        said |= {"key": None, "status": "data.status", "subject": {"ref": "data.order_number"}}
        return Source.model_validate(said)
    said["occurred_at"] = draw(st.sampled_from(TIMES))
    said["time_formats"] = (draw(st.sampled_from(FORMATS)),)
    if said["format"] == "json":
        said["items"] = draw(st.sampled_from((None, "events", "data.items[]", "@")))
    places = [said["key"], said["subject"]["ref"], said["status"], said["occurred_at"]]
    paths = [tuple((place or "").split(".")) for place in (*places, *said["attributes"].values())]
    heads = [path for path in paths if path != ("",)]
    clash = any(
        one != other and one == other[: len(one)] for one in heads for other in heads
    ) or len(set(heads)) < len(heads)
    assume(not clash)
    return Source.model_validate(said)


def traffic(source: Source) -> list[RawRequest]:
    """Two orders on their ways, and one event delivered twice."""
    told = [("A-1001", word) for word in SAID.values()]
    told += [("A-1002", word) for word in list(SAID.values())[:2]]
    told.append(told[-1])
    found = []
    for number, (order, target) in enumerate(told):
        same = min(number, len(told) - 2)
        at = AT + timedelta(minutes=same)
        key = f"evt-{same:04}-7f"
        body = senders.sample(source, target, senders.Occasion(order, at, key))
        delivery = Delivery(AT, key, target)
        draft = senders.SENDERS["generic"].sign(source, body, delivery)
        found.append(
            replace(drafts.arrived(source, draft, delivery), received_at=AT + timedelta(hours=1))
        )
    return found


def said(source: Source, requests: Sequence[RawRequest]) -> list[Statement]:
    provider = registry.preset(source.provider).build(source)
    for request in requests:
        assert Genuine() == provider.verify(request, now=AT)
    return [one for request in requests for one in provider.parse(request)]


def numbered(statements: Sequence[Statement]) -> list[int]:
    """Which events are the same, whatever their keys are."""
    keys = [one.dedupe_key for one in statements]
    return [keys.index(key) for key in keys]


@given(source=sources())
@settings(max_examples=150, deadline=None)
def test_what_is_proposed_reads_and_judges_the_traffic_as_its_sender_meant_it(
    source: Source, tmp_path_factory: pytest.TempPathFactory
) -> None:
    requests = traffic(source)
    proposal = propose("shop", requests, secret=GIVEN)
    made = loaded(proposal, tmp_path_factory.mktemp("proposal"))
    meant, read = said(source, requests), said(made, requests)
    assert [(one.ref, one.lane, one.status) for one in meant] == [
        (one.ref, one.lane, one.status) for one in read
    ], proposal
    assert numbered(meant) == numbered(read), proposal
    assert {Fate.FOLD} == {one.fate for one in read}


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("id", "order", "status", "at")) | st.text(), inner, max_size=5
        )
    ),
    max_leaves=15,
)


def writable(body: Any) -> bool:
    try:
        orjson.dumps(body)
    except (TypeError, ValueError):
        return False
    return True


@given(
    sent=st.lists(
        st.tuples(
            JSONS.filter(writable).map(orjson.dumps) | st.binary(),
            st.lists(st.tuples(st.sampled_from(("x-signature", "x-time", "x-api-key")), st.text())),
        ),
        max_size=4,
    ),
    tried=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_whatever_strangers_send_the_proposal_can_be_loaded(
    sent: list[tuple[bytes, list[tuple[str, str]]]],
    tried: bool,  # noqa: FBT001  # Hypothesis passes by position
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    requests = [posted(body, *headers) for body, headers in sent]
    proposal = propose("shop", requests, secret=GIVEN if tried else None)
    assert "shop" == loaded(proposal, tmp_path_factory.mktemp("proposal")).name


def test_a_proposal_says_what_each_line_rests_on(tmp_path: Path) -> None:
    bodies = [
        {
            "id": number,
            "order": {"number": "A-1001"},
            "at": f"2026-05-04T12:0{number}",
            "state": word,
            "total": "149.90",
            "tracking_no": "TRK\u202e-7\n[server]",
        }
        for number, word in enumerate(("PICKING", "SHIPPED", "AUF HALDE"))
    ]
    requests = [posted(body, ("x-api-key", SECRET)) for body in bodies]
    proposal = propose("shop", requests, secret=GIVEN)
    assert (
        proposal
        == """\
# Proposed from 3 captured requests, 3 events; look at every line. FILL IN: only you know.
[sources.shop]
provider = "generic"
# The secret given proves every captured request.
secrets = ["env:GIVEN"]

format = "json"
key = "id"  # "0", "1", "2", another in each event
subject.ref = "order.number"  # "A-1001"
subject.aliases.tracking = "tracking_no"  # "TRK\\u202E-7\\u000A[server]"
occurred_at = "at"  # "2026-05-04T12:00", "2026-05-04T12:01", "2026-05-04T12:02"
timezone = "UTC"  # FILL IN: its times carry no zone; which one is meant?
status = "state"  # "PICKING", "SHIPPED", "AUF HALDE"
attributes.amount = "total"  # "149.90"
attributes.tracking_number = "tracking_no"  # "TRK\\u202E-7\\u000A[server]"

[sources.shop.verify]
scheme = "header"
header = "X-Api-Key"

[sources.shop.statuses]  # their word -> our lane.status, or ignore
# FILL IN: "AUF HALDE" = "lane.status"
"PICKING" = "fulfillment.picking"
"SHIPPED" = "fulfillment.shipped"
"""
    )
    assert {"SHIPPED": "fulfillment.shipped", "PICKING": "fulfillment.picking"}.items() <= (
        loaded(proposal, tmp_path).statuses.items()
    )


PAID = {"event_id": "evt-1", "order_no": "1001", "status": "paid"}
BASIC = f"Basic {b64encode(SECRET.encode()).decode()}"


@pytest.mark.parametrize(
    ("request_", "scheme"),
    [
        (posted(PAID, ("authorization", f"Bearer {SECRET}")), BearerRule()),
        (posted(PAID, ("authorization", BASIC)), BasicRule()),
        (posted(PAID, ("x-auth-token", SECRET)), HeaderRule(header="X-Auth-Token")),
        (posted(PAID, query=f"a=1&token={quote(SECRET)}"), QueryRule(parameter="token")),
    ],
    ids=lambda each: getattr(each, "scheme", ""),
)
def test_a_secret_that_travels_is_found_and_tried(
    request_: RawRequest, scheme: VerifyRule, tmp_path: Path
) -> None:
    for secret, told in ((GIVEN, "proves every captured"), (None, "carried the same secret")):
        proposal = propose("shop", [request_, request_], secret=secret)
        assert told in proposal
        assert SECRET not in proposal
        assert scheme == loaded(proposal, tmp_path).verify
    wrong = propose("shop", [request_], secret=Offered(b"another", "env:GIVEN"))
    assert "no request carries the secret given" in wrong
    assert 'secrets = ["env:SHOP_SECRET"]  # FILL IN' in wrong


def test_who_proves_nothing_gets_a_secret_in_the_url(tmp_path: Path) -> None:
    for request in (posted(PAID), posted(PAID, path=f"/{TOKEN}")):
        made = loaded(propose("shop", [request]), tmp_path)
        assert UrlTokenRule() == made.verify
    proven = propose("shop", [posted(PAID, path=f"/{TOKEN}")], secret=Offered(TOKEN.encode(), ""))
    assert "proves every captured" in proven
    assert TOKEN not in proven


def test_standard_webhooks_are_the_provider_of_that_name(tmp_path: Path) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    known = Source(name="shop", provider="standardwebhooks", secrets=(Secret.plain(secret),))
    content = {"type": "order.paid", "data": {"order_no": "1001"}}
    sent = senders.sign(known, orjson.dumps(content), at=AT, key="msg_1")
    headers = [(name.lower(), value) for name, value in sent.headers.items()]
    request = posted(sent.body, *headers)
    proposal = propose("shop", [request], secret=Offered(secret.encode(), "env:SHOP_SECRET"))
    assert "proves every captured" in proposal
    made = loaded(proposal, tmp_path, SHOP_SECRET=secret)
    assert ("standardwebhooks", None) == (made.provider, made.verify)
    (event,) = said(made, [request])
    assert ("1001", "payment", "paid", "msg_1") == (
        event.ref,
        event.lane,
        event.status,
        event.dedupe_key,
    )


def test_a_secret_that_fits_nowhere_is_told_with_what_was_tried(tmp_path: Path) -> None:
    request = posted(PAID, ("x-signature", "00" * 32), ("x-time", str(int(AT.timestamp()))))
    proposal = propose("shop", [request], secret=GIVEN)
    (told,) = [line for line in proposal.splitlines() if "ways tried" in line]
    assert all(word in told for word in ("X-Signature", "sha512", "base64", "X-Time", "none of"))
    rule = loaded(proposal, tmp_path).verify
    assert isinstance(rule, HmacRule)
    assert ("X-Signature", "sha256", "{timestamp}.{body}") == (
        rule.header,
        rule.algorithm,
        rule.signed,
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("order.shipped", "fulfillment.shipped"),
        ("ORDER_PAID", "payment.paid"),
        ("PaymentFailed", "payment.failed"),
        ("out-for-delivery", "delivery.out_for_delivery"),
        ("delivery.failed", "delivery.delivery_failed"),
        ("New", "order.new"),
        ("cancelled", "order.cancelled"),
        ("payment.cancelled", "payment.cancelled"),
        ("not shipped", None),
        ("un-paid", None),
        ("", None),
    ],
)
def test_only_words_that_mean_one_thing_are_translated(word: str, meant: str | None) -> None:
    assert meant == words.target(word)


def test_every_translation_is_a_status_of_the_order() -> None:
    order = LIFECYCLES["order"]
    assert all(order.find(*target.split(".")) for target in words.KNOWN.values())
