"""One subject's rows in; out comes its page: how it stands, by which names, and how it came so."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from service.domain.drift import Difference
from service.domain.events import Outcome, Subject
from service.domain.law import State
from service.domain.lifecycle import Lifecycle
from service.domain.masking import USUALLY, Mask
from service.ops import stuck
from service.ops.lookups import Body, subject_item
from service.store import dossiers
from service.store.dossiers import MOST_HISTORY, Dossier, Row
from service.store.pool import Pool

Act = Literal["correction", "release", "rollback", "link", "unlink", "merge", "sync"]

MOST_BASES = 100
"""Of subjects that were merged after their events were purged; usually there is one."""
OPERATOR, DENIAL = "operator", "denial"
"""The kind of claim that outranks all others, and an operator's word against one."""


async def read(
    pool: Pool, name: Subject, *, lifecycles: Mapping[str, Lifecycle], mask: Mask = USUALLY
) -> Body | None:
    """Answer what GET /subjects/{lifecycle}/{ref} answers; None when nothing has this name.

    The name of a merged subject is answered with the one that stands for it now.
    """
    found = await dossiers.read(pool, name)
    return _body(found, name, lifecycles, mask) if found else None


def _body(found: Dossier, asked: Subject, lifecycles: Mapping[str, Lifecycle], mask: Mask) -> Body:
    row = found.subject
    state = State.from_json(row["state"]) if row["state"] is not None else State.empty()
    item = subject_item(row, lifecycles)
    standing = [each for each in found.corrections if each["released_at"] is None]
    aliases = _aliases(found.claims, root=row["id"])
    return {
        **item,
        "stuck": stuck.told(found, aliases),
        "merged_into": None if asked == _name(row) else item["subject"],
        "lanes": state.lanes_view,
        "parcels": [
            {"parcel": parcel, "returns": parcel in state.returns, "lanes": lanes}
            for parcel, lanes in state.parcels_view.items()
        ],
        "attributes": mask.attributes(state.attributes_view),
        "aliases": aliases,
        "corrections": [_correction(each) for each in reversed(standing)],
        "merged": [_left_behind(each, found.syncs, mask) for each in found.merged],
        "syncs": [_sync(sync, mask) for sync in found.syncs if sync["subject_id"] == row["id"]],
        "versions": [_version(each) for each in reversed(found.versions)],
        "history": _history(found),
    }


def _version(row: Row) -> Body:
    """Where the overall status moved, and what led to it besides events."""
    return {
        "version": row["version"],
        "previous": row["previous"],
        "status": row["status"],
        "occurred_at": row["occurred_at"],
        "at": row["at"],
        "cause": row["cause"],
    }


def _aliases(claims: Sequence[Row], *, root: int) -> list[Body]:
    """Each name once, with everyone who claims it; claims are sorted by it."""
    by_name = groupby(claims, key=lambda claim: (claim["type"], claim["value"]))
    return [_alias(*name, list(made), root=root) for name, made in by_name]


def _alias(type_: str, value: str, claims: Sequence[Row], *, root: int) -> Body:
    """A name leads somewhere while its claims agree; what operators say outranks the rest."""
    denials = {claim["root"]: claim for claim in claims if claim["kind"] == DENIAL}
    said = [claim for claim in claims if claim["kind"] != DENIAL]
    operators = [claim for claim in said if claim["kind"] == OPERATOR]
    roots = {claim["root"] for claim in operators or said}
    roots = roots if operators else roots - denials.keys()
    return {
        "type": type_,
        "value": value,
        "conflict": len(roots) > 1,
        "leads_here": roots == {root},
        "waiting": claims[0]["waiting"],
        "denied": _denied(denials.get(root)),
        "claims": [
            {
                "subject": str(_name(claim)),
                "kind": claim["kind"],
                "claimant": claim["claimant"],
                "made_at": claim["made_at"],
            }
            for claim in said
        ],
    }


def _denied(denial: Row | None) -> Body | None:
    return {"actor": denial["claimant"], "at": denial["made_at"]} if denial else None


def _correction(row: Row) -> Body:
    return {name: row[name] for name in ("id", "lane", "status", "reason", "actor", "at")}


def _left_behind(row: Row, syncs: Iterable[Row], mask: Mask) -> Body:
    """A merged subject and its records at the destinations, which nobody deletes."""
    return {
        "subject": str(_name(row)),
        "syncs": [_sync(sync, mask) for sync in syncs if sync["subject_id"] == row["id"]],
    }


def _sync(row: Row, mask: Mask) -> Body:
    return {
        "destination": row["destination"],
        "state": row["state"],
        "desired": row["desired_version"],
        "synced": row["synced_version"],
        "remote_id": row["remote_id"],
        "error": row["error"],
        "attempts": row["attempts"],
        "due_at": row["due_at"],
        **_held(row, mask),
    }


def differing(difference: Mapping[str, Difference] | None, mask: Mask) -> list[Body]:
    """Each field that differs, as the API shows it."""
    return [
        {
            "field": name,
            "ours": mask.field(name, each["ours"]),
            "theirs": mask.field(name, each["theirs"]),
        }
        for name, each in sorted((difference or {}).items())
    ]


def _held(row: Row, mask: Mask) -> Body:
    """Why nothing is written, and what would be; a discarded letter was an operator's decision."""
    held_for = (row["held_for"] or OPERATOR) if row["state"] == "held" else None
    difference = row["difference"] if held_for else None
    return {"held_for": held_for, "difference": differing(difference, mask)}


