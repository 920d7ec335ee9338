"""Who usually speaks and does not: accepted requests come in, alarms and gauges go out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from service import supervisor, telemetry
from service.domain import rhythm
from service.domain.rhythm import Rhythm, Rule, Sound, Verdict, spelled
from service.ops.lookups import Body
from service.settings import Source
from service.store import rhythms
from service.store.pool import Connection, Pool, transaction
from service.store.rhythms import Kept, Turn

log = structlog.get_logger()


def rules(sources: Mapping[str, Source]) -> dict[str, Rule]:
    return {name: _rule(source.silence) for name, source in sources.items()}


def _rule(silence: str | timedelta) -> Rule:
    match silence:
        case timedelta():
            return silence.total_seconds()
        case "off":
            return "off"
        case _:
            return "auto"


async def look(pool: Pool, wanted: Mapping[str, Rule]) -> None:
    """Go on with every rhythm, begin and end alarms; one process of an installation at a time."""
    begun: list[str] = []
    ended: list[str] = []
    alarms: dict[str, str] = {}
    async with transaction(pool) as tx:
        if (turn := await rhythms.take_turn(tx)) is not None:
            known = await _listen(tx, turn, sources=list(wanted))
            said = {
                name: rhythm.judge(one, wanted[name], now=turn.now) for name, one in known.items()
            }
            await rhythms.save(
                tx, {name: replace(one, silent=said[name].silent) for name, one in known.items()}
            )
            alarms = {
                name: _sentence(known[name], verdict)
                for name, verdict in said.items()
                if verdict.silent
            }
            ended = await rhythms.end(tx, but=alarms)
            begun = await rhythms.begin(tx, alarms)
    for name in begun:
        log.warning("source_silent", source=name, detail=alarms[name])
    for name in ended:
        log.info("source_silence_ended", source=name)


async def _listen(tx: Connection, turn: Turn, *, sources: Sequence[str]) -> dict[str, Rhythm]:
    """Every rhythm up to now."""
    before = await rhythms.read(tx, sources)
    heard: dict[str, list[Sound]] = {name: [] for name in sources}
    async for name, sound in rhythms.news(tx, turn):
        supervisor.beat()
        if name in heard:
            heard[name].append(sound)
    return {
        name: rhythm.listen(
            before[name].rhythm if name in before else rhythm.begin(turn.now),
            sounds,
            now=turn.now,
        )
        for name, sounds in heard.items()
    }


async def show(pool: Pool, sources: Collection[str]) -> None:
    """Set the gauges of every source that is known; each process that looks shows the same."""
    async with transaction(pool, readonly=True) as tx:
        kept = await rhythms.read(tx, sources)
    # Cleared: a source may be gone.
    for gauge in (telemetry.SOURCE_SILENT, telemetry.SOURCE_HEARD, telemetry.SOURCE_GAP):
        gauge.clear()
    for name, one in kept.items():
        telemetry.SOURCE_SILENT.labels(name).set(one.silent)
        if one.rhythm.heard is not None:
            telemetry.SOURCE_HEARD.labels(name).set(one.rhythm.heard)
        if one.rhythm.usual is not None:
            telemetry.SOURCE_GAP.labels(name).set(one.rhythm.usual)


async def told(pool: Pool, sources: Collection[str]) -> dict[str, Body]:
    """What GET /sources says of the rhythm of those that are known."""
    async with transaction(pool, readonly=True) as tx:
        return {name: _told(kept) for name, kept in (await rhythms.read(tx, sources)).items()}


UNTOLD: Body = {"last_heard": None, "usual_gap_seconds": None, "silent_since": None}


def _told(kept: Kept) -> Body:
    known = kept.rhythm
    since = known.heard if known.heard is not None else known.known
    return {
        "last_heard": _moment(known.heard) if known.heard is not None else None,
        "usual_gap_seconds": round(known.usual, 3) if known.usual is not None else None,
        "silent_since": _moment(since) if kept.silent else None,
    }


def _sentence(known: Rhythm, verdict: Verdict) -> str:
    if known.heard is None:
        return f"Nothing was ever heard since {_moment(known.known):%F %T} UTC."
    usually = f" Usually a request comes every {spelled(known.usual)}." if known.usual else ""
    missed = f" About {verdict.missed:.0f} minutes with requests are missing."
    return (
        f"Nothing was heard since {_moment(known.heard):%F %T} UTC,"
        f" {spelled(verdict.silent_for)} ago.{usually}{missed if verdict.missed >= 1 else ''}"
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
