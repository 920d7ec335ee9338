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
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Any

import orjson

from service.intake.preset import Declared
from service.intake.provider import NO_KEYS, Genuine, RawRequest
from service.intake.providers import registry
from service.intake.verification.hashes import Composed
from service.intake.verification.hmacs import Signed
from service.intake.verification.standard import Signature
from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import Source

LIMIT = 6.0
SIZE = 2048
PAIRS = 40
CALLS = 25
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
LINE = {"sku": "MUG-BLUE-0.3L", "title": "A blue mug", "quantity": 2, "price": "9.90"}
HASHED = (Signed, Signature, Composed)
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
        for sample in senders.SAMPLES.get(preset.name, {}):
            case = signed(preset.name, sample)
            if case is not None:
                yield case


def signed(name: str, sample: str) -> Case | None:
    """Make the request of a sample; None where it is no keyed hash over a JSON object."""
    sender = senders.SENDERS[name]
    pair = sender.signer.keys("bench")
    rules: dict[str, Any] = {
        "name": "bench",
        "provider": name,
        "secrets": (pair.sign_with,),
        **sender.rules,
    }
    if registry.preset(name).url_token:
        return None
    if registry.preset(name).mapped:
        rules["statuses"] = {word: word for word in sender.samples}
    source = Source.model_validate(rules)
    provider = registry.preset(name).build(source)
    body = filled(senders.sample(source, sample, Occasion("1001", AT, "evt-1")))
    if not (isinstance(provider, Declared) and isinstance(provider.guard, HASHED)) or body is None:
        return None
    sent = senders.sign(source, body, at=AT, key="evt-1", sample=sample)
    request = RawRequest(
        method="POST",
        path=f"/webhooks/bench/{sent.tail}".rstrip("/"),
        query=sent.query,
        headers=[(header.lower(), value) for header, value in sent.headers.items()],
        body=sent.body,
        received_at=AT,
        tail=sent.tail,
        url="https://hooks.example.com/webhooks/bench",
    )
    assert Genuine() == provider.verify(request, now=AT), f"{name} {sample}"
    return Case(name, sample, provider, request)


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
        provider.verify(request, now=AT, keys=NO_KEYS)
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