def _history(found: Dossier) -> list[Body]:
    """What stands for purged events, then the rest by ids, which are made in the order of time."""
    corrections = {row["id"]: row for row in found.corrections}
    events = [(row["id"], _event(row)) for row in found.history]
    acts = [(row["id"], step) for row in found.actions if (step := _act(row, corrections))]
    ordered = sorted([*events, *acts], key=lambda step: step[0])
    names = {row["id"]: str(_name(row)) for row in (found.subject, *found.merged)}
    bases = [_base(row, names[row["subject_id"]]) for row in found.bases][-MOST_BASES:]
    return [*bases, *(step for _, step in ordered[len(bases) - MOST_HISTORY :])]


def _base(row: Row, name: str) -> Body:
    """What is left of events beyond their retention: how many they were, and what they made."""
    count, many = row["events"], row["events"] != 1
    until = f", the last one of {row['until']:%F %T}," if row["until"] else ""
    reason = (
        f"{count:,} {'events' if many else 'event'} of {name}{until} left at"
        f" {row['purged_at']:%F %T}, beyond {'their' if many else 'its'} retention; what"
        f" {'they' if many else 'it'} folded to stands, and later events are folded upon it"
    )
    return {
        "kind": "base",
        **dict.fromkeys(("event_id", "source", "parcel", "lane", "status")),
        "occurred_at": row["until"],
        "received_at": row["purged_at"],
        "outcome": None,
        "reason": reason,
        "actor": None,
        "events": count,
    }


def _event(row: Row) -> Body:
    by = row["rolled_back_by"]
    reason = f"rolled back by {by}: {row['rolled_back_because']}" if by else row["reason"]
    return {
        "kind": "event",
        "event_id": str(row["id"]),
        "source": row["source"],
        "parcel": row["parcel"],
        "lane": row["lane"],
        "status": row["status"],
        "occurred_at": row["occurred_at"],
        "received_at": row["received_at"],
        "outcome": row["outcome"],
        "reason": reason,
        "actor": by,
        "events": 1,
    }


def _act(row: Row, corrections: Mapping[int, Row]) -> Body | None:
    """What a person decided; None for an act that another release recorded."""
    detail = row["detail"]
    match row["action"]:
        case "subject.correct":
            said = corrections.get(detail["correction"])
            outcome, why = _fate(detail, said, corrections.values())
            return _step(row, "correction", reason=why, outcome=outcome)
        case "subject.roll_back":
            return _step(row, "rollback", reason=detail["reason"])
        case "subject.merge":
            why = f"{detail['loser']} was merged into {detail['into']}: {detail['reason']}"
            return _step(row, "merge", reason=why)
        case action:
            return _plain(row, action, detail)


def _plain(row: Row, action: str, detail: Mapping[str, Any]) -> Body | None:
    match action:
        case "subject.release":
            return _step(row, "release", reason=f"correction {detail['correction']} ended")
        case "subject.link":
            return _step(row, "link", reason=f"also called {_called(detail)}")
        case "subject.unlink":
            held = "; no source brings that back" if detail.get("denied") else ""
            return _step(row, "unlink", reason=f"no longer called {_called(detail)}{held}")
        case "subject.push" | "subject.keep" | "subject.retry" | "subject.refresh":
            return _step(row, "sync", reason=_decided(action, detail))
        case _:
            return None


def _decided(action: str, detail: Mapping[str, Any]) -> str:
    destination = detail["destination"]
    match action:
        case "subject.push":
            return f"ours is written at {destination}, whatever stands there: {detail['reason']}"
        case "subject.keep":
            return f"theirs stays at {destination} until the next version: {detail['reason']}"
        case "subject.retry":
            return f"tried again at {destination}: {detail['reason']}"
        case _:
            return f"read back and {detail['repair']}: {detail['said']}"


def _called(detail: Mapping[str, Any]) -> str:
    return f"{detail['type']}={detail['value']}"


def _fate(detail: Mapping[str, Any], row: Row | None, others: Iterable[Row]) -> tuple[Outcome, str]:
    """Whether a correction still holds: until it is released, or a later one is in its lane."""
    why = detail["reason"]
    if row is None or row["released_at"] is not None:
        by = f" (released by {row['released_by']})" if row else ""
        return Outcome.REVOKED, f"{why}{by}"
    standing = [
        each["id"] for each in others if each["released_at"] is None and each["lane"] == row["lane"]
    ]
    if (last := max(standing)) > row["id"]:
        return Outcome.SUPERSEDED, f"{why} (correction {last} is the later one)"
    return Outcome.APPLIED, why


def _step(row: Row, kind: Act, *, reason: str, outcome: Outcome = Outcome.APPLIED) -> Body:
    detail = row["detail"]
    return {
        "kind": kind,
        "event_id": detail.get("event_id"),
        "source": None,
        "parcel": None,
        "lane": detail.get("lane"),
        "status": detail.get("status"),
        "occurred_at": row["at"],
        "received_at": row["at"],
        "outcome": outcome.value,
        "reason": reason,
        "actor": row["actor"],
        "events": 0,
    }


def _name(row: Row) -> Subject:
    return Subject(row["lifecycle"], row["scope"], row["ref"])
