"""How often a source speaks: the minutes it was heard in come in, whether it is silent comes out.

A sound is a minute with at least one accepted request. Two measures of a quiet stretch are kept:
its length, and how many sounds it misses, going by what the same hours of other days brought. The
nights of a shop miss nothing, so a dead shop is noticed within the hour by day, and a living one
is left alone at night.

`auto` calls a source silent when one of the measures is 2.5 times the worst in living memory, which
halves every 30 days, and at least 15 sounds, or 15 minutes. It aims at less than one false alarm
a source and year: where sounds come at random, 15 are missing by chance once in e^15 stretches,
which is once in six years for a source that speaks every minute. A limit that was crossed is
learnt only up to itself, so an outage is not taken for the custom of the house.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
UNTOLD = 600.0
"""Nobody looked for longer than this: what happened meanwhile says nothing about the source."""
LEAST_MISSED = 15.0
LEAST_QUIET = 15 * MINUTE
MARGIN = 2.5
HALF_LIFE = 30 * DAY
LEAST_DAYS = 3
"""An hour is relied upon once it was watched on so many days."""
LEAST_AGE = 7 * DAY
LEAST_SOUNDS, LEAST_AGE_FOR_LENGTH = 20, 2 * LEAST_AGE
"""By its length alone a stretch is judged only when the source is known so well and so long."""
SLOTS = 48
"""The hours of a working day, then those of a day of the weekend, in UTC."""
GAPS = 100
"""How many of the last gaps, more or less, make the usual one."""
LONGEST_WALK = 30 * DAY
"""No stretch needs to be counted further to be a silence."""

Rule = Literal["auto", "off"] | float
"""`auto`, `off`, or the seconds nothing may be heard."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Requests of one minute; moments are seconds since the epoch."""

    first: float
    last: float
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Rhythm:
    """All that is remembered of a source."""

    known: float
    """Since when it is watched."""
    watched: float
    """Since when it is watched without a break."""
    looked: float
    heard: float | None = None
    sounds: int = 0
    usual: float | None = None
    """The usual gap between two requests: their geometric mean, the last ones foremost."""
    longest: float = 0.0
    worst: float = 0.0
    """The most sounds a quiet stretch missed that ended."""
    means: tuple[float, ...] = (0.0,) * SLOTS
    days: tuple[int, ...] = (0,) * SLOTS
    hour: float = 0.0
    """The beginning of the hour that was last heard in."""
    minutes: int = 0
    """A bit for each minute of that hour with a sound."""
    silent: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Rhythm":
        return cls(**{**data, "means": tuple(data["means"]), "days": tuple(data["days"])})


@dataclass(frozen=True, slots=True)
class Verdict:
    silent: bool
    silent_for: float
    """Seconds of silence, as far as anybody listened."""
    missed: float = field(default=0.0)


def begin(now: float) -> Rhythm:
    return Rhythm(known=now, watched=now, looked=now, hour=_hour(now))


def listen(rhythm: Rhythm, sounds: Sequence[Sound], *, now: float) -> Rhythm:
    """Go on to `now` with what was heard since the last look, oldest first."""
    if now - rhythm.looked > UNTOLD:
        rhythm = replace(rhythm, watched=now)
    for sound in sounds:
        rhythm = _hear(rhythm, sound)
    return replace(rhythm, looked=max(rhythm.looked, now))


def judge(rhythm: Rhythm, rule: Rule, *, now: float) -> Verdict:
    """Whether a source is silent at the moment of its last look."""
    since = _quiet_since(rhythm)
    quiet = max(0.0, now - since)
    match rule:
        case "off":
            return Verdict(silent=False, silent_for=quiet)
        case "auto":
            missed = _missed(rhythm, since, now)
            silent = missed >= _missed_limit(rhythm) or quiet >= _length_limit(rhythm)
            return Verdict(silent=silent, silent_for=quiet, missed=missed)
        case limit:
            return Verdict(silent=quiet >= limit, silent_for=quiet)


def _quiet_since(rhythm: Rhythm) -> float:
    """What was not listened to is no silence: an outage of ours accuses nobody."""
    return max(rhythm.watched, rhythm.heard or 0.0)


def _missed_limit(rhythm: Rhythm) -> float:
    is_known = rhythm.looked - rhythm.known >= LEAST_AGE
    return max(LEAST_MISSED, MARGIN * rhythm.worst) if is_known else math.inf


def _length_limit(rhythm: Rhythm) -> float:
    is_known = (
        rhythm.sounds >= LEAST_SOUNDS and rhythm.looked - rhythm.known >= LEAST_AGE_FOR_LENGTH
    )
    return max(LEAST_QUIET, MARGIN * rhythm.longest) if is_known else math.inf


