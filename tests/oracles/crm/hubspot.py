"""HubSpot's own client works with our simulated HubSpot: URL and token in, nothing out."""

import sys

from hubspot import HubSpot
from hubspot.crm.objects import (
    ApiException,
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    PublicObjectSearchRequest,
    SimplePublicObjectBatchInput,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectId,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)

KEY, STAGE = "merchant_order_no", "hs_pipeline_stage"
URL, TOKEN = sys.argv[1:3]
OBJECTS = HubSpot(access_token=TOKEN, host=URL).crm.objects


def update(rows, by=None):
    inputs = [
        SimplePublicObjectBatchInput(
            id=name, id_property=by, properties=values, object_write_trace_id=str(place)
        )
        for place, (name, values) in enumerate(rows)
    ]
    body = BatchInputSimplePublicObjectBatchInput(inputs=inputs)
    return OBJECTS.batch_api.update("orders", body)


def read(ids, by=None):
    body = BatchReadInputSimplePublicObjectId(
        id_property=by,
        inputs=[SimplePublicObjectId(id=each) for each in ids],
        properties=[KEY, STAGE, "total"],
        properties_with_history=[],
    )
    return OBJECTS.batch_api.read("orders", body)


def batches():
    found = read(["A-1", "A-2"], by=KEY)
    assert (found.status, len(found.results)) == ("COMPLETE", 2), found
    ids = [each.id for each in found.results]
    assert found.results[0].properties[STAGE] == "open"
    assert found.results[0].updated_at.year == 2026

    written = update([(ids[0], {STAGE: "paid", "total": "49.90"})])
    assert [each.id for each in written.results] == ids[:1]
    written = update([("A-2", {STAGE: "shipped"})], by=KEY)
    assert written.results[0].properties[STAGE] == "shipped"

    partial = update([(ids[0], {STAGE: "shipped"}), (ids[1], {STAGE: "no-such-stage"})])
    assert len(partial.results) == 1, partial
    assert partial.num_errors == 1, partial
    assert partial.errors[0].context == {"objectWriteTraceId": ["1"]}, partial.errors
    assert partial.errors[0].category == "VALIDATION_ERROR"

    lacking = read([ids[0], "999999"])
    assert lacking.num_errors == 1, lacking
    assert lacking.errors[0].context["ids"] == ["999999"], lacking.errors


def upserts_and_search():
    new = SimplePublicObjectBatchInputUpsert(
        id="N-1", id_property=KEY, properties={STAGE: "paid"}, object_write_trace_id="0"
    )
    inputs = BatchInputSimplePublicObjectBatchInputUpsert(inputs=[new])
    made = OBJECTS.batch_api.upsert("orders", inputs)
    assert made.results[0].new is True, made
    made = OBJECTS.batch_api.upsert("orders", inputs)
    assert made.results[0].new is False, made

    search = PublicObjectSearchRequest(
        filter_groups=[{"filters": [{"propertyName": KEY, "operator": "EQ", "value": "N-1"}]}],
        sorts=["hs_object_id"],
        properties=[STAGE],
        limit=10,
    )
    hits = OBJECTS.search_api.do_search("orders", search)
    assert (hits.total, hits.results[0].id) == (1, made.results[0].id), hits


def single_records_and_notes():
    one = OBJECTS.basic_api.get_by_id("orders", "N-1", id_property=KEY, properties=[STAGE])
    assert one.properties[STAGE] == "paid", one
    OBJECTS.basic_api.update(
        "orders", one.id, SimplePublicObjectInput(properties={STAGE: "delivered"})
    )
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 850}
    note = SimplePublicObjectInputForCreate(
        properties={"hs_note_body": "Delivered.", "hs_timestamp": "2026-02-01T10:00:00Z"},
        associations=[{"to": {"id": one.id}, "types": [kind]}],
    )
    assert OBJECTS.basic_api.create("notes", note).id


def refusals():
    refused = HubSpot(access_token="wrong", host=URL).crm.objects
    for api, status in ((refused, 401), (OBJECTS, 404)):
        try:
            api.basic_api.get_by_id("orders", "999999")
        except ApiException as error:
            found = error.status
        else:
            found = 200
        assert found == status, found


batches()
upserts_and_search()
single_records_and_notes()
refusals()
