"""Who is told what of changes, and when."""

import asyncio

from service.web.console import live
from service.web.console.live import Watch
from service.web.console.signals import NAMES, Signals

QUIET = {"events": "1", "letters": "1", "open_letters": "0", "subjects": "1", "running": None}


def test_the_first_look_tells_nothing() -> None:
    assert [] == Watch().look(QUIET, 0.0)


def test_what_moves_is_told_to_those_it_is_about() -> None:
    watch = Watch()
    watch.look(QUIET, 0.0)
    assert ["now", "dead"] == watch.look({**QUIET, "letters": "2"}, 2.0)
    assert [] == watch.look({**QUIET, "letters": "2"}, 4.0)
    assert ["now", "orders"] == watch.look({**QUIET, "letters": "2", "subjects": "2"}, 6.0)


def test_what_moves_too_often_is_told_in_its_time_and_never_forgotten() -> None:
    watch = Watch()
    watch.look(QUIET, 0.0)
    told = [
        "orders" in watch.look({**QUIET, "subjects": str(min(turn, 4))}, 2.0 * turn)
        for turn in range(2, 10)
    ]
    assert [True, False, False, True, False, False, False, False] == told


def test_a_look_that_failed_loses_nothing() -> None:
    watch = Watch()
    watch.look(QUIET, 0.0)
    assert [] == watch.look({}, 2.0)
    assert ["now", "dead"] == watch.look({**QUIET, "letters": "2"}, 4.0)


def test_every_name_is_about_something() -> None:
    assert set(NAMES) == {"now", *live.MOVES} == set(live.PACE)


async def test_a_page_that_is_slow_is_told_once() -> None:
    signals = Signals()
    listener = signals.join()
    assert listener is not None
    for _ in range(1000):
        signals.tell(["now"])
    signals.tell(["dead"])
    assert ["dead", "now"] == await listener.news(1)
    assert [] == await listener.news(0.01)


async def test_so_many_may_listen_and_no_more() -> None:
    signals = Signals(most=2)
    first, second = signals.join(), signals.join()
    assert first is not None and second is not None and signals.join() is None  # noqa: PT018
    signals.leave(first)
    assert signals.anybody.is_set()
    signals.leave(second)
    assert (0, False) == (len(signals), signals.anybody.is_set())


async def test_a_page_is_told_what_changed_while_it_was_made() -> None:
    signals = Signals()
    signals.tell(["orders"])
    listener = signals.join()
    assert listener is not None
    assert ["orders"] == await listener.news(1)


async def test_a_page_that_comes_back_is_told_what_it_missed() -> None:
    signals = Signals()
    signals.tell(["orders"])
    place = signals.place
    signals.tell(["dead"])
    heard = []
    for last in (place, signals.place, "another-process-17", f"{place}x"):
        listener = signals.join(last)
        assert listener is not None
        heard.append(await listener.news(0.01))
    assert [["dead"], [], sorted(NAMES), sorted(NAMES)] == heard


async def test_at_the_end_everybody_wakes_up_and_nobody_joins() -> None:
    signals = Signals()
    listener = signals.join()
    assert listener is not None
    waiting = asyncio.create_task(listener.news(60))
    await asyncio.sleep(0)
    signals.end()
    async with asyncio.timeout(5):
        assert [] == await waiting
    assert signals.over
    assert signals.join() is None
