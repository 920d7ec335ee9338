"""Bitrix24's own client works with our simulated portal: URL and webhook in, nothing out."""

import sys

import requests
from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook, Client
from b24pysdk.errors import BitrixAPIError
from b24pysdk.errors.oauth import BitrixOAuthInvalidGrant

URL, WEBHOOK = sys.argv[1:3]
DEAL = 2


class Loopback(requests.adapters.HTTPAdapter):
    """The client speaks https to the portal and to oauth.bitrix24.tech; both are here."""

    def send(self, request, *args, **kwargs):
        path = request.url.partition("://")[2].partition("/")[2]
        request.url = f"{URL}/{path}"
        return super().send(request, *args, **kwargs)


requests.sessions.HTTPAdapter = Loopback
DOMAIN = URL.partition("://")[2]
CLIENT = Client(BitrixWebhook(domain=DOMAIN, webhook_token=WEBHOOK), max_retries=1)
ITEM = CLIENT.crm.item


def asked(key):
    return ITEM.list(
        entity_type_id=DEAL,
        select=["id", "originId", "stageId", "updatedTime"],
        filter={"=originId": key, "=originatorId": "orderhook"},
        order={"id": "ASC"},
        start=-1,
    )


def refusal(call):
    try:
        call.result  # noqa: B018  # reading it makes the call
    except BitrixAPIError as error:
        return type(error).__name__, error.error
    raise AssertionError(call)


def one_by_one():
    [deal] = asked("A-1").result["items"]
    assert (deal["originId"], deal["stageId"]) == ("A-1", "NEW"), deal
    number = deal["id"]
    fields = {"stageId": "WON", "opportunity": 49.9, "noSuchField": "x"}
    item = ITEM.update(bitrix_id=number, fields=fields, entity_type_id=DEAL).result["item"]
    assert (item["stageId"], item["opportunity"]) == ("WON", 49.9), item
    assert "noSuchField" not in item
    item = ITEM.get(bitrix_id=number, entity_type_id=DEAL).result["item"]
    assert item["stageId"] == "WON", item
    made = ITEM.add(fields={"originId": "A-3", "title": "№ 7"}, entity_type_id=DEAL).result["item"]
    assert asked("A-3").result["items"] == []
    own = {"UF_CRM_TRACKING": "LT-1"}
    item = ITEM.update(
        bitrix_id=made["id"], fields=own, entity_type_id=DEAL, use_original_uf_names=True
    ).result["item"]
    assert item["UF_CRM_TRACKING"] == "LT-1", item
    comment = {"ENTITY_ID": number, "ENTITY_TYPE": "deal", "COMMENT": "Paid."}
    assert isinstance(CLIENT.crm.timeline.comment.add(fields=comment).result, int)


def refusals():
    bad = ITEM.update(bitrix_id=1001, fields={"stageId": "NOWHERE"}, entity_type_id=DEAL)
    assert refusal(bad)[1] == "CRM_FIELD_ERROR_VALUE_NOT_VALID"
    assert refusal(ITEM.get(bitrix_id=9, entity_type_id=DEAL)) == ("BitrixAPINotFound", "NOT_FOUND")
    assert refusal(ITEM.get(bitrix_id=1001, entity_type_id=9999))[1] == "NOT_FOUND"
    stranger = Client(BitrixWebhook(domain=DOMAIN, webhook_token="1/wrong"), max_retries=1)
    assert refusal(stranger.crm.item.get(bitrix_id=1001, entity_type_id=DEAL))[1] == "NO_AUTH_FOUND"


def batches():
    calls = {
        "found": asked("A-2"),
        "none": asked("A-9"),
        "text": ITEM.update(
            bitrix_id=1002, fields={"title": "a&b=c [1] № 7 50%"}, entity_type_id=DEAL
        ),
        "bad": ITEM.update(bitrix_id=1002, fields={"stageId": "NOWHERE"}, entity_type_id=DEAL),
        "good": ITEM.update(bitrix_id=1002, fields={"stageId": "PREPARATION"}, entity_type_id=DEAL),
    }
    answer = CLIENT.call_batch(calls).result
    assert [each["id"] for each in answer.result["found"]["items"]] == [1002], answer.result
    assert answer.result["none"]["items"] == []
    assert answer.result["text"]["item"]["title"] == "a&b=c [1] № 7 50%"
    assert list(answer.result_error) == ["bad"], answer.result_error
    assert answer.result_error["bad"]["error"] == "CRM_FIELD_ERROR_VALUE_NOT_VALID"
    assert answer.result["good"]["item"]["stageId"] == "PREPARATION"
    assert answer.result_time["good"].operating >= 0
    stopped = CLIENT.call_batch(calls, halt=True).result
    assert "good" not in stopped.result, stopped.result


def shop():
    [order] = CLIENT.sale.order.list(filter={"=xmlId": "A-1"}).result["orders"]
    paid = CLIENT.sale.order.update(bitrix_id=order["id"], fields={"statusId": "P"})
    order = paid.result["order"]
    assert order["statusId"] == "P", order
    assert refusal(CLIENT.sale.order.get(bitrix_id=9))[1] == "200540400001"


def tokens():
    app = BitrixApp(client_id="app-1", client_secret="app-secret")
    try:
        app.refresh_oauth_token("unknown", max_retries=1)
    except BitrixOAuthInvalidGrant:
        pass
    else:
        raise AssertionError(app)
    old = BitrixToken(domain=DOMAIN, auth_token="access-old", bitrix_app=app)
    old.refresh_token = "refresh-first"
    item = (
        Client(old, max_retries=1).crm.item.get(bitrix_id=1001, entity_type_id=DEAL).result["item"]
    )
    assert item["id"] == 1001, item
    assert old.refresh_token != "refresh-first", "it is given anew each time"


one_by_one()
refusals()
batches()
shop()
tokens()
