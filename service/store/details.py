"""What few events carry: into one JSON column, out of it, and a digest of all that was said."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from service.domain.events import Alias, Fate, Lookup, Money, Revocation, Statement

DIGEST_BYTES = 12
MEANT = frozenset({Fate.FOLD, Fate.LOOK_UP})
"""Only what was understood has a meaning that another statement can contradict."""


def pack(said: Statement) -> dict[str, object]:
    """Keep what is there, and nothing of what is not."""
    parts: dict[str, object] = {
        "aliases": [alias._asdict() for alias in said.aliases],
        "money": [_money(money) for money in said.money],
        "reason": said.reason,
        "returns": said.returns,
        "revokes": said.revokes._asdict() if said.revokes else None,
        "lookup": said.lookup._asdict() if said.lookup else None,
    }
    return {name: part for name, part in parts.items() if part}


def statement(row: Mapping[str, Any]) -> Statement:
    """The statement of a row of `events`."""
    details = row["details"]
    return Statement(
        dedupe_key=row["dedupe_key"],
        lifecycle=row["lifecycle"],
        scope=row["scope"],
        ref=row["ref"],
        parcel=row["parcel"],
        returns=details.get("returns", False),
        aliases=tuple(Alias(**each) for each in details.get("aliases", ())),
        lane=row["lane"],
        status=row["status"],
        code=row["code"],
        reason=details.get("reason", ""),
        occurred_at=row["occurred_at"],
        attributes=row["attributes"],
        money=tuple(Money(**each) for each in details.get("money", ())),
        revokes=Revocation(**details["revokes"]) if "revokes" in details else None,
        lookup=Lookup(**details["lookup"]) if "lookup" in details else None,
        fate=Fate(row["fate"]),
        note=row["note"],
    )


def digest(said: Statement, packed: Mapping[str, object] | None = None) -> bytes | None:
    """Shorten all that a statement means; None for one that nobody understood.

    Who has packed it already need not do it twice.
    """
    if said.fate not in MEANT:
        return None
    meant = [
        *(said.lifecycle, said.scope, said.ref, said.parcel, said.lane, said.status, said.code),
        said.occurred_at.isoformat() if said.occurred_at else None,
        said.attributes,
        pack(said) if packed is None else packed,
    ]
    return sha256(orjson.dumps(meant, option=orjson.OPT_SORT_KEYS)).digest()[:DIGEST_BYTES]


def _money(money: Money) -> dict[str, str]:
    parts = {
        "kind": money.kind,
        "amount": money.amount,
        "currency": money.currency,
        "id": money.id,
    }
    return {name: part for name, part in parts.items() if part}
