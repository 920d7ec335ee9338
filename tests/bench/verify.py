"""What judging and reading a webhook costs beside bare HMAC and JSON, measured in turns.

A: `hmac.digest` and `orjson.loads` of the body. B: `verify` and `parse` of the same request, as the
gateway does them. Every sample of every preset that proves itself by a keyed hash over JSON is
measured, filled up to 2 KiB with order lines. The figures to quote are the ratios of pairs.
"""

import gc
import hmac
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import orjson

from service.intake.preset import Declared
from service.intake.provider import NO_KEYS, Genuine, Guard, RawRequest
from service.intake.providers import registry
from service.intake.verification.combined import Either
from service.intake.verification.hashes import Composed
from service.intake.verification.hmacs import Signed
from service.intake.verification.standard import Signature
from service.sandbox import senders
from service.sandbox.senders import Occasion
from tests import simulated

LIMIT = 6.0
SIZE = 2048
PAIRS = 20
CALLS = 20
LINE = {"sku": "MUG-BLUE-0.3L", "title": "A blue mug", "quantity": 2, "price": "9.90"}
KEY = b"a key of the benchmark, 32 bytes"


@dataclass(frozen=True)
class Case:
    """One signed sample of a preset."""

    preset: str
    sample: str
    provider: Declared
    request: RawRequest


def cases() -> Iterator[Case]:
    for preset in registry.PRESETS:
        # What a mapped source says of each sample is its own: one stands for all.
        usual = [simulated.sender(preset.name).usual]
        for sample in usual if preset.mapped else senders.SAMPLES[preset.name]:
            case = signed(preset.name, sample)
            if case is not None:
                yield case


def signed(name: str, sample: str) -> Case | None:
    """Make the request of a sample; None where it is no keyed hash over a JSON object."""
    source = simulated.source(name)
    provider = registry.preset(name).build(source)
    if not (isinstance(provider, Declared) and _is_keyed(provider.guard)):
        return None
    body = filled(senders.sample(source, sample, Occasion("1001", simulated.AT, "evt-1")))
    if body is None:
        return None
    request = simulated.posted(source, sample=sample, body=body)
    assert Genuine() == provider.verify(request, now=simulated.AT), f"{name} {sample}"
    return Case(name, sample, provider, request)


def _is_keyed(guard: Guard) -> bool:
    """Whether it takes an HMAC; a plain hash of chosen fields is something else."""
    if isinstance(guard, Either):
        return all(map(_is_keyed, guard.guards))
    if isinstance(guard, Composed):
        return guard.rule.keyed
    return isinstance(guard, Signed | Signature)


def filled(body: bytes) -> bytes | None:
    """Add order lines to a JSON object until it has its size."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    lines: list[object] = []
    while len(body) < SIZE:
        lines.append(LINE)
        body = orjson.dumps({**document, "further_lines": lines})
    return body


def ratio(case: Case) -> float:
    """How many times as long ours takes, by the median of pairs."""
    request, provider = case.request, case.provider

    def bare() -> None:
        hmac.digest(KEY, request.body, "sha256")
        orjson.loads(request.body)

    def ours() -> None:
        provider.verify(request, now=simulated.AT, keys=NO_KEYS)
        provider.parse(request)

    spent(ours), spent(bare)
    return statistics.median(spent(ours) / spent(bare) for _ in range(PAIRS))


def spent(work: Callable[[], None]) -> int:
    began = perf_counter_ns()
    for _ in range(CALLS):
        work()
    return perf_counter_ns() - began


def main() -> int:
    gc.freeze()
    found: dict[str, list[float]] = {}
    for case in cases():
        found.setdefault(case.preset, []).append(ratio(case))
    print(f"verify and parse of {SIZE} bytes / bare HMAC-SHA256 and JSON, by the median of pairs")
    for name, ratios in found.items():
        worst, count = max(ratios), len(ratios)
        print(
            f"{name:20} median {statistics.median(ratios):5.2f} (max {worst:5.2f}, {count} samples)"
        )
    every = [each for ratios in found.values() for each in ratios]
    middle = statistics.median(every)
    print(f"{'all':20} median {middle:5.2f} (max {max(every):5.2f}), the limit is {LIMIT:.0f}")
    return int(middle > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
