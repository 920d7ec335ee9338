"""The metrics of a running role as numbers, and what they grew by between two looks."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.stage import token

PATIENCE = aiohttp.ClientTimeout(total=10)
ENDED = "orderhook_requests_total"
Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Figures:
    samples: Mapping[tuple[str, Labels], float]

    def sum(self, name: str, **labels: str) -> float:
        """All samples of a name that have these labels."""
        wanted = labels.items()
        return sum(
            value
            for (known, has), value in self.samples.items()
            if known == name and wanted <= dict(has).items()
        )

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The same, for each value of one label that was seen at all."""
        found: dict[str, float] = defaultdict(float)
        for (known, has), value in self.samples.items():
            said = dict(has)
            if known == name and value and labels.items() <= said.items():
                found[said[label]] += value
        return dict(found)

    def mean(self, name: str) -> float:
        """What a histogram saw on average."""
        return self.sum(f"{name}_sum") / max(1.0, self.sum(f"{name}_count"))


async def look(internal: str) -> Figures:
    headers = {"Authorization": f"Bearer {token()}"}
    async with (
        aiohttp.ClientSession(timeout=PATIENCE, headers=headers) as session,
        session.get(f"{internal}/metrics") as answer,
    ):
        assert answer.status == 200, await answer.text()
        return parsed(await answer.text())


async def settled(internal: str, *, still: float = 0.5, within: float = 15.0) -> Figures:
    """Once no request came to its end any more: what a client hung up on is stored yet."""
    before = await look(internal)
    async with asyncio.timeout(within):
        while True:
            await asyncio.sleep(still)
            after = await look(internal)
            if after.sum(ENDED) == before.sum(ENDED):
                return after
            before = after


def parsed(text: str) -> Figures:
    return Figures(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


def grown(before: Figures, after: Figures) -> Figures:
    return Figures(
        {key: value - before.samples.get(key, 0.0) for key, value in after.samples.items()}
    )
