"""Zoho's own client works with our simulated Zoho CRM: URL and token in, nothing out."""

import sys
import tempfile

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, Initializer, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as Query
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.record import (
    ActionWrapper,
    APIException,
    BodyWrapper,
    GetRecordsParam,
    Record,
    RecordOperations,
    SuccessResponse,
)
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

URL, TOKEN = sys.argv[1:3]
HOME = tempfile.mkdtemp()
ACCOUNTS = f"{URL}/oauth/v2/token"
Initializer.initialize(
    environment=DataCenter.Environment(URL, ACCOUNTS, URL),
    token=OAuthToken(access_token=TOKEN, find_user=False),
    store=FileStore(f"{HOME}/tokens"),
    sdk_config=SDKConfig(pick_list_validation=False, update_api_domain=False),
    resource_path=HOME,
)
DEALS = RecordOperations("Deals")


def rows(response):
    body = response.get_object()
    assert isinstance(body, ActionWrapper), body
    return body.get_data()


def wrapped(*records, checked=None):
    body = BodyWrapper()
    body.set_data(list(records))
    body.set_trigger([])
    if checked:
        body.set_duplicate_check_fields(checked)
    return body


def row(key=None, **values):
    made = Record()
    if key:
        made.set_id(int(key))
    for name, value in values.items():
        made.add_key_value(name, Choice(value) if name == "Stage" else value)
    return made


def asked(text):
    query = Query()
    query.set_select_query(text)
    found = CoqlOperations().get_records(query)
    body = None if found.get_status_code() == 204 else found.get_object()
    assert not hasattr(body, "get_message"), body.get_message().get_value()
    return body.get_data() if body else []


def records():
    found = asked("select id, Order_No, Stage from Deals where Order_No in ('A-1','O''B') limit 9")
    [one] = found
    key = str(one.get_id())
    good, bad = row(key, Stage="Paid", Total_Paid=49.9), row("999999", Stage="Paid")
    first, second = rows(DEALS.update_records(wrapped(good, bad)))
    assert isinstance(first, SuccessResponse), (first.get_code().get_value(), first.get_details())
    assert isinstance(second, APIException), second
    assert "INVALID_DATA" == second.get_code().get_value()
    new = row(Deal_Name="New", Order_No="N-1", Stage="Paid")
    [made] = rows(DEALS.upsert_records(wrapped(new, checked=["Order_No"])))
    assert "insert" == made.get_action().get_value(), made
    again = row(Deal_Name="New", Order_No="N-1", Stage="Shipped")
    [made] = rows(DEALS.upsert_records(wrapped(again, checked=["Order_No"])))
    assert "update" == made.get_action().get_value(), made

    params = ParameterMap()
    params.add(GetRecordsParam.fields, "Order_No,Stage,Modified_Time")
    params.add(GetRecordsParam.sort_by, "Modified_Time")
    params.add(GetRecordsParam.per_page, 2)
    page = DEALS.get_records(params, HeaderMap()).get_object()
    assert (2, True) == (len(page.get_data()), page.get_info().get_more_records())
    params = ParameterMap()
    params.add(GetRecordsParam.fields, "Order_No")
    params.add(GetRecordsParam.page_token, page.get_info().get_next_page_token())
    page = DEALS.get_records(params, HeaderMap()).get_object()
    assert 1 == len(page.get_data()), page.get_data()


records()
