"""Named places where a sandbox may end, hold up or break its process; everywhere else nothing.

`ORDERHOOK_FAULTPOINTS="relay.claimed=kill@0.01 sync.called=block"`: at each named place an act, and
how likely it is each time (always, if not said).
"""

import asyncio
import os
import random
import signal
import time
from dataclasses import dataclass
from typing import Literal, assert_never, get_args

import structlog

from service.domain.errors import ConfigurationError

log = structlog.get_logger()

VARIABLE = "ORDERHOOK_FAULTPOINTS"
Point = Literal[
    "accept.committed",
    "spool.synced",
    "spool.stored",
    "relay.claimed",
    "publish.confirmed",
    "fold.taken",
    "fold.committed",
    "sync.intended",
    "sync.called",
    "sync.recorded",
]
Act = Literal["kill", "block", "cancel", "fail"]
BLOCKED = 2.0
"""Seconds in which the whole event loop stands still."""


@dataclass(frozen=True, slots=True)
class Plan:
    act: Act
    chance: float


_plans: dict[str, Plan] = {}


def faultpoint(name: Point) -> None:
    """Do what is planned for this place, which outside of a torture is nothing."""
    if _plans:
        _reached(name)


def arm(text: str, *, sandbox: bool) -> None:
    """Take plans from the environment; only a sandbox does."""
    _plans.clear()
    if not text:
        return
    if not sandbox:
        raise ConfigurationError(
            f"{VARIABLE} is set, and it is there to break things: "
            "unset it, or write sandbox = true under [server] of a test installation."
        )
    _plans.update(_read(word) for word in text.split())
    log.warning("faultpoints_armed", points=sorted(_plans))


def _read(word: str) -> tuple[str, Plan]:
    name, _, plan = word.partition("=")
    act, _, chance = plan.partition("@")
    if name not in get_args(Point):
        raise ConfigurationError(
            f"{VARIABLE}: there is no place {name!r}; there are {', '.join(get_args(Point))}."
        )
    for known in get_args(Act):
        if act == known:
            return name, Plan(known, float(chance or 1))
    raise ConfigurationError(
        f"{VARIABLE}: {act!r} is no act; there are {', '.join(get_args(Act))}."
    )


def _reached(name: Point) -> None:
    plan = _plans.get(name)
    if plan is None or random.random() >= plan.chance:  # noqa: S311
        return
    match plan.act:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "block":
            time.sleep(BLOCKED)
        case "cancel":
            if (task := asyncio.current_task()) is not None:
                task.cancel()
        case "fail":
            raise RuntimeError(f"The fault point {name} was reached.")
        case _:
            assert_never(plan.act)
