"""What every decision of a person needs: who decides, the subject locked, and the act recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.domain import law
from service.domain.errors import Declined, NotFound
from service.domain.events import Subject
from service.ops import dossiers
from service.ops.lookups import Body
from service.store import actions, corrections, subjects
from service.store.pool import Connection, Pool
from service.store.subjects import Row
from service.worker.rules import Rules


@dataclass(frozen=True, slots=True)
class Hand:
    """Who decides, and the rules that a subject is folded by afterwards."""

    pool: Pool
    rules: Rules
    actor: str

    async def page(self, name: Subject) -> Body:
        """The subject as it is now."""
        found = await dossiers.read(
            self.pool, name, lifecycles=self.rules.lifecycles, mask=self.rules.mask
        )
        if found is None:
            raise unknown(name)
        return found


async def open_subject(tx: Connection, hand: Hand, name: Subject) -> Row:
    """Lock a subject for a decision about it."""
    rows = await subjects.lock_present(tx, [name])
    return await expect_open(tx, hand, rows.get(name), name)


async def expect_open(tx: Connection, hand: Hand, row: Row | None, name: Subject) -> Row:
    """Refuse what nobody knows, what stands for nothing any more, and what is not ours to fold."""
    if row is None:
        raise unknown(name)
    _, survivor = await corrections.survivor(tx, row.id)
    if survivor != name:
        raise Declined(f"{name} was merged into {survivor}; decide about {survivor} instead.")
    if name.lifecycle not in hand.rules.lifecycles:
        raise Declined(unconfigured(name.lifecycle, f"{name} cannot be folded"))
    if row.law > law.LAW:
        raise Declined(f"A newer release has folded {name}; decide about it there.")
    return row


async def record(
    tx: Connection, hand: Hand, act: str, *, target: Subject, detail: Mapping[str, Any]
) -> None:
    """Append who did what; the subject's history reads these rows."""
    await actions.record(tx, hand.actor, f"subject.{act}", target=str(target), detail=detail)


def unconfigured(lifecycle: str, but: str) -> str:
    """Say that a lifecycle went from the configuration before its subjects did."""
    return (
        f"{but}, but the lifecycle {lifecycle!r} is configured no more: define "
        f"[lifecycles.{lifecycle}] again and reload every process."
    )


def unknown(name: Subject) -> NotFound:
    return NotFound(f"No accepted event names {name}: check the number, the scope, the lifecycle.")
