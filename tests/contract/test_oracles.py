"""Requests signed or judged by code that is not ours: we agree with it on every one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.registry import PRESETS
from service.settings import Source
from tests import simulated, vectors
from tests.simulated import Judge, judge

PROMISED = 60
PROVEN = 40
"""How many presets issue 4 promises, and how many of them outside code must agree with."""

PROGRAMS = Path(__file__).parent.parent / "oracles"


@dataclass(frozen=True)
class Vector:
    provider: str
    said: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.provider}:{self.said['name']}"

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.said["at"])

    @property
    def genuine(self) -> bool:
        return bool(self.said["genuine"])

    def source(self) -> Source:
        return simulated.described(self.said["source"], self.provider)

    def request(self) -> RawRequest:
        return vectors.read_request(self.said["request"], at=self.at)

    def judge(self) -> Judge:
        return judge(self.source(), served=vectors.read_keys(self.said))


def kept() -> Iterator[Vector]:
    for path in sorted(vectors.ORACLES.glob("*.json")):
        for said in json.loads(path.read_bytes()):
            yield Vector(path.stem, said)


VECTORS = list(kept())
OUTSIDE = {each.name for each in PRESETS if each.proof.kind != "none"}


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_we_judge_as_the_code_of_others_does(vector: Vector) -> None:
    answer = vector.judge()(vector.request(), now=vector.at)
    assert vector.genuine == (answer == Genuine()), answer


@pytest.mark.parametrize("vector", [each for each in VECTORS if each.genuine], ids=str)
def test_one_flipped_bit_of_the_body_of_others_is_refused(vector: Vector) -> None:
    request, verdict = vector.request(), vector.judge()
    if not simulated.signer(vector.source()).signs_body:
        pytest.skip("its proof does not cover the whole body")
    for place in range(0, len(request.body), max(1, len(request.body) // 40)):
        body = bytearray(request.body)
        body[place] ^= 1
        changed = replace(request, body=bytes(body))
        assert isinstance(verdict(changed, now=vector.at), Forged), bytes(body)


@pytest.mark.parametrize("vector", [each for each in VECTORS if each.genuine], ids=str)
def test_the_proof_of_others_is_refused_without_its_key(vector: Vector) -> None:
    others = simulated.source(vector.provider, simulated.OTHER)
    mine = vector.source()
    changed = {"secrets": others.secrets, "url_token": others.url_token}
    stranger = judge(mine.model_copy(update=changed), served=simulated.documents(vector.provider))
    assert isinstance(stranger(vector.request(), now=vector.at), Forged)


def test_every_proof_is_shown() -> None:
    shown = {each.provider for each in VECTORS if each.genuine}
    assert sorted(OUTSIDE) == sorted(shown)


def test_every_vector_names_who_made_it() -> None:
    for vector in VECTORS:
        assert vector.said["made_by"]
        assert vector.said["made_by"].startswith("published") or _program(vector.provider)


def _program(provider: str) -> bool:
    found = [*PROGRAMS.glob(f"py/{provider}.py"), *PROGRAMS.glob(f"js/{provider}.mjs")]
    return bool(found or [*PROGRAMS.glob(f"*/{provider}-*")])


def test_there_are_as_many_presets_as_promised() -> None:
    assert len(PRESETS) >= PROMISED


def test_as_many_presets_as_promised_are_proven_by_others() -> None:
    assert len({each.provider for each in VECTORS if each.genuine}) >= PROVEN
