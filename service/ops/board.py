"""The pipeline of a lifecycle: how many subjects stand at each status, and the newest of them."""

from collections.abc import Iterable, Mapping

from service.domain.errors import NotFound
from service.domain.lifecycle import Lifecycle
from service.ops.lookups import Body, subject_item
from service.store import board
from service.store.pool import Pool

MOST_COUNTED = 10_000
"""Of one status; of more it is said that there are at least so many."""
MOST_NEWEST = 20
USUAL_NEWEST = 5


async def read(
    pool: Pool, lifecycle: str, *, lifecycles: Mapping[str, Lifecycle], newest: int = USUAL_NEWEST
) -> Body:
    """Answer what GET /board answers; statuses of the lifecycle first, in their order."""
    rows = await board.read(pool, lifecycle, most=MOST_COUNTED + 1, newest=newest)
    known = lifecycles.get(lifecycle)
    if known is None and lifecycle not in rows.lifecycles:
        raise NotFound(f"There is no lifecycle {lifecycle}; there are: {', '.join(lifecycles)}.")
    statuses = pipeline(known) if known else ()
    sentences = {alarm.flag: alarm.sentence for alarm in known.alarms} if known else {}
    by_status: dict[str, list[Body]] = {}
    for row in rows.newest:
        by_status.setdefault(row["status"], []).append(subject_item(row, lifecycles))
    return {
        "lifecycle": lifecycle,
        "lifecycles": list(dict.fromkeys([*lifecycles, *rows.lifecycles])),
        "statuses": [
            {"status": each, **_count(rows.counts.get(each, 0)), "newest": by_status.get(each, [])}
            for each in _all(statuses, rows.counts)
        ],
        "flags": [
            {"flag": flag, "sentence": sentences.get(flag, ""), **_count(rows.flags.get(flag, 0))}
            for flag in _all(sentences, rows.flags)
        ],
    }


def choices(lifecycles: Mapping[str, Lifecycle]) -> Body:
    """Answer what GET /lifecycles answers: what a correction may say, and what a list may ask."""
    return {
        "items": [
            {
                "lifecycle": each.name,
                "lanes": [
                    {"lane": lane.name, "statuses": list(lane.statuses)}
                    for lane in each.lanes.values()
                ],
                "statuses": pipeline(each),
                "flags": [
                    {"flag": alarm.flag, "sentence": alarm.sentence} for alarm in each.alarms
                ],
            }
            for each in lifecycles.values()
        ],
        "next": None,
    }


def pipeline(lifecycle: Lifecycle) -> list[str]:
    """Its overall statuses in the order in which a subject usually passes them.

    Rules stand with the strongest first, which is about the way back.
    """
    return [*reversed(lifecycle.overall_statuses)]


def _count(count: int) -> Body:
    """A number, and whether there may be more."""
    return {"count": min(count, MOST_COUNTED), "more": count > MOST_COUNTED}


def _all(known: Iterable[str], found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*known, *found]))
