"""Back offices: tests of an address, what is asked of their APIs, and what the answers become."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from service.domain.events import Fate, Lookup, Statement
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, Inquiry, Provider, RawRequest
from service.intake.providers.registry import preset
from service.intake.reading import markup
from service.settings import Source
from tests import simulated
from tests.simulated import AT

COMPANY = "companies(b18aed47-c385-49d2-b954-dbdf8ad71780)"
NUMBER = "(26814998-936a-401c-81c1-0e848a64971d)"


def built(name: str, **rules: Any) -> Provider:
    return preset(name).build(simulated.source(name, **rules))


def asked(method: str, *, path: str = "/webhooks/tested", query: str = "") -> RawRequest:
    return RawRequest(method, path, query, (), b"", AT)


def answer(provider: str, inquiry: Inquiry | None, document: Any, *, ref: str = "") -> Statement:
    """Read an answer as a worker does that asked."""
    assert inquiry is not None
    path, query = "/" + inquiry.path.lstrip("/"), inquiry.query
    request = RawRequest("GET", path, query, (), json.dumps(document).encode(), AT)
    (said,) = built(provider, **({"subject": {"ref": ref}} if ref else {})).parse(request)
    return said


def told(said: Statement) -> tuple[str, str | None, str | None]:
    return said.lifecycle, said.ref, f"{said.lane}.{said.status}"


# --- Business Central --------------------------------------------------------------------------


def central(entity: str, document: dict[str, Any], *, ref: str = "") -> Statement:
    lookup = Lookup("document", f"api/v2.0/{COMPANY}/{entity}{NUMBER}")
    changed = {"id": "26814998", "lastModifiedDateTime": "2026-01-15T10:00:00.443Z"}
    inquiry = built("businesscentral").inquire(lookup)
    return answer("businesscentral", inquiry, changed | document, ref=ref)


def test_business_central_hears_its_validation_token() -> None:
    reply = built("businesscentral").handshake(asked("POST", query="validationToken=abc-1"))
    assert reply is not None
    assert (200, b"abc-1") == (reply.status, reply.body)
    assert reply.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("entity", "document", "becomes"),
    [
        (
            "salesOrders",
            {"number": "S-1", "externalDocumentNumber": "1001", "status": "Open"},
            ("order", None, "fulfillment.new"),
        ),
        (
            "salesOrders",
            {"number": "S-1", "status": "Open", "fullyShipped": True},
            ("order", None, "fulfillment.shipped"),
        ),
        (
            "salesShipments",
            {"number": "SH-1", "orderNumber": "S-1", "externalDocumentNumber": "1001"},
            ("order", None, "fulfillment.shipped"),
        ),
        ("salesInvoices", {"number": "I-1", "status": "Paid"}, ("invoice", "I-1", "payment.paid")),
        (
            "salesInvoices",
            {"number": "I-1", "status": "Corrective"},
            ("invoice", "I-1", "document.credited"),
        ),
    ],
)
def test_a_document_of_business_central_tells_its_status(
    entity: str, document: dict[str, Any], becomes: tuple[str, str | None, str]
) -> None:
    said = central(entity, document)
    assert becomes == told(said)
    assert Fate.FOLD is said.fate
    assert said.occurred_at is not None


@pytest.mark.parametrize(
    ("place", "order", "shipment"),
    [("externalDocumentNumber", "1001", "1001"), ("orderNumber || number", "S-1", "S-1")],
)
def test_a_source_says_which_number_names_an_order_and_an_invoice_keeps_its_own(
    place: str, order: str, shipment: str
) -> None:
    one = {"number": "S-1", "externalDocumentNumber": "1001", "status": "Open"}
    other = {"number": "SH-1", "orderNumber": "S-1", "externalDocumentNumber": "1001"}
    bill = {"number": "I-1", "orderNumber": "S-1", "status": "Paid"}
    assert order == central("salesOrders", one, ref=place).ref
    assert shipment == central("salesShipments", other, ref=place).ref
    assert "I-1" == central("salesInvoices", bill, ref=place).ref


def test_two_customers_with_one_number_are_two_orders() -> None:
    for number in ("S-1", "S-2"):
        document = {"number": number, "externalDocumentNumber": "PO 7", "status": "Open"}
        said = central("salesOrders", document)
        assert (None, [f"order:businesscentral={number}"]) == (said.ref, names(said))


def names(said: Statement) -> list[str]:
    return [str(alias) for alias in said.aliases]


def test_a_document_in_review_moves_nothing_and_an_unknown_word_is_unmapped() -> None:
    assert central("salesOrders", {"number": "S-1", "status": "In Review"}).status is None
    assert Fate.UNMAPPED is central("salesOrders", {"number": "S-1", "status": "Odd"}).fate


@pytest.mark.parametrize(
    "resource",
    [
        "api/v2.0/../../secrets",
        f"api/v2.0/{COMPANY}/salesOrders{NUMBER}/../x",
        f"https://evil.example/api/v2.0/{COMPANY}/salesOrders{NUMBER}",
        f"api/v2.0/{COMPANY}/salesOrders?$filter=x",
        "",
    ],
)
def test_only_documents_of_a_company_are_asked_for(resource: str) -> None:
    assert built("businesscentral").inquire(Lookup("document", resource)) is None


def batch(*states: str | None) -> RawRequest:
    source = simulated.source("businesscentral")
    item = {
        "subscriptionId": "a",
        "resource": f"api/v2.0/{COMPANY}/salesOrders{NUMBER}",
        "changeType": "updated",
    }
    items = [
        item
        | {"lastModifiedDateTime": f"2026-01-15T10:0{place}:00Z"}
        | ({} if state is None else {"clientState": state})
        for place, state in enumerate(states)
    ]
    body = json.dumps({"value": items}).encode()
    return replace(simulated.posted(source), body=body)


SECRET = "user:secret-old"


def test_the_item_with_a_wrong_client_state_is_left_out_and_the_batch_is_taken() -> None:
    provider, request = built("businesscentral"), batch(SECRET, "wrong", None)
    assert Genuine() == provider.verify(request, now=AT, keys=NO_KEYS)
    stored = provider.redact(request)
    assert SECRET.encode() not in stored.body
    assert b"wrong" not in stored.body
    assert stored == provider.redact(stored)
    fates = [said.fate for said in provider.parse(stored)]
    assert [Fate.LOOK_UP, Fate.IGNORED, Fate.IGNORED] == fates
    assert provider.parse(request) == provider.parse(stored)


@pytest.mark.parametrize(
    ("states", "cause"),
    [
        ((), Cause.MISSING),
        ((None,), Cause.MISSING),
        (("",), Cause.MISSING),
        (("wrong", None), Cause.WRONG_SECRET),
        (("redacted",), Cause.WRONG_SECRET),
    ],
)
def test_a_batch_without_any_right_client_state_is_refused(
    states: tuple[str | None, ...], cause: Cause
) -> None:
    judged = built("businesscentral").verify(batch(*states), now=AT, keys=NO_KEYS)
    assert isinstance(judged, Forged)
    assert cause is judged.cause


def test_a_refusal_never_ends_a_subscription_of_business_central() -> None:
    assert 503 == built("businesscentral").refusal


# --- Odoo --------------------------------------------------------------------------------------


def odoo(model: str, **fields: Any) -> Statement:
    record = {"_model": model, "_id": 8, "write_date": "2026-01-15 10:00:00", "state": "done"}
    body = json.dumps(record | fields).encode()
    (said,) = built("odoo").parse(replace(asked("POST"), body=body))
    return said


@pytest.mark.parametrize("origin_id", [7, [7, "WH/OUT/00007"]])
def test_a_return_of_odoo_finds_its_order_by_the_transfer_it_undoes(origin_id: Any) -> None:
    out = odoo("stock.picking", _id=7, name="WH/OUT/00007", origin="S00021", return_id=False)
    back = odoo(
        "stock.picking",
        name="WH/IN/00008",
        origin="Return of WH/OUT/00007",
        picking_type_code="incoming",
        return_id=origin_id,
        carrier_tracking_ref="R1",
    )
    assert ["order:odoo=S00021", "transfer:odoo=7"] == names(out)
    assert (["transfer:odoo=7"], "returned_to_stock") == (names(back), back.status)
    assert {"transfer": "WH/IN/00008"} == back.attributes


def test_drafts_of_invoices_are_not_all_one_invoice() -> None:
    draft = odoo("account.move", name="/", state="draft", invoice_origin=False)
    posted = odoo("account.move", name="INV/1", state="posted", payment_state="not_paid")
    assert (None, {}) == (draft.ref, dict(draft.attributes))
    assert ["invoice:odoo=8"] == names(draft) == names(posted)
    assert "INV/1" == posted.ref


# --- SAP ---------------------------------------------------------------------------------------


def sap(kind: str, document: dict[str, Any]) -> Statement:
    inquiry = built("saps4").inquire(Lookup("document", f"{kind} 5001"))
    return answer("saps4", inquiry, {"d": document})


def test_sap_may_test_the_address() -> None:
    request = replace(asked("OPTIONS"), headers=(("webhook-request-origin", "em.example"),))
    reply = built("saps4").handshake(request)
    assert reply is not None
    assert "em.example" == reply.headers["WebHook-Allowed-Origin"]


def test_a_sales_order_of_sap_tells_its_status_and_the_time_odata_writes() -> None:
    said = sap(
        "order",
        {
            "SalesOrder": "5001",
            "PurchaseOrderByCustomer": "1001",
            "OverallSDProcessStatus": "B",
            "OverallSDDocumentRejectionSts": "A",
            "LastChangeDateTime": "/Date(1768471200000+0000)/",
            "TotalNetAmount": "149.90",
            "TransactionCurrency": "EUR",
        },
    )
    assert ("order", None, "order.confirmed") == told(said)
    assert ["order:saps4=5001"] == names(said)
    assert said.occurred_at is not None
    assert "2026-01-15T10:00:00+00:00" == said.occurred_at.isoformat()
    assert "149.90" == said.attributes["amount"]
    rejected = sap("order", {"SalesOrder": "5001", "OverallSDDocumentRejectionSts": "C"})
    assert ("order", None, "order.cancelled") == told(rejected)


@pytest.mark.parametrize(
    ("picking", "goods", "status"),
    [
        ("A", "A", "new"),
        ("B", "A", "picking"),
        ("C", "", "packed"),
        ("C", "B", "partially_shipped"),
        ("C", "C", "shipped"),
    ],
)
def test_a_delivery_of_sap_finds_its_order_by_the_number_of_the_sales_order(
    picking: str, goods: str, status: str
) -> None:
    items = {"results": [{"ReferenceSDDocument": "5001"}]}
    said = sap(
        "delivery",
        {
            "DeliveryDocument": "80000001",
            "OverallPickingStatus": picking,
            "OverallGoodsMovementStatus": goods,
            "to_DeliveryDocumentItem": items,
        },
    )
    assert (status, "80000001") == (said.status, said.parcel)
    assert ["order:saps4=5001"] == [str(alias) for alias in said.aliases]


@pytest.mark.parametrize("named", ["order 5001'", "order ../x", "customer 1", "order", ""])
def test_only_documents_with_a_number_are_asked_of_sap(named: str) -> None:
    assert built("saps4").inquire(Lookup("document", named)) is None


# --- sealed envelopes --------------------------------------------------------------------------


def test_wecom_hears_what_its_echo_holds() -> None:
    source = simulated.source("wecom")
    sealed = simulated.resigned(source, b"1616140317555161061")
    text = markup.read(sealed.body)["xml"]["Encrypt"]  # type: ignore[index,call-overload]
    query = f"{sealed.query}&{urlencode({'echostr': str(text)})}"
    reply = preset("wecom").build(source).handshake(asked("GET", query=query))
    assert reply is not None
    assert b"1616140317555161061" == reply.body


def test_feishu_hears_its_challenge_though_the_test_is_not_signed() -> None:
    source = simulated.source("lark")
    event = {"challenge": "ajls384kdjx98XX", "token": "t", "type": "url_verification"}
    sealed = simulated.resigned(source, json.dumps(event).encode())
    reply = preset("lark").build(source).handshake(replace(sealed, headers=()))
    assert reply is not None
    assert {"challenge": "ajls384kdjx98XX"} == json.loads(reply.body)


def opened(source: Source, reply: dict[str, Any]) -> bytes:
    """Open an answer as DingTalk does: it is an envelope like those it posts."""
    query = urlencode(
        {
            "msg_signature": reply["msg_signature"],
            "timestamp": reply["timeStamp"],
            "nonce": reply["nonce"],
        }
    )
    body = json.dumps({"encrypt": reply["encrypt"]}).encode()
    guard = preset("dingtalk").build(source)
    request = replace(simulated.posted(source), query=query, body=body)
    assert Genuine() == guard.verify(request, now=AT, keys=NO_KEYS)
    return guard.guard.open(request).body  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("sample", ["approved", "check_url"])
def test_dingtalk_is_answered_with_a_sealed_success(sample: str) -> None:
    source = simulated.source("dingtalk")
    reply = preset("dingtalk").build(source).acknowledge(simulated.posted(source, sample=sample))
    assert reply is not None
    assert b"success" == opened(source, json.loads(reply.body))


@pytest.mark.parametrize("name", ["dingtalk", "wecom", "yonyou"])
def test_an_envelope_for_somebody_else_is_not_opened(name: str) -> None:
    source = simulated.source(name)
    other = source.model_copy(update={"options": {"receiver": "somebody-else"}})
    (said,) = preset(name).build(other).parse(simulated.posted(source))
    assert Fate.UNREADABLE is said.fate
    assert "another" in said.note
