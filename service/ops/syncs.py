"""A person's decision about one sync in, the subject after it out; and the list of what is held."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from service.domain.errors import Declined, NotFound
from service.domain.events import Subject
from service.domain.masking import USUALLY, Mask
from service.ops.decisions import Hand, open_subject, record
from service.ops.dossiers import differing
from service.ops.lookups import BadCursor, Body, Page, decode_cursor, encode_cursor
from service.settings import Destination
from service.store import decisions
from service.store.decisions import Place, Row, Standing
from service.store.pool import Connection, Pool, transaction


class Action(StrEnum):
    """What a person may decide about a sync."""

    OVERWRITE = "overwrite"
    """Write ours, whatever a person did there."""
    ACCEPT = "accept"
    """Keep theirs until the next version."""
    RETRY = "retry"
    """Try now, instead of when it is due."""


class HeldFor(StrEnum):
    """Why nothing is written."""

    PERSON = "person"
    SHADOW = "shadow"
    OPERATOR = "operator"


VERBS: Mapping[Action, str] = {
    Action.OVERWRITE: "push",
    Action.ACCEPT: "keep",
    Action.RETRY: "retry",
}
REMEDIES: Mapping[str, str] = {
    "person": (
        "`orderhook orders push {subject} --destination {destination}` writes ours, `--accept` "
        "keeps theirs until the next version. Or set it there to what it should be, then `--retry`."
    ),
    "shadow": "It is written once `shadow` is switched off for {destination}.",
    "operator": (
        "It stays so until the next version; "
        "`orderhook orders push {subject} --destination {destination}` writes ours now."
    ),
}


async def decide(
    hand: Hand,
    name: Subject,
    destination: str,
    action: Action,
    *,
    reason: str,
    configured: Mapping[str, Destination],
) -> Body:
    """Carry out what a person decided; Declined where it would change nothing."""
    async with transaction(hand.pool) as tx:
        row = await open_subject(tx, hand, name)
        standing = await decisions.lock(tx, row.id, destination)
        if destination not in configured:
            raise NotFound(_unknown(destination, configured))
        if standing is None:
            raise NotFound(f"No route has led {name} to {destination} yet; its page lists them.")
        await _carry_out(
            tx,
            row.id,
            destination,
            action,
            standing=standing,
            name=name,
            actor=hand.actor,
            reason=reason,
            shadow=configured[destination].shadow,
        )
        detail = {"destination": destination, "action": action.value, "reason": reason}
        await record(tx, hand, VERBS[action], target=name, detail=detail)
    return await hand.page(name)


async def held(
    pool: Pool,
    page: Page,
    *,
    destination: str | None = None,
    held_for: str | None = None,
    mask: Mask = USUALLY,
) -> Body:
    """Answer what GET /held answers."""
    rows = await decisions.held(
        pool,
        destination=destination,
        held_for=held_for,
        before=_place(page.cursor) if page.cursor else None,
        limit=page.limit + 1,
    )
    shown = rows[: page.limit]
    last = shown[-1] if len(rows) > page.limit else None
    return {
        "items": [_item(row, mask) for row in shown],
        "next": last
        and encode_cursor(
            [last["updated_at"].isoformat(), last["subject_id"], last["destination"]]
        ),
    }


def _unknown(destination: str, configured: Iterable[str]) -> str:
    known = ", ".join(sorted(configured)) or "none"
    return f"There is no destination {destination}; configured are: {known}."


async def _carry_out(  # noqa: PLR0913
    tx: Connection,
    subject_id: int,
    destination: str,
    action: Action,
    *,
    standing: Standing,
    name: Subject,
    actor: str,
    reason: str,
    shadow: bool,
) -> None:
    match action:
        case Action.OVERWRITE:
            if shadow:
                raise Declined(
                    f"{destination} is in shadow: nothing is written there before `shadow` is "
                    "switched off."
                )
            await decisions.overwrite(tx, subject_id, destination)
        case Action.ACCEPT:
            _expect_held(standing, name, destination)
            theirs = {field: each["theirs"] for field, each in (standing.difference or {}).items()}
            why = f"{actor} keeps what stands there until the next version: {reason}"
            await decisions.accept(tx, subject_id, destination, theirs=theirs, why=why)
        case Action.RETRY:
            if not standing.leased:  # else somebody tries it this very moment
                await decisions.retry(tx, subject_id, destination)
        case _:
            assert_never(action)


def _expect_held(standing: Standing, name: Subject, destination: str) -> None:
    if standing.state == "held" and standing.held_for == "person":
        return
    why = {
        "synced": "it shows what it should, and nothing is written before the next version",
        "dead": "it is a dead letter: `orderhook dead discard` gives it up",
        "held": "it is in shadow, where nothing is written in any case"
        if standing.held_for == "shadow"
        else "what stands there is kept already",
    }.get(standing.state, "nobody has changed it there, as far as is known")
    raise Declined(f"{name} is not held for a person's edit at {destination}: {why}.")


def _item(row: Row, mask: Mask) -> Body:
    subject = Subject(row["lifecycle"], row["scope"], row["ref"])
    names = {"subject": str(subject), "destination": row["destination"]}
    return {
        **names,
        "lifecycle": subject.lifecycle,
        "scope": subject.scope,
        "ref": subject.ref,
        "status": row["status"],
        "held_for": row["held_for"],
        "desired": row["desired_version"],
        "synced": row["synced_version"],
        "remote_id": row["remote_id"],
        "difference": differing(row["difference"], mask),
        "reason": row["error"],
        "remedy": REMEDIES[row["held_for"]].format(**names),
        "since": row["updated_at"],
    }


def _place(cursor: str) -> Place:
    match decode_cursor(cursor):
        case [str(at), int(subject_id), str(destination)] if 0 < subject_id < 2**63:
            try:
                moment = datetime.fromisoformat(at)
            except ValueError:
                raise BadCursor from None
            if moment.tzinfo is None or isinstance(subject_id, bool) or "\0" in destination:
                raise BadCursor
            return moment, subject_id, destination
        case _:
            raise BadCursor
