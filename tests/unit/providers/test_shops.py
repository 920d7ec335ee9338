"""Shops: what the contract suite does not ask of them, each of its own kind."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Revocation
from service.domain.keys import body_key
from service.intake.provider import Forged, Genuine, RawRequest, Wanted
from service.intake.providers.registry import preset
from service.intake.providers.shops import amazonsns, ebay, saleor, woocommerce
from service.intake.verification import material
from service.intake.verification.material import NoKey
from service.sandbox.senders.shops.ebay import seal
from service.settings import Secret
from tests import simulated
from tests.simulated import AT, posted, source

URL = "https://hooks.example.com/webhooks/tested"
CODE, TOKEN = "a8628072-3d33-45ee-9004-bee86830a22d", "71745723-d031-455c-bfa5-f90d11b4f20a"


def asked(query: str, *, method: str = "GET", body: bytes = b"", url: str = URL) -> RawRequest:
    return RawRequest(method, "/webhooks/tested", query, (), body, AT, url=url)


# --- eBay --------------------------------------------------------------------------------------


def challenged(request: RawRequest, **options: Any) -> Any:
    reply = ebay.build(source("ebay", options=options)).handshake(request)
    return json.loads(reply.body)["challengeResponse"] if reply else None


def test_ebay_is_told_the_hash_of_code_token_and_address() -> None:
    # Computed by the formula of eBay's own SDK, validateEndpoint.
    expected = "ca527df75caa230092d7e90484071e8f05d63068f1317973d6a3a42593734bbb"
    given = {"verification_token": TOKEN, "url": "http://www.testendpoint.com/webhook"}
    assert expected == challenged(asked(f"challenge_code={CODE}"), **given)


def test_ebay_is_told_of_the_configured_address_where_the_source_sets_none() -> None:
    query = f"challenge_code={CODE}"
    expected = hashlib.sha256(f"{CODE}{TOKEN}{URL}".encode()).hexdigest()
    assert expected == challenged(asked(query, url=f"{URL}?{query}"), verification_token=TOKEN)


@pytest.mark.parametrize(
    "request_",
    [
        asked(f"challenge_code={CODE}", method="POST"),
        asked("challenge_code=%00"),
        asked("challenge_code="),
        asked("challenge_code=a&challenge_code=b"),
        asked(""),
        asked(f"challenge_code={CODE}", url=""),
    ],
)
def test_what_is_no_test_of_ebay_is_not_answered(request_: RawRequest) -> None:
    assert challenged(request_, verification_token=TOKEN) is None


def test_ebay_without_a_verification_token_answers_no_test() -> None:
    assert challenged(asked(f"challenge_code={CODE}")) is None


def judged(request: RawRequest, **rules: Any) -> Any:
    return ebay.build(source("ebay", **rules)).verify(request, now=AT)


def test_the_key_of_ebay_is_asked_for_by_its_id_of_one_host_alone() -> None:
    kid = "9936261a-7d7b-4621-a0f1-96ccb428af49"
    path = f"/commerce/notification/v1/public_key/{kid}"
    request = posted(source("ebay"))
    assert Wanted(f"https://api.ebay.com{path}", authorized=True) == judged(request)
    sandbox = judged(request, options={"sandbox": True})
    assert Wanted(f"https://api.sandbox.ebay.com{path}", authorized=True) == sandbox


@pytest.mark.parametrize("kid", ["", "../../oauth", "a/b", "a?b=c", "é", "x" * 65])
def test_a_key_id_that_would_lead_elsewhere_is_refused(kid: str) -> None:
    request = posted(source("ebay"))
    header = ("x-ebay-signature", seal({"kid": kid, "signature": "AAAA"}))
    headers = [pair for pair in request.headers if pair[0] != header[0]]
    assert isinstance(judged(replace(request, headers=[*headers, header])), Forged)


def test_ebay_signs_what_javascript_writes_so_spaces_do_not_matter() -> None:
    own = source("ebay")
    request = posted(own)
    spaced = replace(request, body=json.dumps(json.loads(request.body), indent=1).encode())
    assert Genuine() == simulated.judged(own, spaced)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"key":1}', b'{"key":"no key"}'])
def test_an_answer_of_ebay_without_a_key_holds_none(answer: bytes) -> None:
    with pytest.raises(NoKey):
        ebay.document(answer)


# --- WooCommerce -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        (b"plain & simple", b"plain & simple"),
        (b"a&amp;b&quot;c&#039;d&lt;e&gt;f", b"a&b\"c'd<e>f"),
        (b"&#39;&#x27;&#X0022;&#0034;&#38;&#x26;", b"''\"\"&&"),
        (b"&amp;lt;", b"&lt;"),
        (b"&apos;&nbsp;&AMP;&amp", b"&apos;&nbsp;&AMP;&amp"),
    ],
)
def test_a_secret_of_woocommerce_is_decoded_once_as_wordpress_does(
    secret: bytes, key: bytes
) -> None:
    assert key == woocommerce.unescaped(secret)


@pytest.mark.parametrize(
    ("body", "status"), [(b"webhook_id=7", 200), (b"webhook_id=7&a=b", 0), (b"webhook_id=x", 0)]
)
def test_the_ping_of_woocommerce_reads_exactly_200(body: bytes, status: int) -> None:
    built = woocommerce.build(source("woocommerce"))
    reply = built.handshake(asked("", method="POST", body=body))
    assert status == (reply.status if reply else 0)


def test_the_same_order_under_another_topic_is_another_event() -> None:
    own = source("woocommerce")
    request = posted(own)
    others = [pair for pair in request.headers if pair[0] != "x-wc-webhook-topic"]
    created = replace(request, headers=[*others, ("x-wc-webhook-topic", "order.created")])
    built = woocommerce.build(own)
    keys = [{said.dedupe_key for said in built.parse(each)} for each in (request, created)]
    assert keys[0].isdisjoint(keys[1])
    (said,) = built.parse(replace(request, headers=others))
    assert (Fate.UNREADABLE, body_key(request.body)) == (said.fate, said.dedupe_key)


@pytest.mark.parametrize("refunds", [None, "junk", ["junk"], [{"id": 1}], [{"total": "-1"}], [{}]])
def test_refunds_that_cannot_be_read_move_no_money(refunds: Any) -> None:
    body = json.dumps({"number": "1", "status": "processing", "refunds": refunds}).encode()
    said = woocommerce.build(source("woocommerce")).parse(
        simulated.resigned(source("woocommerce"), body)
    )
    assert all(each.money == () for each in said)


# --- Saleor ------------------------------------------------------------------------------------


def test_a_cancelled_fulfilment_takes_back_what_was_told_of_it() -> None:
    own = source("saleor")
    built = preset("saleor").build(own)
    made = [built.parse(posted(own, sample=sample))[0] for sample in ("packed", "shipped")]
    taken = built.parse(posted(own, sample="taken_back"))
    assert {Revocation("tested", said.dedupe_key) for said in made} < {
        said.revokes for said in taken
    }
    assert all(said.dedupe_key.endswith(":revoked") for said in taken)
    assert not any(alias.type == "tracking" for said in taken for alias in said.aliases)


def test_a_fulfilment_of_a_very_long_id_can_still_be_taken_back() -> None:
    own = source("saleor")
    built, key = preset("saleor").build(own), "x" * 256
    body = json.dumps({"order": {"number": "1"}, "fulfillment": {"id": key}}).encode()
    made, taken = (
        built.parse(simulated.resigned(own, body, sample=sample))[0]
        for sample in ("packed", "taken_back")
    )
    assert Revocation("tested", made.dedupe_key) == taken.revokes
    assert len(taken.dedupe_key) <= 256


def test_a_cancelled_fulfilment_without_an_order_is_a_dead_letter() -> None:
    own = source("saleor")
    body = json.dumps({"fulfillment": {"id": "a"}}).encode()
    said = preset("saleor").build(own).parse(simulated.resigned(own, body, sample="taken_back"))
    assert {Fate.UNRESOLVED} == {each.fate for each in said}


def test_saleor_asks_for_the_keys_of_the_configured_shop_whatever_the_request_says() -> None:
    own = source("saleor")
    request = posted(own)
    others = [pair for pair in request.headers if pair[0] != "saleor-api-url"]
    evil = replace(request, headers=[*others, ("saleor-api-url", "https://evil.example/graphql/")])
    wanted = Wanted("https://sandbox.saleor.cloud/.well-known/jwks.json")
    assert wanted == preset("saleor").build(own).verify(evil, now=AT)


@pytest.mark.parametrize("domain", ["", "evil.example/x", "a:8080", "user@a", "A b"])
def test_a_domain_of_saleor_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(ConfigurationError, match="without https and a path"):
        saleor.build(source("saleor", options={"domain": domain}))


def test_saleor_without_domain_and_secrets_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="whose keys to trust"):
        saleor.build(source("saleor", options={}))


def test_a_secret_key_of_saleor_is_judged_by_the_deprecated_scheme_alone() -> None:
    own = source("saleor", secrets=(Secret.plain("secret key"),))
    request = posted(source("saleor"))
    assert isinstance(saleor.build(own).verify(request, now=AT), Forged)
    digest = hashlib.sha256  # HMAC as in RFC 2104, written out.
    block = b"secret key".ljust(64, b"\0")
    inner = digest(bytes(each ^ 0x36 for each in block) + request.body).digest()
    proof = digest(bytes(each ^ 0x5C for each in block) + inner).hexdigest()
    others = [pair for pair in request.headers if pair[0] != "saleor-signature"]
    keyed = replace(request, headers=[*others, ("saleor-signature", proof)])
    assert Genuine() == saleor.build(own).verify(keyed, now=AT)


# --- Amazon SNS --------------------------------------------------------------------------------


def test_the_id_of_sns_is_that_of_the_signed_body_and_not_of_the_header() -> None:
    own = source("amazonsns")
    request = posted(own)
    others = [pair for pair in request.headers if pair[0] != amazonsns.ID]
    forged = replace(request, headers=[*others, (amazonsns.ID, "another")])
    (said,) = preset("amazonsns").build(own).parse(forged)
    assert "evt-1" == said.dedupe_key


def test_equal_messages_of_sns_that_nobody_can_read_are_several() -> None:
    own = source("amazonsns")
    built = preset("amazonsns").build(own)
    keys = set()
    for number in ("a", "b"):
        note = {"Type": "Notification", "MessageId": number, "Message": "hello"}
        body = json.dumps(note).encode()
        (said,) = built.parse(asked("", method="POST", body=body))
        assert (Fate.UNREADABLE, body_key(body)) == (said.fate, said.dedupe_key)
        keys.add(said.dedupe_key)
    assert len(keys) == 2


def test_a_new_type_of_sns_is_a_dead_letter() -> None:
    note = {"Type": "Postcard", "MessageId": "1", "Message": "{}"}
    built = preset("amazonsns").build(source("amazonsns"))
    (said,) = built.parse(asked("", method="POST", body=json.dumps(note).encode()))
    assert (Fate.UNMAPPED, "`Postcard` is no type of message we know.") == (said.fate, said.note)


def test_a_message_of_sns_may_tell_its_own_time() -> None:
    own = source("amazonsns", occurred_at="at")
    note = {"Type": "Notification", "MessageId": "1", "Timestamp": "2026-01-15T10:30:00Z"}
    inner = {"order": "1", "status": "picking", "at": "2026-01-15T10:00:00Z"}
    body = json.dumps({**note, "Message": json.dumps(inner)}).encode()
    (said,) = preset("amazonsns").build(own).parse(asked("", method="POST", body=body))
    assert said.occurred_at is not None
    assert 0 == said.occurred_at.minute


def test_items_of_a_message_of_sns_are_events_of_their_own() -> None:
    own = source("amazonsns", items="orders", status=None)
    built = preset("amazonsns").build(own)
    orders = [{"order": "1", "amount": 1}, {"order": "2", "amount": 2}]
    keys = set()
    for number in ("a", "b"):
        note = {
            "Type": "Notification",
            "MessageId": number,
            "Message": f'{{"orders":{json.dumps(orders)}}}',
        }
        said = built.parse(asked("", method="POST", body=json.dumps(note).encode()))
        assert ["1", "2"] == [each.ref for each in said]
        assert {Fate.FOLD} == {each.fate for each in said}
        keys |= {each.dedupe_key for each in said}
    assert len(keys) == 4


def test_a_source_of_sns_must_say_where_the_order_number_is() -> None:
    with pytest.raises(ConfigurationError, match="does not say where the order number is"):
        amazonsns.build(source("amazonsns", subject={}))


def test_material_of_ebay_without_line_breaks_is_a_key() -> None:
    document = next(iter(simulated.documents("ebay").values()))
    assert 1 == len(ebay.document(document))
    assert isinstance(ebay.document(document)[0], material.Key)