def _hear(rhythm: Rhythm, sound: Sound) -> Rhythm:
    if rhythm.heard is not None and sound.last <= rhythm.heard:
        return rhythm
    learnt = _close_hours(_learn_gaps(rhythm, sound), until=sound.last)
    in_time = _hour(sound.last) == learnt.hour
    return replace(
        learnt,
        heard=sound.last,
        sounds=rhythm.sounds + 1,
        minutes=learnt.minutes | (in_time << int(sound.last % HOUR // MINUTE)),
        silent=False,
    )


def _learn_gaps(rhythm: Rhythm, sound: Sound) -> Rhythm:
    if rhythm.heard is None:
        return rhythm
    gap = max(sound.first - rhythm.heard, 0.001)
    inner = max((sound.last - sound.first) / max(sound.requests - 1, 1), 0.001)
    usual = _drawn(rhythm.usual, gap, times=1, known=rhythm.sounds)
    usual = _drawn(usual, inner, times=sound.requests - 1, known=rhythm.sounds)
    if rhythm.watched > rhythm.heard:
        return replace(rhythm, usual=usual)  # not all of this gap was watched
    missed = _missed(rhythm, rhythm.heard, sound.first)
    faded = 0.5 ** (gap / HALF_LIFE)
    return replace(
        rhythm,
        usual=usual,
        longest=max(rhythm.longest * faded, min(gap, _length_limit(rhythm))),
        worst=max(rhythm.worst * faded, min(missed, _missed_limit(rhythm))),
    )


def _drawn(usual: float | None, gap: float, *, times: int, known: int) -> float:
    """The usual gap, drawn towards one that was heard so many times."""
    if usual is None or times <= 0:
        return gap if usual is None else usual
    part = 1.0 - (1.0 - 1.0 / min(GAPS, known + 1)) ** times
    return math.exp(math.log(usual) + part * (math.log(gap) - math.log(usual)))


def _close_hours(rhythm: Rhythm, *, until: float) -> Rhythm:
    """Learn from the hours up to a sound.

    Quiet hours are learnt only when it speaks again: nobody knows before whether it died in them.
    Hours in which it was silent, or that were not watched whole, teach nothing.
    """
    first = max(rhythm.hour, _hour(rhythm.watched) - HOUR, until - LONGEST_WALK)
    for hour in range(int(_hour(first)), int(_hour(until)), int(HOUR)):
        if rhythm.watched <= hour and not rhythm.silent:
            rhythm = _learn_hour(rhythm, _slot(hour))
        rhythm = replace(rhythm, minutes=0)
    return replace(rhythm, hour=max(rhythm.hour, _hour(until)))


def _learn_hour(rhythm: Rhythm, slot: int) -> Rhythm:
    """Few sounds are learnt faster than many: a holiday counts more than a sale."""
    heard, mean, days = rhythm.minutes.bit_count(), rhythm.means[slot], rhythm.days[slot]
    part = 1 / (days + 1) if days < LEAST_DAYS else 0.3 if heard < mean else 0.2
    return replace(
        rhythm,
        means=(*rhythm.means[:slot], mean + part * (heard - mean), *rhythm.means[slot + 1 :]),
        days=(*rhythm.days[:slot], days + 1, *rhythm.days[slot + 1 :]),
    )


def _missed(rhythm: Rhythm, start: float, end: float) -> float:
    """Sounds that were to be expected between two moments."""
    missed, at = 0.0, max(start, end - LONGEST_WALK)
    while at < end:
        until = min(end, (at // HOUR + 1) * HOUR)
        missed += _expected(rhythm, at) * (until - at) / HOUR
        at = until
    return missed


def _expected(rhythm: Rhythm, moment: float) -> float:
    """Sounds of an hour; the quietest of it and its neighbours, as days do not begin sharply."""
    slots = [_slot(moment + shift * HOUR) for shift in (-1, 0, 1)]
    if any(rhythm.days[slot] < LEAST_DAYS for slot in slots):
        return 0.0
    return min(rhythm.means[slot] for slot in slots)


def _hour(moment: float) -> float:
    return moment // HOUR * HOUR


def _slot(moment: float) -> int:
    weekday = (int(moment // DAY) + 3) % 7  # the epoch began on a Thursday
    return int(moment % DAY // HOUR) + (24 if weekday >= 5 else 0)


def spelled(seconds: float) -> str:
    """A length of time as a person would say it: `4 min`, `2.5 h`."""
    for unit, size in (("days", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= 2 * size or (seconds >= size and unit != "days"):
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"
