"""Captured requests come in; the source that would read them, as TOML for a person, goes out."""

from collections.abc import Sequence

from service.intake.provider import RawRequest
from service.ops.proposing import choices, proofs, tables, traffic
from service.ops.proposing.proofs import Offered

__all__ = ["Offered", "propose"]


def propose(name: str, requests: Sequence[RawRequest], *, secret: Offered | None = None) -> str:
    """Write what `[sources.NAME]` may be; what must be looked at is marked FILL IN.

    Nothing of the requests is believed: they only suggest.
    """
    seen = traffic.read(requests)
    return tables.write(name, seen, choices.choose(seen), proofs.find(seen.requests, secret))
