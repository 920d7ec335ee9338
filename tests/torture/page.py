"""Records of sittings in, one page that says what was done and what was found out."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.torture import proof
from tests.torture.report import Record, broken, passed

MOST_SHOWN = 12


def page(records: Sequence[Record]) -> str:
    """One sitting or many, on one page."""
    if not records:
        return "No sitting has been recorded yet."
    return "\n".join(
        [
            *_heading(records),
            "",
            *_sets(records),
            _bounds(records),
            "",
            *_faults(records),
            *_findings(records),
            *_absent(records),
            "",
            f"Repeat the last one: `{records[-1]['command']}`",
        ]
    )


def _heading(records: Sequence[Record]) -> list[str]:
    good = sum(map(passed, records))
    first, last = records[0], records[-1]
    versions = last["versions"]
    settings = ("fsync", "synchronous_commit", "full_page_writes")
    durability = ", ".join(f"{name} {versions[name]}" for name in settings)
    minutes = sum(one["seconds"] for one in records) / 60
    quiet = max(one["quiet_after"] for one in records)
    return [
        f"# Torture: {len(records)} sitting{'s' * (len(records) > 1)}, {good} without a finding",
        "",
        f"- Machine: {last['machine']}",
        f"- Durability: PostgreSQL {versions['server_version']}, {durability}",
        f"- Broker: RabbitMQ {versions['rabbitmq']}, one node, quorum queues",
        f"- From {first['began']} to {last['began']}, {minutes:.1f} minutes under load",
        f"- Seeds: {_seeds(records)}; rate: {last['rate']:g} events per second",
        f"- Events: {_total(records, 'events')}",
        f"- Requests: {_total(records, 'requests')}",
        f"- Calls at the CRM: {_total(records, 'calls')}",
        f"- Kills: {_total(records, 'kills') or 'none'} (together {_kills(records)})",
        f"- Answers within: {_latencies(records)}",
        f"- The ledger was read {sum(one['looks'] for one in records)} times under way",
        f"- Quiet after the last fault: {quiet:.1f} s at most",
    ]


def _seeds(records: Sequence[Record]) -> str:
    seeds = [one["seed"] for one in records]
    return f"{seeds[0]}" if len(seeds) == 1 else ", ".join(map(str, seeds[:30]))


def _sum(records: Sequence[Record], name: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in records:
        total.update(one[name])
    return total


def _total(records: Sequence[Record], name: str) -> str:
    return ", ".join(f"{count:,} {word}" for word, count in _sum(records, name).items())


def _kills(records: Sequence[Record]) -> int:
    return _sum(records, "kills").total()


def _latencies(records: Sequence[Record]) -> str:
    worst: dict[str, float] = {}
    for one in records:
        for name, ms in one["latency"].items():
            worst[name] = max(ms, worst.get(name, 0.0))
    return ", ".join(f"{name} {ms:g} ms" for name, ms in worst.items()) + " (the worst sitting's)"


def _sets(records: Sequence[Record]) -> list[str]:
    counted = _sum(records, "sets")
    names = [*proof.SETS, *sorted(counted.keys() - set(proof.SETS))]
    failed = sum(len(broken(one)) for one in records)
    surprising = sum(one["surprising"] for one in records)
    return [
        "| set | members |",
        "|---|---|",
        *(f"| {name} | {counted[name]} |" for name in names),
        f"| ledger exact | {'no' if counted['unbalanced'] + counted['miscounted'] else 'yes'} |",
        f"| tracebacks in logs | {surprising} |",
        f"| faults that could not be injected or healed | {failed} |",
        "",
    ]


def _bounds(records: Sequence[Record]) -> str:
    """The rule of three: none in n trials leaves 3/n, 19 times in 20."""
    events = _sum(records, "events")["accepted"]
    kills, lost = _kills(records), _sum(records, "sets")["lost"]
    if lost or not events:
        return f"{lost} of {events:,} acknowledged events were lost: there is no bound to give."
    each = f"0 of {events:,} acknowledged events lost: below {3 / events:.2g} each (95 %)"
    return f"{each}; below {3 / kills:.2g} per kill (95 %)." if kills else f"{each}."


def _faults(records: Sequence[Record]) -> list[str]:
    by_name: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in records:
        for fault in one["faults"]:
            by_name[fault["code"], fault["name"]].append(fault)
    if not by_name:
        return ["No fault was injected."]
    rows = [
        "| fault | times | seconds | applied again after (median, max; others may hold it up) |",
        "|---|---|---|---|",
    ]
    for (code, name), seen in sorted(by_name.items(), key=_by_code):
        lasted = sum(fault["seconds"] for fault in seen)
        again = [fault["recovery"] for fault in seen if fault["recovery"] is not None]
        told = f"{statistics.median(again):.1f} s, {max(again):.1f} s" if again else "none"
        rows.append(f"| {code} {name} | {len(seen)} | {lasted:.0f} | {told} |")
    return rows


def _by_code(item: tuple[tuple[str, str], Any]) -> tuple[int, str]:
    code, name = item[0]
    return int(code[1:]), name


def _findings(records: Sequence[Record]) -> list[str]:
    lines: list[str] = []
    for one in records:
        told = [*one["findings"], *one["surprises"]]
        told += [f"{each['name']}: {each['error']}" for each in broken(one)]
        if told:
            lines += ["", f"## Found with seed {one['seed']}", ""]
            lines += [f"- {each}" for each in told[:MOST_SHOWN]]
            lines += [f"- … and {len(told) - MOST_SHOWN} more"] if len(told) > MOST_SHOWN else []
    rude = _sum(records, "rude")
    if rude:
        lines += ["", "Answers that no fault of their time excuses:", ""]
        lines += [f"- {what}: {count}" for what, count in rude.most_common(MOST_SHOWN)]
    remarks = Counter(remark for one in records for remark in one["remarks"])
    if remarks:
        lines += ["", "Done by hand:", ""]
        lines += [f"- {what} ({count} times)" for what, count in remarks.items()]
    return lines


def _absent(records: Sequence[Record]) -> list[str]:
    absent = {name: why for one in records for name, why in one["absent"].items()}
    return ["", "Not run:", "", *(f"- {name}: {why}" for name, why in absent.items())]
