"""Genuine requests taken apart and put together otherwise: refused, or read as what was signed."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Statement
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.payments import alipay, cloudpayments
from service.intake.providers.registry import PRESETS, preset
from service.intake.reading.mapping import Unreadable
from tests import simulated
from tests.simulated import AT, Judge, judge, posted, resigned, signer

SHARED = frozenset({"tilda", "businesscentral", "bitrix24", "zoho"})
"""A secret in the body proves nothing about the rest of it."""

UNSIGNED: Mapping[str, set[str]] = {
    "robokassa": {"attributes"},
    "wayforpay": {"occurred_at", "note", "reason", "attributes", "dedupe_key", "status", "money"},
    "fondy": {"dedupe_key", "reason", "attributes", "aliases", "money", "status", "statements"},
    "adyen": {"occurred_at", "note", "reason", "attributes"},
    "tbank": {"dedupe_key", "ref", "status", "lane", "code", "fate", "note"}
    | {"attributes", "aliases", "money"},
}
"""What senders leave unsigned, or sign so that it reads in several ways; `doubts` tell people."""

NAMES = [each.name for each in PRESETS if each.name != "generic"]
Pairs = Sequence[tuple[str, str]]


# --- ways to take a request apart --------------------------------------------------------------


def with_headers(request: RawRequest, headers: Pairs) -> RawRequest:
    return replace(request, headers=tuple(headers))


def with_query(request: RawRequest, query: str) -> RawRequest:
    return replace(request, query=query, url=f"{request.url.partition('?')[0]}?{query}")


def of_headers(request: RawRequest, signed: set[str]) -> Iterator[tuple[str, RawRequest]]:
    """Send a header twice, under another look, in capitals, or after a byte of its neighbour."""
    there = list(request.headers)
    for place, (name, value) in enumerate(there):
        if name not in signed:
            continue
        for other in (value, "x", ""):
            yield f"{name} again", with_headers(request, [*there, (name, other)])
            yield f"{name} before", with_headers(request, [(name, other), *there])
        if "-" in name:
            twin = (name.replace("-", "_"), "x")
            yield f"{name} as {twin[0]}", with_headers(request, [*there, twin])
        for other in (value.swapcase(), value + "=", f" {value}", f"{value},x", f"{value} x"):
            changed = [*there[:place], (name, other), *there[place + 1 :]]
            yield f"{name}: {other[:40]}", with_headers(request, changed)


def of_query(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    for more in ("a=b", "&", "%00", request.query):
        if more:
            yield f"?…&{more}", with_query(request, f"{request.query}&{more}")
            yield f"?{more}&…", with_query(request, f"{more}&{request.query}")
    for piece in request.query.split("&") if request.query else ():
        name = piece.partition("=")[0]
        yield f"{name} again", with_query(request, f"{request.query}&{name}=x")
        yield f"{name} before", with_query(request, f"{name}=x&{request.query}")


def of_form(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    pieces = request.body.decode().split("&")

    def body(*parts: str) -> RawRequest:
        return replace(request, body="&".join(parts).encode())

    yield "reversed", body(*reversed(pieces))
    for place, piece in enumerate(pieces):
        name, _, value = piece.partition("=")
        yield f"{name} again", body(*pieces, f"{name}=x")
        yield f"{name} before", body(f"{name}=x", *pieces)
        yield f"{name}[] again", body(*pieces, f"{name}[]=x")
        yield (
            f"{name} in other cases",
            body(*pieces[:place], f"{name}={value.swapcase()}", *pieces[place + 1 :]),
        )
        following = pieces[place + 1] if place + 1 < len(pieces) else ""
        if value and following:
            other, _, rest = following.partition("=")
            moved = f"{name}={value[:-1]}", f"{other}={value[-1]}{rest}"
            yield f"{name} to {other}", body(*pieces[:place], *moved, *pieces[place + 2 :])
            joined = f"{name}={value}{quote_plus('&' + following)}"
            yield f"{name} with {other}", body(*pieces[:place], joined, *pieces[place + 2 :])
    yield "one more", body(*pieces, "zz=1")
    yield "an empty one more", body(*pieces, "aa=")


def scalars(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(node, dict | list):
        inside = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in inside:
            yield from scalars(value, (*path, key))
    else:
        yield path, node


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    node = copy
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return copy


def of_json(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    document = json.loads(request.body)

    def body(text: str) -> RawRequest:
        return replace(request, body=text.encode())

    plain = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if isinstance(document, dict):
        for name in document:
            yield f"{name} again", body(f'{plain[:-1]},{json.dumps(name)}:"x"}}')
            yield f"{name} before", body(f'{{{json.dumps(name)}:"x",{plain[1:]}')
        yield "one more", body(f'{plain[:-1]},"zz":"1"}}')
        yield "reversed", body(json.dumps(dict(reversed(document.items()))))
    found = sorted(scalars(document), key=lambda each: str(each[0]))
    for (path, value), (other, following) in pairwise(found):
        text, rest = (("" if each is None else str(each)) for each in (value, following))
        if text and not isinstance(value, bool) and not isinstance(following, bool):
            moved = put(put(document, path, text[:-1]), other, text[-1] + rest)
            yield f"{path} to {other}", body(json.dumps(moved))
        yield (
            f"{path} for {other}",
            body(json.dumps(put(put(document, path, following), other, value))),
        )


def of_body(request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    text = request.body.lstrip()
    if text[:1] in (b"{", b"["):
        yield from of_json(request)
    elif re.fullmatch(rb"[^<=&]+=.*", text, re.DOTALL):
        yield from of_form(request)
    for more in (b" ", b"\n", b"\r\n", b"\0", b"&", b"}", b"\xef\xbb\xbf"):
        yield f"body and {more!r}", replace(request, body=request.body + more)
        yield f"{more!r} and body", replace(request, body=more + request.body)


def mutations(name: str, request: RawRequest) -> Iterator[tuple[str, RawRequest]]:
    signs = signer(simulated.source(name))
    places = (signs.proof_at, *signs.also)
    signed = {place.removeprefix("header:").lower() for place in places if "header:" in place}
    yield from of_headers(request, signed)
    yield from of_query(request)
    fields_of = signs.proof_at.partition(":")[0] in ("form", "body", "json")
    if signs.signs_body or (fields_of and name not in SHARED):
        yield from of_body(request)


# --- what must hold ----------------------------------------------------------------------------


def told(name: str, request: RawRequest) -> Sequence[Statement]:
    built = preset(name).build(simulated.source(name))
    return [*built.parse(built.redact(request))]


def differing(name: str, said: Sequence[Statement], again: Sequence[Statement]) -> set[str]:
    """Name what another request says otherwise; nothing read of it is nothing said."""
    if all(each.fate is Fate.UNREADABLE for each in again):
        return set()
    if len(said) != len(again):
        return {"statements"} - UNSIGNED.get(name, set())
    names = {each.name for each in fields(Statement)} - UNSIGNED.get(name, set())
    return {
        field
        for one, other in zip(said, again, strict=True)
        for field in names
        if getattr(one, field) != getattr(other, field)
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_request_put_together_otherwise_says_nothing_else(name: str) -> None:
    source = simulated.source(name)
    verdict = judge(source)
    for sample in simulated.sender(name).samples:
        try:
            request = posted(source, sample=sample)
        except ConfigurationError:
            assert preset(name).mapped
            continue
        said = told(name, request)
        for how, changed in mutations(name, request):
            if isinstance(verdict(changed), Genuine):
                found = differing(name, said, told(name, changed))
                assert (sample, how, set()) == (sample, how, found)


@pytest.mark.parametrize("name", sorted(UNSIGNED))
def test_people_are_told_what_is_not_signed(name: str) -> None:
    assert re.search("signs|signed|cover", " ".join(preset(name).doubts) + preset(name).setup)


# --- fields that are hashed, by chance ---------------------------------------------------------

HASHED = ("fondy", "wayforpay", "robokassa", "alipay")
ORDER = {
    "fondy": "order_id",
    "wayforpay": "orderReference",
    "robokassa": "InvId",
    "alipay": "out_trade_no",
}
Fields = dict[str, Any]


def opened(request: RawRequest) -> Fields:
    if request.body.startswith(b"{"):
        return dict(json.loads(request.body))
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def closed(request: RawRequest, said: Fields) -> RawRequest:
    if request.body.startswith(b"{"):
        return replace(request, body=json.dumps(said).encode())
    return replace(request, body=urlencode(said).encode())


@cache
def genuine(name: str) -> tuple[RawRequest, Judge]:
    source = simulated.source(name)
    return posted(source), judge(source)


@st.composite
def rearranged(draw: st.DrawFn, said: Fields, separator: str) -> Fields:
    """Rename, cut, join and move fields, as whoever holds one signed request may."""
    found = dict(said)
    for _ in range(draw(st.integers(1, 5))):
        names = sorted(found)
        name = draw(st.sampled_from(names))
        text = "" if found[name] is None else str(found[name])
        match draw(st.sampled_from(["rename", "cut", "join", "move", "empty", "drop"])):
            case "rename":
                near = draw(st.sampled_from([f"{name}0", name[:-1] or "a", *names]))
                found[near] = found.pop(name)
            case "cut":
                at = draw(st.integers(0, len(text)))
                found[name], found[f"{name}0"] = text[:at], text[at:].removeprefix(separator)
            case "join":
                other = draw(st.sampled_from(names))
                found[name] = f"{text}{separator}{found.pop(other) if other != name else ''}"
            case "move":
                other = draw(st.sampled_from(names))
                found[other], found[name] = f"{text[-1:]}{found[other]}", text[:-1]
            case "empty":
                found[f"{name}1"] = ""
            case _:
                found.pop(name) if len(found) > 1 else None
    return found


@pytest.mark.parametrize("name", HASHED)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_rearrangement_names_another_order(name: str, data: st.DataObject) -> None:
    request, verdict = genuine(name)
    between = {"fondy": "|", "wayforpay": ";", "robokassa": ":", "alipay": "&"}[name]
    changed = closed(request, data.draw(rearranged(opened(request), between)))
    if isinstance(verdict(changed), Genuine):
        refs = {each.ref for each in told(name, changed) if each.fate is Fate.FOLD}
        assert refs <= {each.ref for each in told(name, request)}


# --- customers hold what Fondy and WayForPay sign ----------------------------------------------


def of_fondy(**said: Any) -> RawRequest:
    usual = {
        "actual_amount": "1002",
        "amount": "1002",
        "currency": "UAH",
        "masked_card": "444455XXXXXX1111",
        "merchant_id": "1396424",
        "order_id": "5",
        "order_status": "approved",
        "payment_id": "51247263",
    }
    made = resigned(simulated.source("fondy"), json.dumps({**usual, **said}).encode())
    assert Genuine() == judge(simulated.source("fondy"))(made)
    return made


def test_fondy_fields_under_other_names_do_not_pay_another_order() -> None:
    request = of_fondy()
    said = opened(request)
    # The paid amount, in cents, is the number of an order that costs more.
    renamed = {
        "signature": said["signature"],
        "aa": said["actual_amount"],
        "order_id": said["amount"],
        "order_id1": said["currency"],
        "order_id2": said["masked_card"],
        "order_id3": said["merchant_id"],
        "order_id4": said["order_id"],
        "order_status": said["order_status"],
        "payment_id": said["payment_id"],
    }
    assert isinstance(judge(simulated.source("fondy"))(closed(request, renamed)), Forged)


def test_fondy_fields_are_not_taken_for_the_data_of_protocol_2() -> None:
    order = {"order": {"order_id": "1002", "order_status": "approved", "amount": "1"}}
    sealed = base64.b64encode(json.dumps(order).encode()).decode()
    request = of_fondy(merchant_data=sealed)
    said = opened(request)
    said["data"] = said.pop("merchant_data")
    names = [name for name in sorted(said) if name not in ("signature", "data")]
    # All that stands before it in the order of names must still do so.
    moved = {
        f"a{place}" if name < "merchant_data" else name: said[name]
        for place, name in enumerate(names)
    }
    forged = closed(request, {**moved, "data": sealed, "signature": said["signature"]})
    assert isinstance(judge(simulated.source("fondy"))(forged), Forged)


def test_a_hold_of_fondy_is_a_hold_under_any_name() -> None:
    request = of_fondy(preauth="Y", capture_status="hold")
    said = opened(request)
    said["card"] = said.pop("capture_status")
    said["prea"] = said.pop("preauth")
    changed = closed(request, said)
    if isinstance(judge(simulated.source("fondy"))(changed), Genuine):
        assert ["authorized"] == [each.status for each in told("fondy", changed)]


@pytest.mark.parametrize(
    "moved",
    [
        {"merchantAccount": "shop;5", "orderReference": "100", "amount": None},
        {"merchantAccount": None, "orderReference": "shop;5"},
        {"orderReference": "5;100", "amount": None},
    ],
)
def test_wayforpay_fields_that_flow_together_do_not_pay_another_order(
    moved: Mapping[str, Any],
) -> None:
    source = simulated.source("wayforpay")
    said = {
        "merchantAccount": "shop",
        "orderReference": "5",
        "amount": "100",
        "currency": "UAH",
        "authCode": "541963",
        "cardPan": "41****8217",
        "transactionStatus": "Approved",
        "reasonCode": "1100",
    }
    request = resigned(source, json.dumps(said).encode())
    assert Genuine() == judge(source)(request)
    assert isinstance(judge(source)(closed(request, {**opened(request), **moved})), Forged)


def test_a_payment_of_wayforpay_told_again_at_another_time_is_the_same_event() -> None:
    source = simulated.source("wayforpay")
    request = posted(source, sample="paid")
    later = closed(request, {**opened(request), "processingDate": int(AT.timestamp()) + 86400})
    assert Genuine() == judge(source)(later)
    first, again = (told("wayforpay", each)[0].dedupe_key for each in (request, later))
    assert first == again


def test_wayforpay_is_not_answered_where_nobody_it_knows_has_signed() -> None:
    source = simulated.source("wayforpay")
    request = posted(source, sample="paid")
    chosen = "shop;1002;9;UAH;1;4;Approved"
    asked = closed(request, {**opened(request), "orderReference": chosen})
    built = preset("wayforpay").build(source)
    assert built.acknowledge(request) is not None
    assert built.acknowledge(asked) is None
    ended = f"{chosen};accept;1768473005"
    assert ended.count(";") > 7  # What an answer signs would have been a callback.


# --- what a signature is taken for -------------------------------------------------------------


def test_a_challenge_of_braintree_is_no_notification() -> None:
    source = simulated.source("braintree")
    built, challenge = preset("braintree").build(source), "0123456789abcdef0123"
    asked = RawRequest("GET", "/webhooks/tested", f"bt_challenge={challenge}", (), b"", AT)
    greeting = built.handshake(asked)
    assert greeting is not None
    for payload in (challenge, f"{challenge}\n"):
        form = urlencode({"bt_signature": greeting.body.decode(), "bt_payload": payload})
        request = replace(posted(source), body=form.encode())
        assert isinstance(judge(source)(request), Forged)


def test_the_form_of_a_signature_of_robokassa_names_no_new_event() -> None:
    request = posted(simulated.source("robokassa"))
    said = opened(request)
    small = closed(request, {**said, "SignatureValue": said["SignatureValue"].lower()})
    assert Genuine() == judge(simulated.source("robokassa"))(small)
    assert told("robokassa", request) == told("robokassa", small)


def test_values_of_adyen_do_not_flow_together() -> None:
    source = simulated.source("adyen")
    document = json.loads(posted(source).body)
    item = document["notificationItems"][0]["NotificationRequestItem"]
    item |= {"merchantAccountCode": "Shop", "merchantReference": "eu:1001"}
    request = resigned(source, json.dumps(document).encode())
    assert Genuine() == judge(source)(request)
    changed = json.loads(request.body)
    item = changed["notificationItems"][0]["NotificationRequestItem"]
    item |= {"merchantAccountCode": "Shop:eu", "merchantReference": "1001"}
    forged = replace(request, body=json.dumps(changed).encode())
    assert isinstance(judge(source)(forged), Forged)


def test_a_field_of_alipay_cannot_hold_another() -> None:
    fields_of = {"sign_type": "RSA2", "sign": "x", "body": "a&out_trade_no=1002"}
    request = RawRequest("POST", "/", "", (), urlencode(fields_of).encode(), AT)
    with pytest.raises(Unreadable):
        alipay.signed(request)
    fields_of["body"] = "Tea & biscuits = good"
    alipay.signed(replace(request, body=urlencode(fields_of).encode()))


# --- what stands where nothing is signed -------------------------------------------------------


@pytest.mark.parametrize("tail", ["confirm", "fail", "cancel", "refund", "pay"])
@pytest.mark.parametrize(
    ("body", "known"),
    [
        ({"Status": "Authorized", "OperationType": "Payment"}, {"authorized"}),
        ({"Status": "Completed", "OperationType": "Payment"}, {"paid"}),
        ({"PaymentTransactionId": "1", "OperationType": "Refund"}, {"partially_refunded", None}),
    ],
)
def test_the_address_of_cloudpayments_does_not_outrank_what_is_signed(
    tail: str, body: Mapping[str, str], known: set[str | None]
) -> None:
    source = simulated.source("cloudpayments")
    said = {"TransactionId": "2", "Amount": "150.00", "Currency": "RUB", "InvoiceId": "1001"}
    request = replace(resigned(source, json.dumps({**said, **body}).encode()), tail=tail)
    assert Genuine() == judge(source)(request)
    built = cloudpayments.PRESET.build(source)
    assert known >= {each.status for each in built.parse(request)}
    kinds = {money.kind for each in built.parse(request) for money in each.money}
    assert kinds <= ({"refunded"} if body["OperationType"] == "Refund" else {"paid"})


def test_spaces_in_an_envelope_of_sns_make_no_other_event() -> None:
    source = simulated.source("amazonsns", key=None, items="events")
    built = preset("amazonsns").build(source)
    inner = json.dumps({"events": [{"a": 1}, {"a": 2}]})
    note = {"Type": "Notification", "MessageId": "m-1", "Message": inner}
    for more in ("", " ", "\n"):
        body = (json.dumps(note) + more).encode()
        found = built.parse(RawRequest("POST", "/", "", (), body, AT))
        digest = hashlib.sha256(b"m-1").hexdigest()
        assert [f"{digest}:0", f"{digest}:1"] == [each.dedupe_key for each in found]


@pytest.mark.parametrize(
    ("event", "fate"),
    [
        ("ORDER_CREATED", Fate.FOLD),
        ("order_created", Fate.FOLD),
        ("ORDER_FULLY_PAID", Fate.UNREADABLE),
        ("ORDER_CANCELLED", Fate.UNREADABLE),
    ],
)
def test_the_event_of_saleor_must_be_the_one_the_body_names(event: str, fate: Fate) -> None:
    source = simulated.source("saleor")
    body = {"__typename": "OrderCreated", "order": {"id": "T3J", "number": "1001"}}
    request = resigned(source, json.dumps(body).encode())
    others = [pair for pair in request.headers if pair[0] != "saleor-event"]
    changed = replace(request, headers=(*others, ("saleor-event", event)))
    assert Genuine() == judge(source)(changed)
    assert [fate] == [each.fate for each in told("saleor", changed)]


def test_an_address_of_shipstation_leads_to_what_is_read_and_to_nothing_else() -> None:
    inquire = preset("shipstation").build(simulated.source("shipstation")).inquire
    (thin,) = told("shipstation", posted(simulated.source("shipstation")))
    assert thin.lookup is not None
    assert inquire(thin.lookup) is not None
    for address in (
        "https://ssapi.shipstation.com/accounts/listtags",
        "https://ssapi.shipstation.com/orders/../accounts",
        "https://ssapi.shipstation.com/orders%2f..%2faccounts",
        "https://ssapi.shipstation.com@evil.example/orders",
        "https://ssapi.shipstation.com.evil.example/orders",
        "https://ssapi.shipstation.com:8443/orders",
        "http://ssapi.shipstation.com/orders",
        "//ssapi.shipstation.com/orders",
        "https://ssapi.shipstation.com/orders\r\nHost: evil.example",
    ):
        assert inquire(thin.lookup._replace(object_id=address)) is None, address


ASKING = [each.name for each in PRESETS if each.asks]
STRANGE = [
    *(
        "{token}",
        "..",
        "../..",
        "a/../../b",
        "1?x=1",
        "1#x",
        "1%2f..",
        "http://127.0.0.1/",
        "//evil.example/",
    ),
    *(
        "1\r\nX: y",
        "1\n",
        "\0",
        "1 2",
        "\u2025/\u2025",
        "\uff0e\uff0e/1",
        "@evil.example",
        "\\\\evil",
    ),
    *("1;v=2", "')/$metadata", "1&admin=true", "tr_1/../../v2/customers", "", " "),
]


@pytest.mark.parametrize("name", ASKING)
def test_an_object_of_any_name_is_asked_for_below_its_own_place_or_not_at_all(name: str) -> None:
    source = simulated.source(name)
    built = preset(name).build(source)
    for sample in simulated.sender(name).samples:
        for said in built.parse(built.redact(posted(source, sample=sample))):
            if said.lookup is None:
                continue
            usual = built.inquire(said.lookup)
            assert usual is not None
            head = said.lookup.object_id.rpartition("/")[0]
            for strange in (*STRANGE, *(f"{head}/{each}" for each in STRANGE)):
                asked = built.inquire(said.lookup._replace(object_id=strange))
                if asked is None:
                    continue
                plain = re.fullmatch(r"[A-Za-z0-9/._%()'$;=-]*", asked.path)
                assert plain, (strange, asked.path)
                assert ".." not in asked.path.split("/"), (strange, asked.path)
                assert not set(asked.query) & set("\r\n# "), (strange, asked.query)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_echoed_is_plain_and_short(name: str) -> None:
    built = preset(name).build(simulated.source(name))
    evil = "%3Cscript%3Ealert(1)%3C/script%3E%0d%0aSet-Cookie:%20a=b"
    names = ("challenge", "validationToken", "echostr", "bt_challenge", "challenge_code", "crc")
    for method in ("GET", "POST", "OPTIONS"):
        for parameter in names:
            asked = RawRequest(method, "/webhooks/x", f"{parameter}={evil}", (), b"", AT)
            reply = built.handshake(asked)
            assert reply is None or b"Set-Cookie" not in reply.body
            if reply is not None and b"<script" in reply.body:
                assert "nosniff" == reply.headers["X-Content-Type-Options"]
                assert not reply.headers["Content-Type"].startswith("text/html")


def test_a_hash_of_fondy_cannot_be_made_longer() -> None:
    """A SHA-1 with the secret before the values goes on where it ended, but not in UTF-8."""
    request = of_fondy()
    said = opened(request)
    assert 40 == len(said["signature"])
    padded = b"51247263" + b"\x80" + b"\0" * 55 + b"|approved"
    for text in (padded.decode("latin-1"), padded.decode("utf-8", "surrogateescape")):
        forged = {**said, "payment_id": text}
        changed = replace(request, body=json.dumps(forged).encode())
        assert isinstance(judge(simulated.source("fondy"))(changed), Forged)
    raw = request.body.replace(b"51247263", padded.replace(b"\0", b"\\u0000"))
    assert isinstance(judge(simulated.source("fondy"))(replace(request, body=raw)), Forged)
    assert hashlib.sha1(b"", usedforsecurity=False).digest_size == 20
