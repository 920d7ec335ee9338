"""A sitting comes in, one line of the journal goes out: what was done and what was found out."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.acceptance.senders import STRIPE
from tests.torture import proof
from tests.torture.faults.registry import ABSENT
from tests.torture.sitting import Injected, Result
from tests.torture.traffic import Answer

GRACE = 3.0
"""Seconds after a heal in which its answers still count as the fault's."""
STRICT = frozenset({STRIPE})
"""Sources whose preset wants a PostgreSQL commit before an answer."""

Record = dict[str, Any]


def record(result: Result, *, command: str) -> Record:
    """One line of the journal."""
    witness, totals = result.witness, Counter[str]()
    for counted in result.witness.requests.values():
        totals.update(counted)
    rude = unlawful(result)
    return {
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(result.began)),
        "seed": result.wish.seed,
        "seconds": round(result.load_seconds, 1),
        "rate": result.wish.rate,
        "command": command,
        "machine": str(result.machine),
        "versions": result.versions,
        "events": {
            "sent": witness.sent,
            "accepted": len(witness.accepted),
            "in_doubt": len(witness.doubtful),
            "stored": len(result.evidence.books.events),
        },
        "requests": dict(totals),
        "calls": dict(Counter(call["effect"] for call in result.evidence.calls)),
        "kills": result.kills,
        "faults": [_fault(one, result) for one in result.injected],
        "sets": proof.counts(result.findings),
        "findings": [str(each) for each in result.findings[:200]],
        "rude": rude,
        "latency": _latency(witness.answers),
        "quiet_after": round(result.quiet_after, 1),
        "looks": result.looks,
        "surprises": result.surprises[:50],
        "surprising": len(result.surprises),
        "remarks": result.remarks,
        "absent": {**result.absent, **ABSENT},
    }


def passed(one: Record) -> bool:
    """The six sets are empty, the ledger is exact, and no log holds a traceback."""
    return not any(one["sets"].values()) and not one["surprising"] and not broken(one)


def broken(one: Record) -> list[Record]:
    """Faults that the harness could not inject or heal as it meant to."""
    return [fault for fault in one["faults"] if fault["error"]]


def _fault(one: Injected, result: Result) -> Record:
    return {
        "code": one.fault.code,
        "name": one.fault.name,
        "words": one.words,
        "at": round(one.at - result.began, 1),
        "seconds": round(one.healed - one.at, 1),
        "recovery": recovery(one, result),
        "error": one.error,
    }


def recovery(one: Injected, result: Result) -> float | None:
    """Seconds from the heal until an order first accepted after it was applied at the CRM.

    Other faults may have held it up; None where nothing came any more.
    """
    applied: dict[str, float] = {}
    for call in result.evidence.calls:
        if call["effect"] == "applied" and call["at"] >= one.healed:
            applied.setdefault(call["subject"], call["at"])
    came = [
        at
        for subject, at in applied.items()
        if one.healed <= result.witness.accepted_at.get(subject.removeprefix("order/"), 0) <= at
    ]
    return round(min(came) - one.healed, 2) if came else None


def unlawful(result: Result) -> dict[str, int]:
    """Answers that no fault of their time excuses, by fault (or `calm`) and kind of answer."""
    spans = sorted(
        ((one.at - 0.2, one.healed + GRACE, one.fault) for one in result.injected),
        key=lambda span: span[0],
    )
    found: Counter[str] = Counter()
    for at, ms, _, word, source in result.witness.answers:
        if word in {"accepted", "duplicate"}:
            continue
        word = "shed" if word == "put_off" and source not in STRICT else word  # noqa: PLW2901
        began = at - ms / 1000
        around = [fault for start, end, fault in spans if start <= at and began <= end]
        if not any(word in fault.lawful for fault in around):
            names = " + ".join(sorted(fault.name for fault in around)) or "calm"
            found[f"{names}: {word}"] += 1
    return dict(found)


def _latency(answers: Sequence[Answer]) -> dict[str, float]:
    good = sorted(ms for _, ms, _, word, _ in answers if word in {"accepted", "duplicate"})
    if not good:
        return {}
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {
        name: round(good[max(math.ceil(share * len(good)) - 1, 0)], 1)
        for name, share in shares.items()
    }


def append(one: Record, journal: Path) -> None:
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("ab") as file:
        file.write(orjson.dumps(one) + b"\n")


def read(journals: Iterable[Path]) -> list[Record]:
    return [
        orjson.loads(line)
        for journal in journals
        if journal.exists()
        for line in journal.read_bytes().splitlines()
    ]
