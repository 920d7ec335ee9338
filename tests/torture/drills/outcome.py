"""How a drill went: what was demanded and what was measured in, a journal line or a page out."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture import plant, proof, sitting
from tests.torture.gun import PATIENCE
from tests.torture.machine import Machine, look
from tests.torture.report import Record
from tests.torture.traffic import Answer, Witness

GOOD = frozenset({"accepted", "duplicate"})
LATE = ("timed out", "put_off", "nobody ready")
"""What a machine that is too busy may be to blame for."""
MOST_SHOWN = 20
QUIET_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that must hold."""

    what: str
    holds: bool
    measured: str
    timing: bool = False
    """Whether a busy machine alone may break it."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The accounting after a drill, of what is quiet again."""

    witness: Witness
    findings: Sequence[proof.Finding]
    surprises: Sequence[str]
    stored: int
    versions: Mapping[str, str]
    remarks: Sequence[str]

    @property
    def demands(self) -> list[Demand]:
        sets = proof.counts(self.findings)
        return [
            Demand("the six sets are empty, the ledger is exact", not self.findings, _told(sets)),
            Demand("no log holds a traceback", not self.surprises, f"{len(self.surprises)} do"),
        ]


def _told(sets: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sets.items())


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    words: str
    """How it was asked for, as after `make torture-drill`."""
    began: float
    seconds: float
    demands: Sequence[Demand]
    measured: Mapping[str, str]
    """What else is worth knowing, by its name."""
    proven: Proven
    machine: Machine = field(default_factory=look)


async def proven(standing: plant.Plant, witness: Witness, within: float = QUIET_WITHIN) -> Proven:
    """Wait until nothing is owed, then account for everything."""
    await sitting.quiet(standing, within)
    evidence = await sitting.gather(standing)
    stuck = [proof.Finding("stuck", "role", why) for why in standing.stuck]
    return Proven(
        witness,
        [*stuck, *proof.findings(witness, evidence)],
        standing.surprises(),
        len(evidence.books.events),
        await sitting.versions(standing),
        standing.remarks,
    )


def failures(answers: Sequence[Answer]) -> Counter[str]:
    """What senders had to repeat, by how they saw it."""
    return Counter(_failure(ms, word) for _, ms, _, word, _ in answers if word not in GOOD)


def _failure(ms: float, word: str) -> str:
    if word == "refused" and not ms:
        return "nobody ready"
    if word in {"refused", "unknown"} and ms >= PATIENCE * 1000:
        return "timed out"
    return "cut" if word == "unknown" else word


def percentile(answers: Sequence[Answer], share: float) -> float:
    """Milliseconds in which this share of the requests was over, well or not."""
    took = sorted(ms for _, ms, _, _, _ in answers)
    return took[max(math.ceil(share * len(took)) - 1, 0)] if took else 0.0


def latencies(answers: Sequence[Answer]) -> str:
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return ", ".join(
        f"{name} {percentile(answers, share):.0f} ms" for name, share in shares.items()
    )


def record(one: Outcome) -> Record:
    """One line of the journal."""
    witness, demands = one.proven.witness, [*one.demands, *one.proven.demands]
    return {
        "drill": one.name,
        "run": f"drill {one.words}",
        "command": f"make torture-drill DRILL='{one.words}'",
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.began)),
        "seconds": round(one.seconds, 1),
        "machine": str(one.machine),
        "versions": one.proven.versions,
        "events": {
            "sent": witness.sent,
            "accepted": len(witness.accepted),
            "in_doubt": len(witness.doubtful),
            "stored": one.proven.stored,
        },
        "requests": dict(sum(witness.requests.values(), Counter())),
        "demands": [
            {
                "what": each.what,
                "holds": each.holds,
                "measured": each.measured,
                "timing": each.timing,
            }
            for each in demands
        ],
        "measured": dict(one.measured),
        "sets": proof.counts(one.proven.findings),
        "findings": [str(each) for each in one.proven.findings[:200]],
        "surprises": list(one.proven.surprises[:50]),
        "remarks": list(one.proven.remarks),
    }


def passed(one: Record) -> bool:
    return all(each["holds"] for each in one["demands"])


def broken(one: Record) -> list[str]:
    """The demands that do not hold though no busy machine could be to blame."""
    return [
        f"{each['what']}: {each['measured']}"
        for each in one["demands"]
        if not each["holds"] and not each["timing"]
    ]


def page(one: Record) -> str:
    told = [*one["findings"], *one["surprises"]]
    lines = [
        f"# Drill {one['drill']}: {'holds' if passed(one) else 'DOES NOT HOLD'}",
        "",
        f"- Machine: {one['machine']}",
        f"- {_servers(one['versions'])}",
        f"- At {one['began']}, {one['seconds'] / 60:.1f} minutes",
        f"- Events: {_counts(one['events'])}",
        f"- Requests: {_counts(one['requests'])}",
        *(f"- {name}: {said}" for name, said in one["measured"].items()),
        "",
        "| must hold | holds | measured |",
        "|---|---|---|",
        *(
            f"| {each['what']} | {'yes' if each['holds'] else '**no**'} | {each['measured']} |"
            for each in one["demands"]
        ),
    ]
    if told:
        lines += ["", "Found:", "", *(f"- {each}" for each in told[:MOST_SHOWN])]
    if one["remarks"]:
        lines += ["", "Done by hand:", "", *(f"- {each}" for each in one["remarks"])]
    return "\n".join([*lines, "", f"Repeat: `{one['command']}`"])


def _servers(versions: Mapping[str, str]) -> str:
    sync = ", ".join(f"{name} {versions[name]}" for name in ("fsync", "synchronous_commit"))
    return f"PostgreSQL {versions['server_version']}, {sync}; RabbitMQ {versions['rabbitmq']}"


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {word}" for word, count in counted.items())


def config_changes(**server: str) -> dict[str, str]:
    """Every source may be spooled; more keys of `[server]`."""
    sandbox = "sandbox = true"
    more = "".join(f"\n{name} = {value}" for name, value in server.items())
    return {'durability = "strict"': 'durability = "auto"', sandbox: sandbox + more}


def spool_folder(standing: plant.Plant) -> Path:
    return standing.folder / "data" / "spool"
