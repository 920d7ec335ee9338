"""simple-salesforce works with our simulated Salesforce: URL and token in, nothing out."""

import sys

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceMoreThanOneRecord, SalesforceResourceNotFound
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest

URL, TOKEN = sys.argv[1:3]
KEY, STAGE = "Order_No__c", "StageName"


class Plain(HTTPAdapter):
    """The client insists on https; our simulator speaks plainly on loopback."""

    def send(self, request, *args, **more):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **more)


def client(token):
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(
        instance_url=URL.replace("http:", "https:"), session_id=token, session=session
    )


def raises(kind, act):
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was to come")


SF = client(TOKEN)


def queries():
    soql = (
        f"SELECT Id, {KEY}, {STAGE}, SystemModstamp FROM Opportunity WHERE {KEY} IN ('A-1', 'A-2')"
    )
    found = SF.query(soql)
    assert (found["totalSize"], found["done"]) == (2, True), found
    ids = [row["Id"] for row in found["records"]]
    assert SF.api_usage["api-usage"].total == 100000, SF.api_usage
    assert SF.api_usage["api-usage"].used > 0, SF.api_usage

    every = SF.query_all("SELECT Id FROM Opportunity ORDER BY SystemModstamp, Id")
    assert len(every["records"]) == every["totalSize"] > 200, every["totalSize"]
    assert len({row["Id"] for row in every["records"]}) == every["totalSize"]
    return ids


def collections(ids):
    rows = [
        {"attributes": {"type": "Opportunity"}, "id": ids[0], STAGE: "Paid", "Amount": 49.9},
        {"attributes": {"type": "Opportunity"}, "id": ids[1], STAGE: "No such stage"},
    ]
    body = {"allOrNone": False, "records": rows}
    results = SF.restful("composite/sobjects", method="PATCH", json=body)
    assert [row["success"] for row in results] == [True, False], results
    assert results[1]["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    row = {
        "attributes": {"type": "Opportunity"},
        KEY: "N-2",
        "Name": "N-2",
        "CloseDate": "2026-03-01",
    }
    body = {"allOrNone": False, "records": [row]}
    results = SF.restful(f"composite/sobjects/Opportunity/{KEY}", method="PATCH", json=body)
    assert results[0]["created"] is True, results


def single_records():
    new = {"Name": "N-1", "CloseDate": "2026-03-01", STAGE: "Paid"}
    assert SF.Opportunity.upsert(f"{KEY}/N-1", new) == 201
    assert SF.Opportunity.upsert(f"{KEY}/N-1", {STAGE: "Shipped"}) == 200
    one = SF.query(f"SELECT Id FROM Opportunity WHERE {KEY} = 'N-1'")["records"][0]["Id"]
    assert SF.Opportunity.get(one)[STAGE] == "Shipped"
    assert SF.Opportunity.update(one, {STAGE: "Closed Won"}) == 204
    assert SF.Opportunity.create({**new, KEY: "N-3"})["success"] is True
    assert SF.Task.create({"WhatId": one, "Subject": "Paid", "Status": "Completed"})["success"]


def refusals():
    raises(
        SalesforceMoreThanOneRecord, lambda: SF.Opportunity.upsert(f"{KEY}/TWICE", {STAGE: "Paid"})
    )
    raises(SalesforceResourceNotFound, lambda: SF.Opportunity.get("006000000000099999"))
    raises(SalesforceMalformedRequest, lambda: SF.query("SELECT Id FROM Opportunity WHERE x"))
    raises(SalesforceExpiredSession, lambda: client("wrong").query("SELECT Id FROM Opportunity"))


collections(queries())
single_records()
refusals()
