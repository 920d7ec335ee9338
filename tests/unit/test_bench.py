"""The benchmark itself: it sends what is genuine and new, reckons right, tells what it found."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from service.intake.provider import NO_KEYS, Genuine, RawRequest
from service.intake.providers import registry
from tests.bench import backlog, figures, insert, load, naive, pace, quick, road_delay, soak
from tests.bench.__main__ import MEASURES
from tests.bench.page import NOT_YET, PAGE, ROWS, console, cores, results, sizes, used, written
from tests.bench.record import Record, shown, summary, table
from tests.bench.steady import whole

NOW = datetime.now(UTC)
SOURCES = {load.SHOP.name: load.SHOP, load.PAY.name: load.PAY}
KEYS = {"shop": load.SHOP_KEY.encode(), "pay": load.PAY_KEY.encode()}


def made(count: int, **how: int) -> list[load.Webhook]:
    return list(load.webhooks("t", count, **how))


def asked(webhook: load.Webhook) -> RawRequest:
    headers = [(name.lower(), value) for name, value in webhook.headers.items()]
    return RawRequest("POST", f"/webhooks/{webhook.source}", "", headers, webhook.body, NOW)


def test_every_webhook_is_genuine_and_says_one_new_thing() -> None:
    keys = []
    for webhook in made(200, active=20):
        provider = registry.preset(SOURCES[webhook.source].provider).build(SOURCES[webhook.source])
        request = asked(webhook)
        assert provider.verify(request, now=NOW, keys=NO_KEYS) == Genuine()
        (said,) = provider.parse(request)
        assert said.status is not None
        keys.append((webhook.source, said.dedupe_key))
    assert len(set(keys)) == 200


def test_runs_that_follow_each_other_send_different_requests() -> None:
    first, second = made(50), made(50, first=50)
    assert not {each.body for each in first} & {each.body for each in second}


def test_neighbours_are_about_different_orders_and_any_five_are_the_five_steps() -> None:
    orders, steps = [], []
    for webhook in made(100, active=10):
        request = asked(webhook)
        source = SOURCES[webhook.source]
        (said,) = registry.preset(source.provider).build(source).parse(request)
        orders.append(said.ref)
        steps.append((said.lane, said.status))
    assert all(len(set(orders[place : place + 10])) == 10 for place in range(0, 100, 10))
    assert all(len(set(steps[place : place + 5])) == 5 for place in range(0, 100, 5))


def test_bodies_are_of_one_to_four_kibibytes() -> None:
    sizes_seen = [len(webhook.body) for webhook in made(300)]
    assert 700 < min(sizes_seen) < 1100
    assert 3900 < max(sizes_seen) <= 4096
    assert 1500 < sum(sizes_seen) / 300 < 2600


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    webhooks = made(7)
    assert load.write(tmp_path / "requests", iter(webhooks)) == 7
    assert list(load.read(tmp_path / "requests")) == [each.http() for each in webhooks]


def test_the_configuration_names_the_same_sources() -> None:
    text = load.TABLES.format(durability="strict")
    assert all(f"[sources.{name}]" in text for name in SOURCES)
    assert all(f'{word} = "{said}"' in text for word, said in load.SHOP.statuses.items())


def test_the_naive_pipeline_takes_what_we_take_and_refuses_what_was_changed() -> None:
    for webhook in islice(made(50), 10):
        given = naive.genuine(webhook.source, webhook.headers, webhook.body, KEYS)
        changed = naive.genuine(webhook.source, webhook.headers, webhook.body + b" ", KEYS)
        assert (given, changed) == (True, False)
        assert naive.change(webhook.source, webhook.body)["subject"].startswith("order/t-")


def test_an_answer_is_whole_with_its_last_byte() -> None:
    answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello"
    assert [whole(answer[:20]), whole(answer[:-1]), whole(answer)] == [0, 0, 202]
    assert whole(b"HTTP/1.1 503 No\r\n\r\n") == 503


def test_figures_are_added_up_by_label_and_grow() -> None:
    text = 'a_total{x="1",y="p"} 2\na_total{x="1",y="q"} 3\na_total{x="2",y="p"} 0\n'
    before, after = figures.parsed(text), figures.parsed(text.replace("3", "7"))
    assert before.sum("a_total") == 5
    assert before.by("a_total", "x") == {"1": 5}
    assert before.by("a_total", "y", x="1") == {"p": 2, "q": 3}
    assert figures.grown(before, after).by("a_total", "y") == {"q": 4}


def test_rates_leave_out_what_no_time_was_taken_for() -> None:
    at = [NOW + timedelta(seconds=second) for second in range(3)]
    done = dict(zip(at, (100, 200, 50), strict=True))
    assert pace.rate(done) == 150
    with pytest.raises(AssertionError, match="owe more"):
        pace.rate({NOW: 9})


def test_a_backlog_is_timed_between_its_ends() -> None:
    seen = [(0.0, 1000), (1.0, 900), (2.0, 500), (3.0, 100), (9.0, 0)]
    assert backlog.speed(seen, 1000) == 400


def test_memory_that_a_start_takes_is_no_growth() -> None:
    assert soak.growth([10, 80, 100, 100, 100, 100, 100, 100, 100]) == 1.0
    assert soak.growth([100, 100, 100, 100, 100, 100, 120, 120, 120]) == 1.2


def test_a_delay_begins_when_the_request_was_due() -> None:
    seen = {"order/d-0-0": 10.5, "order/d-0-1": 10.6}
    assert road_delay.delays(seen, "d", 10.0, 2.0, 2) == pytest.approx([100.0, 500.0])
    with pytest.raises(KeyError):
        road_delay.delays(seen, "d", 10.0, 2.0, 3)


def test_pgbench_tells_its_rate() -> None:
    assert insert.tps("latency average = 1 ms\ntps = 4029.5 (without)\n") == 4029.5


def test_a_record_is_judged_by_the_median_of_its_pairs() -> None:
    record = Record("a", "A", "1/s", [6.0, 5.0, 1.0], [10.0] * 3, target=0.5, stretch=0.7)
    assert record.ratios == [0.6, 0.5, 0.1]
    assert record.verdict == "target"
    slow = Record("b", "B", "ms", [30.0], wanted="most", target=20.0)
    assert slow.verdict == "missed"
    assert Record("c", "C", "µs", [3.0]).verdict == "told"


def test_a_table_tells_ratios_with_their_spread_and_what_was_missed() -> None:
    records = [
        Record("a", "accept", "1/s", [6.0, 4.0], [10.0, 10.0], target=0.55),
        Record("b", "delay", "ms", [12.0], wanted="most", target=20.0),
    ]
    lines = table(records).splitlines()
    assert re.search(r"accept .* 0\.50 +0\.40-0\.60 +≥ 0\.55 +MISSED$", lines[1])
    assert re.search(r"delay +ms +12\.0 +≤ 20\.0 +target$", lines[2])


def test_figures_are_shown_with_what_counts() -> None:
    assert [shown(each) for each in (12345.6, 45.67, 1.234)] == ["12,346", "45.7", "1.23"]


def test_a_change_within_the_noise_is_none() -> None:
    lines = quick.compared(
        {"hot.a": 1.05, "hot.b": 1.2, "hot.c": 0.8, "accept.cpu": 1.2, "hot.d": 1.0},
        {"hot.a": 1.0, "hot.b": 1.0, "hot.c": 1.0, "accept.cpu": 1.0},
    )
    assert [line.word for line in lines] == ["same", "worse", "better", "same", "new"]
    assert "hot.b" in quick.told(lines)


def test_the_figures_of_the_page_are_those_that_are_kept() -> None:
    page = PAGE.read_text("utf-8")
    # Not up to date? python -m tests.bench.page
    assert written(page) == page


def test_what_was_not_measured_is_said() -> None:
    assert results({}).count(NOT_YET) == len(ROWS)
    record = Record("accept.rate", "A", "1/s", [6.0, 5.0], [10.0, 10.0], target=0.5)
    runs = {"accept": {"records": [json.loads(json.dumps(record.to_json()))]}}
    line = next(line for line in results(runs).splitlines() if "bare handler" in line)
    assert "0.55 (0.50-0.60)" in line
    assert line.endswith("| yes |")


def test_the_console_is_told_by_its_slowest_pages_and_by_how_fast_people_click(
    tmp_path: Path,
) -> None:
    assert "Not measured yet." == console(tmp_path)
    pages = [
        {"what": what, "p50": p95 / 2, "p95": p95, "limit": 150.0}
        for what, p95 in (("/console/", 8.0), ("/console/jobs", 20.0), ("/console/orders?q=A", 6.0))
    ]
    turns = {
        "alone": {"rate": 600.0, "p99": 4.0, "gateway": 0.2, "postgres": 0.1},
        "clicked": {"rate": 600.0, "p99": 5.0, "gateway": 0.3, "postgres": 0.4},
    }
    intake = [{**turns, "thinks": thinks, "ratio": 1.25} for thinks in (1.0, 7.0, 1.0)]
    kept = json.dumps({"pages": pages, "intake": intake})
    (tmp_path / "console.json").write_text(kept, "utf-8")
    said = console(tmp_path)
    assert "| a page; the slowest is `/console/jobs` | 2 | 10.0 | 20.0 | 150 |" in said
    assert "| a search; the slowest is `/console/orders?q=A` | 1 | 3.00 | 6.00 | 150 |" in said
    found = "600 | 4.00 | 5.00 | 1.25 | ≤ 1.2 | 0.20 and 0.10; then 0.30 and 0.40 |"
    assert said.endswith(f"| 7.00 | {found}\n| 1.00 | {found}")


def test_the_size_of_a_process_is_what_an_event_takes_on_the_road() -> None:
    lines = sizes(at_full_speed("road.rate", gateway=140.0, crm=90.0)).splitlines()
    assert ["| gateway | 140 | 0.02 | 0.20 |"] == lines[2:]
    assert cores(1000, 700) == pytest.approx(1.0)


def test_what_is_full_is_seen_by_the_cores_that_each_process_took() -> None:
    lines = used(at_full_speed("road.rate", gateway=140.0, crm=60.0)).splitlines()
    told = "gateway 0.70, crm 0.30 | 1.00 | worker 0.20 | 0.20 |"
    assert [f"| whole road / naive pipeline | {told}"] == lines[2:]
    assert "Not measured yet." == used({})


def at_full_speed(name: str, **micros: float) -> dict[str, dict[str, Any]]:
    found = {
        "name": name,
        "ours": summary([5000.0]),
        "baseline": summary([2000.0]),
        "details": {"cpu_us": micros, "naive_cpu_us": {"worker": 100.0}},
    }
    return {name.partition(".")[0]: {"records": [found]}}


def test_every_row_of_the_page_has_a_measure_that_finds_it() -> None:
    assert {row.measure for row in ROWS} <= set(MEASURES)
