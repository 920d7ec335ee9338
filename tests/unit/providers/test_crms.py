"""CRMs as senders: what their records mean once asked for, and what of it is our own."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Fate, Lookup, Statement
from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.crms import bitrix24, hubspot, salesforce
from service.intake.providers.registry import preset
from service.intake.verification.enclosed import REDACTED
from service.settings import Secret, Source
from tests import simulated

AT = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
CHANGED = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def answered(provider: str, document: object, **rules: Any) -> list[Statement]:
    """Read what the API of a CRM answers."""
    source = simulated.source(provider, **rules)
    request = RawRequest("GET", "/record", "", (), orjson.dumps(document), AT)
    return list(preset(provider).build(source).parse(request))


def item(**news: Any) -> dict[str, Any]:
    told = {
        "id": 7405,
        "entityTypeId": 2,
        "stageId": "WON",
        "originId": "A-1",
        "title": "Order A-1",
        "opportunity": 999.9,
        "currencyId": "EUR",
        "updatedBy": 1,
        "movedBy": 1,
        "updatedTime": "2026-01-15T12:30:00+02:00",
        "movedTime": "2026-01-15T12:00:00+02:00",
    }
    return {"result": {"item": told | news}, "time": {"operating": 0}}


def test_a_deal_of_bitrix24_becomes_its_order() -> None:
    (said,) = answered("bitrix24", item())
    assert ("A-1", "order", "confirmed", CHANGED) == (
        said.ref,
        said.lane,
        said.status,
        said.occurred_at,
    )
    assert {
        "amount": "999.9",
        "currency": "EUR",
        "crm_stage": "WON",
        "deal_name": "Order A-1",
    } == said.attributes
    assert (Alias("deal:bitrix24", "7405"),) == said.aliases


def test_an_open_stage_of_bitrix24_only_carries_facts_and_an_unknown_one_is_told() -> None:
    (said,) = answered("bitrix24", item(stageId="EXECUTING"))
    assert (Fate.FOLD, None) == (said.fate, said.status)
    (said,) = answered("bitrix24", item(stageId="C2:HAGGLING"))
    assert Fate.UNMAPPED is said.fate
    (said,) = answered("bitrix24", item(stageId="C2:WON"), statuses={"C2:WON": "order.confirmed"})
    assert "confirmed" == said.status


@pytest.mark.parametrize(
    ("updated", "moved", "fate"),
    [(17, 17, Fate.IGNORED), (1, 17, Fate.FOLD), (17, 1, Fate.FOLD), (1, 1, Fate.FOLD)],
)
def test_a_deal_is_our_own_write_only_if_we_changed_and_moved_it_last(
    updated: int, moved: int, fate: Fate
) -> None:
    (said,) = answered("bitrix24", item(updatedBy=updated, movedBy=moved))
    assert fate is said.fate


@pytest.mark.parametrize(
    ("provider", "ours", "edits"),
    [
        (
            "bitrix24",
            {"updatedBy": 17, "movedBy": 17},
            ({"opportunity": 500.5}, {"originId": "A-2"}, {"stageId": "LOSE"}),
        ),
        (
            "zoho",
            {"Modified_By": {"id": "17"}},
            ({"Amount": 500.5}, {"Order_No": "A-2"}, {"Stage": "Closed Lost"}),
        ),
    ],
)
def test_what_a_person_changes_in_the_second_of_our_own_write_is_another_event(
    provider: str, ours: dict[str, Any], edits: tuple[dict[str, Any], ...]
) -> None:
    make = item if provider == "bitrix24" else record
    options = {"own_user": "17"}
    versions = [make(), make(**ours), *(make(**edit) for edit in edits)]
    said = [answered(provider, each, options=options)[0] for each in versions]
    assert len(versions) == len({each.dedupe_key for each in said})
    assert [False, True, False, False, False] == [each.fate is Fate.IGNORED for each in said]


def test_the_order_number_may_stand_in_another_field() -> None:
    options = {"order_field": "ufCrm_17"}
    (said,) = answered("bitrix24", item(ufCrm_17="B-2"), options=options)
    assert "B-2" == said.ref
    for wrong in ("a.b", "x || y", True, 'a"b'):
        source = simulated.source("bitrix24", options={"order_field": wrong})
        with pytest.raises(ConfigurationError, match="order_field of the source tested"):
            preset("bitrix24").build(source)


def test_a_deal_without_an_order_number_waits_under_its_own_name() -> None:
    (said,) = answered("bitrix24", item(originId=None))
    assert (Fate.FOLD, None, "confirmed") == (said.fate, said.ref, said.status)
    assert (Alias("deal:bitrix24", "7405"),) == said.aliases


def test_the_tokens_of_an_application_are_not_kept() -> None:
    body = (
        b"event=ONCRMDEALADD&auth[access_token]=abc&auth%5Brefresh_token%5D=def&data[FIELDS][ID]=7"
    )
    source = simulated.source("bitrix24")
    kept = preset("bitrix24").build(source).redact(simulated.resigned(source, body))
    assert b"abc" not in kept.body
    assert b"def" not in kept.body
    assert b"secret" not in kept.body


@pytest.mark.parametrize("wrong", ["", "7", "2/7/8", "2/7&x=1", "2/../7", "\u0661/7"])
def test_no_id_leads_an_inquiry_elsewhere(wrong: str) -> None:
    assert bitrix24.ask(Lookup("item", wrong)) is None
    assert hubspot.ask("order_no", Lookup("record", wrong)) is None


def test_bitrix24_is_asked_for_the_item() -> None:
    asked = bitrix24.ask(Lookup("item", "2/7405"))
    assert asked is not None
    assert ("/rest/{token}/crm.item.get", "entityTypeId=2&id=7405") == (asked.path, asked.query)


def deal(**properties: str) -> dict[str, Any]:
    told = {"dealstage": "closedwon", "merchant_order_no": "A-1", "amount": "149.90"}
    return {"id": "512", "properties": told | properties, "updatedAt": "2026-01-15T10:30:00Z"}


def test_a_deal_of_hubspot_becomes_its_order() -> None:
    (said,) = answered("hubspot", deal(deal_currency_code="EUR"))
    assert ("A-1", "confirmed", CHANGED) == (said.ref, said.status, said.occurred_at)
    assert "149.90" == said.attributes["amount"]
    assert (Alias("deal:hubspot", "512"),) == said.aliases
    (said,) = answered("hubspot", deal(dealstage="closedlost", closed_lost_reason="price"))
    assert ("cancelled", "price") == (said.status, said.reason)
    (said,) = answered("hubspot", deal(dealstage="987654"))
    assert Fate.UNMAPPED is said.fate


def test_hubspot_is_asked_for_the_properties_that_are_read() -> None:
    asked = hubspot.ask("order_no", Lookup("record", "0-3/512"))
    assert asked is not None
    assert "/crm/v3/objects/0-3/512" == asked.path
    assert "dealstage" in asked.query
    assert asked.query.endswith("order_no")


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_an_older_signature_of_hubspot_is_not_taken_for_the_newest(version: str) -> None:
    source = simulated.source("hubspot", options={"signature": version})
    answer = simulated.judged(source, simulated.posted(simulated.source("hubspot")))
    assert isinstance(answer, Forged)
    assert Cause.MISSING is answer.cause
    with pytest.raises(ConfigurationError, match="knows no signature v4"):
        preset("hubspot").build(simulated.source("hubspot", options={"signature": "v4"}))


def record(**news: Any) -> dict[str, Any]:
    told = {
        "id": "5725",
        "Stage": "Closed Won",
        "Order_No": "A-1",
        "Deal_Name": "Lamp",
        "Amount": 12.5,
        "Currency": "EUR",
        "Modified_By": {"id": "99", "name": "Anna"},
        "Modified_Time": "2026-01-15T16:00:00+05:30",
    }
    return {"data": [told | news]}


def test_a_record_of_zoho_becomes_its_order() -> None:
    (said,) = answered("zoho", record())
    assert ("A-1", "confirmed", CHANGED) == (said.ref, said.status, said.occurred_at)
    assert ("12.5", "EUR") == (said.attributes["amount"], said.attributes["currency"])
    (said,) = answered("zoho", record(), options={"own_user": "99"})
    assert Fate.IGNORED is said.fate
    (said,) = answered("zoho", record(Stage=None, Status="Delivered"))
    assert ("delivery", "delivered") == (said.lane, said.status)


def test_salesforce_reads_exactly_its_acknowledgement_and_no_session_is_kept() -> None:
    source = simulated.source("salesforce")
    built = preset("salesforce").build(source)
    body = (
        b"<a><SessionId>00D!x</SessionId><x:SessionId a='b'>y</x:SessionId><SessionId n='t'/></a>"
    )
    request = simulated.resigned(source, body)
    kept = built.redact(request)
    word = REDACTED.encode()
    assert body.replace(b"00D!x", word).replace(b">y<", b">" + word + b"<") == kept.body
    assert kept == built.redact(kept)
    assert built.acknowledge(kept) == salesforce.ACK
    assert b"<Ack>true</Ack>" in salesforce.ACK.body
    assert Genuine() == simulated.judged(source, request)


@pytest.mark.parametrize("provider", ["bitrix24", "hubspot", "zoho"])
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"data":5}', b"junk"])
def test_an_answer_that_is_no_record_is_unreadable(provider: str, body: bytes) -> None:
    source = simulated.source(provider)
    request = RawRequest("GET", "/record", "", (), body, AT)
    said = preset(provider).build(source).parse(request)
    assert all(each.fate is Fate.UNREADABLE for each in said)


@pytest.mark.parametrize(
    "element",
    [
        "<SessionId>00D!secret</SessionId>",
        '<SessionId xmlns="http://soap.sforce.com/2005/09/outbound">00D!secret</SessionId>',
        "<SessionId><![CDATA[00D!secret]]></SessionId>",
        "<SessionId><!-- a note -->00D!secret</SessionId>",
        "<out-1:SessionId >00D!secret</out-1:SessionId >",
        "<SessionId a='>'>00D!secret</SessionId>",
        "<SessionId>00D!secret",
    ],
)
def test_no_spelling_of_a_session_id_is_kept(element: str) -> None:
    source = Source.model_validate(
        {"name": "crm", "provider": "salesforce", "url_token": Secret.plain("t" * 32)}
    )
    body = f"<notifications>{element}<Notification/></notifications>".encode()
    request = RawRequest("POST", "/webhooks/crm/x", "", (), body, AT, tail="t" * 32)
    assert b"secret" not in preset("salesforce").build(source).redact(request).body
