"""What people know better, from outside: through the API and the command line, on real servers."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.store.ids import new_id
from tests import servers
from tests.household import EMBEDDED, Household, conform, household

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]

CONFIG = (
    EMBEDDED
    + """\
[sources.shop]
provider = "generic"
verify = { scheme = "bearer" }
secrets = ["plain:open"]
key = "id"
subject = { ref = "order", aliases = { "tracking:x" = "track" } }
occurred_at = "at"
status = "status"
[sources.shop.statuses]
PAID = "payment.paid"
PICKING = "fulfillment.picking"
PACKED = "fulfillment.packed"
[sources.courier]
provider = "generic"
verify = { scheme = "bearer" }
secrets = ["plain:open"]
key = "id"
subject = { aliases = { "tracking:x" = "track" } }
occurred_at = "at"
status = "status"
statuses = { MOVING = "delivery.in_transit", DONE = "delivery.delivered" }
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9/callback"
secret = "plain:whsec_b3JkZXJob29rLWFjY2VwdGFuY2UtdGVzdHM="
retry = { first = "1h", max = "1h" }
[[routes]]
destinations = ["crm"]
"""
)
NO_ID = "0198c0de-0000-7000-8000-000000000000"
LANES = "payment, fulfillment, delivery, order"
MISSED = "check the number, the scope, the lifecycle."


@pytest.fixture(scope="module")
def house(postgres: servers.Postgres, template: str) -> Iterator[Household]:
    """One installation for all tests: each has orders of its own."""
    folder = Path(tempfile.mkdtemp(prefix="orderhook-test-"))
    try:
        with household(CONFIG, folder=folder, postgres=postgres, template=template) as opened:
            yield opened
    finally:
        shutil.rmtree(folder)


async def said(house: Household, ref: str, status: str, *, minute: int, **more: str) -> None:
    at = f"2026-03-01T12:{minute:02}:00Z"
    await house.post("shop", id=f"{ref}-{status}", order=ref, status=status, at=at, **more)


async def paid(house: Household, ref: str, **more: str) -> Any:
    await said(house, ref, "PAID", minute=0, **more)
    return await house.until(ref, lambda page: page["status"] == "paid")


async def scanned(house: Household, key: str, track: str, status: str = "MOVING") -> None:
    await house.post("courier", id=key, track=track, status=status, at="2026-03-01T12:09:00Z")


async def correct(house: Household, ref: str, status: str, reason: str = "I looked.") -> Any:
    lane, _, word = status.partition(".")
    body = {"lane": lane, "status": word, "reason": reason}
    code, page = await house.ask("POST", f"/subjects/order/{ref}/corrections", body)
    assert 200 == code, page
    return page


async def test_a_correction_outranks_events_until_it_is_released(house: Household) -> None:
    await paid(house, "c1")
    page = await correct(house, "c1", "fulfillment.packed", "It stands on the ramp.")
    assert ("ready_to_ship", {"payment": "paid", "fulfillment": "packed"}) == (
        page["status"],
        page["lanes"],
    )
    (correction,) = page["corrections"]
    assert ("fulfillment", "packed", "It stands on the ramp.", "anna") == tuple(
        correction[name] for name in ("lane", "status", "reason", "actor")
    )
    await said(house, "c1", "PICKING", minute=5)
    page = await house.until("c1", lambda page: len(page["history"]) == 3)
    page = await house.until("c1", lambda page: page["history"][-1]["outcome"] == "applied")
    assert "ready_to_ship" == page["status"]

    path = f"/subjects/order/c1/corrections/{correction['id']}"
    code, page = await house.ask("DELETE", path)
    assert (200, "picking", []) == (code, page["status"], page["corrections"])
    assert [
        ("event", "applied", None, "payment.paid"),
        ("correction", "revoked", "anna", "fulfillment.packed"),
        ("event", "applied", None, "fulfillment.picking"),
        ("release", "applied", "anna", "fulfillment.packed"),
    ] == [
        (step["kind"], step["outcome"], step["actor"], f"{step['lane']}.{step['status']}")
        for step in page["history"]
    ]
    assert "It stands on the ramp. (released by anna)" == page["history"][1]["reason"]

    code, problem = await house.ask("DELETE", path)
    assert (409, True) == (code, "was released by anna at 20" in problem["detail"])


async def test_the_last_correction_of_a_lane_holds(house: Household) -> None:
    await paid(house, "c2")
    first = (await correct(house, "c2", "payment.refunded"))["corrections"][0]["id"]
    page = await correct(house, "c2", "payment.authorized")
    second = page["corrections"][1]["id"]
    assert "awaiting_payment" == page["status"]
    assert [
        ("superseded", f"I looked. (correction {second} is the later one)"),
        ("applied", "I looked."),
    ] == [(step["outcome"], step["reason"]) for step in page["history"][1:]]
    _, page = await house.ask("DELETE", f"/subjects/order/c2/corrections/{second}")
    assert "refunded" == page["status"]
    _, page = await house.ask("DELETE", f"/subjects/order/c2/corrections/{first}")
    assert "paid" == page["status"]


async def test_a_rollback_takes_an_event_out_of_the_state(house: Household) -> None:
    await paid(house, "r1")
    await said(house, "r1", "PACKED", minute=5)
    page = await house.until("r1", lambda page: page["status"] == "ready_to_ship")
    packed = page["history"][-1]["event_id"]
    body = {"event_id": packed, "reason": "Scanned the wrong box."}
    code, page = await house.ask("POST", "/subjects/order/r1/rollbacks", body)
    assert (200, "paid") == (code, page["status"])
    assert [
        ("event", packed, "revoked", "anna", "rolled back by anna: Scanned the wrong box."),
        ("rollback", packed, "applied", "anna", "Scanned the wrong box."),
    ] == [
        tuple(step[name] for name in ("kind", "event_id", "outcome", "actor", "reason"))
        for step in page["history"][-2:]
    ]
    code, problem = await house.ask("POST", "/subjects/order/r1/rollbacks", body)
    assert (409, True) == (code, "was rolled back by anna at 20" in problem["detail"])
    assert (await house.ask("GET", "/ledger"))[1]["balanced"]


async def test_a_link_releases_the_events_that_waited(house: Household) -> None:
    await paid(house, "a1")
    await scanned(house, "k1", "T-a1")

    async def waiting() -> list[Any]:
        _, listed = await house.ask("GET", "/events?outcome=waiting&source=courier")
        return [item for item in listed["items"] if item["dedupe_key"] == "k1"]

    deadline = time.monotonic() + 20
    while not (found := await waiting()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    conform(found[0], "EventItem")
    assert (None, [{"type": "tracking:x", "value": "T-a1"}]) == (
        found[0]["subject"],
        found[0]["waiting"]["aliases"],
    )
    assert found[0]["waiting"]["until"] is not None

    name = {"type": "tracking:x", "value": "T-a1"}
    code, page = await house.ask("PUT", "/subjects/order/a1/aliases", name)
    assert 200 == code, page
    page = await house.until("a1", lambda page: page["status"] == "in_transit")
    (alias,) = page["aliases"]
    assert ("tracking:x", "T-a1", False, True, 0) == tuple(
        alias[key] for key in ("type", "value", "conflict", "leads_here", "waiting")
    )
    assert [("operator", "anna", "order/a1"), ("source", "courier", "order/a1")] == [
        (claim["kind"], claim["claimant"], claim["subject"]) for claim in alias["claims"]
    ]
    event, link = sorted(page["history"][1:], key=lambda step: step["kind"])
    assert ("courier", "applied") == (event["source"], event["outcome"])
    assert ("link", "anna", "also called tracking:x=T-a1") == (
        link["kind"],
        link["actor"],
        link["reason"],
    )
    _, shown = await house.ask("GET", f"/events/{event['event_id']}")
    conform(shown, "Event")
    assert ("order/a1", None, None) == (shown["subject"], shown["ref"], shown["waiting"])
    assert [] == await waiting()
    _, listed = await house.ask("GET", "/subjects?alias=tracking:x%3DT-a1")
    assert ["order/a1"] == [item["subject"] for item in listed["items"]]
    _, listed = await house.ask("GET", "/events?subject=order/a1&source=courier")
    assert 1 == len(listed["items"])


async def test_a_name_leads_to_one_order_at_a_time(house: Household) -> None:
    await paid(house, "a2", track="T-a2")
    await paid(house, "a3")
    name = {"type": "tracking:x", "value": "T-a2"}
    code, problem = await house.ask("PUT", "/subjects/order/a3/aliases", name)
    assert 409 == code
    assert problem["detail"].startswith(
        "tracking:x=T-a2 is a name of order/a2: shop said so at 20"
    ), problem
    code, problem = await house.ask("DELETE", "/subjects/order/a3/aliases", name)
    nobody = "Nobody says that order/a3 is called tracking:x=T-a2; its page lists its names."
    assert (404, nobody) == (code, problem["detail"])
    code, page = await house.ask("DELETE", "/subjects/order/a2/aliases", name)
    (alias,) = page["aliases"]
    assert (200, [], False, "anna") == (
        code,
        alias["claims"],
        alias["leads_here"],
        alias["denied"]["actor"],
    )
    assert ("unlink", "no longer called tracking:x=T-a2; no source brings that back") == (
        page["history"][-1]["kind"],
        page["history"][-1]["reason"],
    )
    code, page = await house.ask("PUT", "/subjects/order/a3/aliases", name)
    assert (200, True) == (code, page["aliases"][0]["leads_here"])


async def test_an_operator_settles_what_sources_contradict_each_other_about(
    house: Household,
) -> None:
    await paid(house, "s1", track="T-s")
    await paid(house, "s2", track="T-s")
    await scanned(house, "k-s", "T-s")
    page = await house.until("s1", lambda page: page["aliases"][0]["waiting"] == 1)
    (alias,) = page["aliases"]
    assert (True, False, ["order/s1", "order/s2"]) == (
        alias["conflict"],
        alias["leads_here"],
        [claim["subject"] for claim in alias["claims"]],
    )
    _, listed = await house.ask("GET", "/anomalies?kind=alias_conflict&open=true")
    assert [True] == [item["detail"].startswith("tracking:x=T-s ") for item in listed["items"]]

    name = {"type": "tracking:x", "value": "T-s"}
    code, page = await house.ask("PUT", "/subjects/order/s2/aliases", name)
    assert (200, False, True) == (
        code,
        page["aliases"][0]["conflict"],
        page["aliases"][0]["leads_here"],
    )
    await house.until("s2", lambda page: page["status"] == "in_transit")
    page = await house.page("s1")
    assert (False, "paid") == (page["aliases"][0]["leads_here"], page["status"])
    _, listed = await house.ask("GET", "/anomalies?kind=alias_conflict&open=true")
    assert [] == listed["items"]


async def test_events_leave_with_the_name_that_brought_them(house: Household) -> None:
    await paid(house, "w1")
    await paid(house, "w2")
    name = {"type": "tracking:x", "value": "T-w"}
    await house.ask("PUT", "/subjects/order/w1/aliases", name)
    await scanned(house, "k-w", "T-w")
    await house.until("w1", lambda page: page["status"] == "in_transit")
    code, page = await house.ask("DELETE", "/subjects/order/w1/aliases", name)
    assert (200, "paid", []) == (code, page["status"], page["aliases"])
    code, page = await house.ask("PUT", "/subjects/order/w2/aliases", name)
    assert 200 == code, page
    await house.until("w2", lambda page: page["status"] == "in_transit")
    assert "paid" == (await house.page("w1"))["status"]
    assert (await house.ask("GET", "/ledger"))[1]["balanced"]


async def test_two_orders_become_one(house: Household) -> None:
    await paid(house, "m1")
    await said(house, "m2", "PACKED", minute=3, track="T-m2")
    await house.until("m2", lambda page: page["status"] == "ready_to_ship")
    await correct(house, "m2", "fulfillment.picking")
    body = {"into": "order/m1", "reason": "Ordered twice by mistake."}
    code, page = await house.ask("POST", "/subjects/order/m2/merge", body)
    assert 200 == code, page
    assert ("order/m1", None, "paid") == (
        page["subject"],
        page["merged_into"],
        page["lanes"]["payment"],
    )
    assert [("order/m2", ["crm"])] == [
        (each["subject"], [sync["destination"] for sync in each["syncs"]])
        for each in page["merged"]
    ]
    assert ["T-m2"] == [alias["value"] for alias in page["aliases"]]
    last = page["history"][-1]
    assert (
        "merge",
        "anna",
        "order/m2 was merged into order/m1: Ordered twice by mistake.",
    ) == (last["kind"], last["actor"], last["reason"])

    asked = await house.page("m2")
    assert ("order/m1", "order/m1", page["version"]) == (
        asked["subject"],
        asked["merged_into"],
        asked["version"],
    )
    await said(house, "m2", "PICKING", minute=1)
    page = await house.until("m1", lambda page: len(page["history"]) == 5)
    _, listed = await house.ask("GET", "/subjects?ref=m")
    assert {"order/m1": None, "order/m2": "order/m1"} == {
        item["subject"]: item["merged_into"] for item in listed["items"]
    }

    await paid(house, "m3")
    refusals = {
        ("m2", "corrections"): (
            {"lane": "payment", "status": "paid", "reason": "x"},
            "order/m2 was merged into order/m1; decide about order/m1 instead.",
        ),
        ("m3", "merge"): (
            {"into": {"lifecycle": "order", "ref": "m2"}, "reason": "x"},
            "order/m2 was merged into order/m1; decide about order/m1 instead.",
        ),
        ("m1", "merge"): (
            {"into": "order/m1", "reason": "x"},
            "order/m1 cannot be merged into itself.",
        ),
    }
    for (ref, verb), (asked_for, sentence) in refusals.items():
        code, problem = await house.ask("POST", f"/subjects/order/{ref}/{verb}", asked_for)
        assert (409, sentence) == (code, problem["detail"])


async def test_what_cannot_be_decided_is_refused_in_a_sentence(house: Household) -> None:
    page = await paid(house, "n1")
    await paid(house, "n2")
    event = page["history"][0]["event_id"]
    at = "/subjects/order"
    reason = "x"
    mistakes = [
        (
            ("POST", f"{at}/nobody/corrections"),
            {"lane": "payment", "status": "paid", "reason": reason},
            (404, f"No accepted event names order/nobody: {MISSED}"),
        ),
        (
            ("POST", f"{at}/n1/corrections"),
            {"lane": "money", "status": "paid", "reason": reason},
            (400, f"The lifecycle order has no lane 'money'; it has {LANES}."),
        ),
        (
            ("POST", f"{at}/n1/corrections"),
            {"lane": "order", "status": "paid", "reason": reason},
            (
                400,
                "The lane order has no status 'paid'; it has new, confirmed, completed, cancelled.",
            ),
        ),
        (
            ("POST", f"{at}/n1/corrections"),
            {"lane": "order", "status": "new"},
            (400, "'reason' is missing."),
        ),
        (
            ("DELETE", f"{at}/n1/corrections/999999"),
            None,
            (404, "order/n1 has no correction 999999; its page lists them."),
        ),
        (
            ("DELETE", f"{at}/n1/corrections/x"),
            None,
            (400, "The id in the path is not a number; take it from the subject's page."),
        ),
        (
            ("POST", f"{at}/n2/rollbacks"),
            {"event_id": event, "reason": reason},
            (409, f"The event {event} belongs to order/n1, not to order/n2."),
        ),
        (
            ("POST", f"{at}/n2/rollbacks"),
            {"event_id": NO_ID, "reason": reason},
            (404, f"There is no event {NO_ID}; take the id from the history of order/n2."),
        ),
        (
            ("POST", f"{at}/n1/merge"),
            {"into": "order/nobody", "reason": reason},
            (404, f"No accepted event names order/nobody: {MISSED}"),
        ),
        (
            ("POST", f"{at}/n1/merge"),
            {"into": "1001", "reason": reason},
            (
                400,
                "'1001' names no subject; write it like order/1001 or order/shop:1001.",
            ),
        ),
        (
            ("POST", f"{at}/n1/merge"),
            {"into": "invoice/7", "reason": reason},
            (409, "order/n1 and invoice/7 are of two lifecycles and cannot be one."),
        ),
        (
            ("POST", "/refolds"),
            {"lifecycle": "orders"},
            (400, None),
        ),
    ]
    for (method, path), body, (status, sentence) in mistakes:
        code, problem = await house.ask(method, path, body)
        assert status == code, problem
        assert sentence in (None, problem["detail"]), problem
    assert page["version"] == (await house.page("n1"))["version"]


WRITES = (
    ("POST", "/subjects/order/x/corrections"),
    ("DELETE", "/subjects/order/x/corrections/1"),
    ("POST", "/subjects/order/x/rollbacks"),
    ("PUT", "/subjects/order/x/aliases"),
    ("DELETE", "/subjects/order/x/aliases"),
    ("POST", "/subjects/order/x/merge"),
    ("POST", "/refolds"),
)


async def test_deciding_is_for_operators(house: Household) -> None:
    for method, path in WRITES:
        code, problem = await house.ask(method, path, {}, role="viewer")
        assert (403, True) == (code, "needs the role operator" in problem["detail"])


async def test_every_decision_is_recorded_for_good(house: Household) -> None:
    await paid(house, "o1")
    await correct(house, "o1", "payment.failed", "The bank called.")
    query = "SELECT actor, action, detail->>'reason' FROM operator_actions WHERE target = $1"
    assert [("anna", "subject.correct", "The bank called.")] == await house.sql(query, "order/o1")
    causes = await house.sql(
        "SELECT t.cause FROM transitions t JOIN subjects s ON s.id = t.subject_id "
        "WHERE s.ref = $1 ORDER BY t.version",
        "o1",
    )
    assert [("",), ("anna set payment.failed: The bank called.",)] == causes


async def test_subjects_that_look_wrong_are_found(house: Household) -> None:
    await said(house, "f1", "PACKED", minute=0)
    await house.until("f1", lambda page: page["status"] == "ready_to_ship")
    await house.sql("UPDATE subjects SET flags = '{shipped_unpaid}' WHERE ref = $1", "f1")
    for flag in ("shipped_unpaid", "any"):
        _, listed = await house.ask("GET", f"/subjects?flag={flag}&ref=f")
        assert ["order/f1"] == [item["subject"] for item in listed["items"]]
        conform(listed["items"][0], "SubjectItem")
    assert [] == (await house.ask("GET", "/subjects?flag=other"))[1]["items"]
    code, problem = await house.ask("GET", "/subjects?alias=T")
    assert (400, "The parameter alias must read like tracking:cdek=1234.") == (
        code,
        problem["detail"],
    )


async def test_anomalies_are_listed(house: Household) -> None:
    insert = (
        "INSERT INTO anomalies (id, kind, source, detail, ended_at) "
        "VALUES ($1, $2, 'wms', 'Because.', CASE WHEN $3 THEN now() END)"
    )
    silence, conflict = new_id(), new_id()
    await house.sql(insert, silence, "silence", True)  # noqa: FBT003
    await house.sql(insert, conflict, "key_conflict", False)  # noqa: FBT003

    async def ids(query: str) -> list[str]:
        _, listed = await house.ask("GET", f"/anomalies?source=wms{query}")
        for item in listed["items"]:
            conform(item, "Anomaly")
        return [item["id"] for item in listed["items"]]

    assert [str(conflict), str(silence)] == await ids("")
    assert [str(silence)] == await ids("&kind=silence")
    assert [str(silence)] == await ids("&open=false")
    assert [str(conflict)] == await ids("&open=true")
    assert 400 == (await house.ask("GET", "/anomalies?open=1"))[0]


async def test_a_changed_configuration_is_folded_in_by_a_job(house: Household) -> None:
    await paid(house, "j1")
    await house.sql("UPDATE subjects SET status = 'stale' WHERE ref = $1", "j1")
    code, counted = await house.ask("POST", "/refolds", {"dry_run": True})
    assert (200, None) == (code, counted["job"])
    conform(counted, "RefoldPlaced")
    assert "stale" == (await house.page("j1"))["status"]
    code, placed = await house.ask("POST", "/refolds", {"lifecycle": "order"})
    assert 202 == code
    page = await house.until("j1", lambda page: page["status"] == "paid")
    assert 2 == page["version"]
    deadline = time.monotonic() + 20
    while (job := (await house.ask("GET", f"/jobs/{placed['job']}"))[1])["state"] != "finished":
        assert time.monotonic() < deadline, job
        await asyncio.sleep(0.05)
    conform(job, "Job")


async def test_the_command_line_decides_as_the_api_does(house: Household) -> None:
    await paid(house, "l0")
    code, out, err = await house.run(
        "orders", "set", "l0", "fulfillment.packed", "--reason", "I saw it.", "--json"
    )
    assert 0 == code, err
    page = json.loads(out)
    conform(page, "Subject")
    assert ("ready_to_ship", "cli:bob") == (page["status"], page["corrections"][0]["actor"])
    told = await house.page("l0")
    assert page | {"syncs": None} == told | {"syncs": None}
    number = page["corrections"][0]["id"]
    _, out, _ = await house.run("orders", "show", "order/l0")
    assert f"correction {number}: fulfillment.packed by cli:bob" in out

    code, out, _ = await house.run("orders", "release", "l0", str(number))
    assert (0, True) == (code, "paid" in out.splitlines()[0])
    event = page["history"][0]["event_id"]
    code, out, _ = await house.run("orders", "rollback", "l0", event, "--reason", "A test.")
    assert (0, True) == (code, " new  version" in out.splitlines()[0]), out
    _, out, _ = await house.run("orders", "history", "l0")
    assert "rolled back by cli:bob: A test." in out
    assert "correction fulfillment.packed" in out


async def test_the_command_line_names_and_merges(house: Household) -> None:
    await paid(house, "l1")
    code, out, _ = await house.run("orders", "alias", "l1", "tracking:x=T-l1")
    assert (0, True) == (code, "also called tracking:x=T-l1, said by cli:bob (order/l1)" in out)
    _, out, _ = await house.run("orders", "list", "--alias", "tracking:x=T-l1")
    assert "order/l1" in out
    code, out, _ = await house.run("orders", "alias", "l1", "tracking:x=T-l1", "--remove")
    assert (0, False) == (code, "also called" in out)

    await paid(house, "l2")
    code, out, _ = await house.run("orders", "merge", "l1", "--into", "l2", "--reason", "One.")
    assert (0, True) == (code, "crm (of order/l1)" in out), out
    code, out, _ = await house.run("orders", "show", "l1")
    assert "The number you asked for was merged into order/l2." in out
    code, out, _ = await house.run("orders", "refold", "--dry-run", "--json")
    assert (0, None) == (code, json.loads(out)["job"])
    code, out, err = await house.run("orders", "refold", "--lifecycle", "order")
    assert (0, True) == (code, "orders folded anew" in out), err


async def test_the_command_line_says_no_with_its_exit_code(house: Household) -> None:
    await paid(house, "l3")
    vain = {
        "set l3 payment.gone --reason x": (2, "The lane payment has no status 'gone'"),
        "set l3 paid --reason x": (2, "'paid' is no status; write it like payment.paid."),
        "set l3 payment.paid": (2, "Missing option '--reason'"),
        "set nobody payment.paid --reason x": (1, "No accepted event names order/nobody"),
        "release l3 999999": (1, "order/l3 has no correction 999999"),
        "alias l3 T": (2, "'T' is no name; write it like tracking:cdek=1234."),
        "merge l3 --into l3 --reason x": (1, "order/l3 cannot be merged into itself."),
        "show order/nobody": (1, "No accepted event names order/nobody"),
        "refold --lifecycle orders": (2, "There is no lifecycle 'orders'"),
    }
    said = await asyncio.gather(*(house.run("orders", *words.split()) for words in vain))
    for (words, (expected, sentence)), (code, _, err) in zip(vain.items(), said, strict=True):
        assert (expected, True) == (code, sentence in err), (words, err)
