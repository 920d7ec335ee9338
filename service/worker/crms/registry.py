"""Every kind of destination there is, in one literal list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from service.settings import Destination
from service.worker.crms import callback
from service.worker.crms.base import Crm
from service.worker.crms.client import Clock


class Build(Protocol):
    def __call__(
        self, destination: Destination, session: aiohttp.ClientSession, *, clock: Clock
    ) -> Crm: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of destination, by the word used in the configuration."""

    name: str
    title: str
    build: Build


CRMS: tuple[Kind, ...] = (
    Kind(callback.NAME, "Signed callback to any system (Standard Webhooks)", callback.build),
)


def crms_by_name() -> Mapping[str, Kind]:
    return {kind.name: kind for kind in CRMS}
