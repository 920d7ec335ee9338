"""When the event loop counts as overloaded."""

from dataclasses import dataclass

from service.web.lag import EVERY, Lag


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def looked(lag: Lag, clock: Clock, *late: float) -> Lag:
    for seconds in late:
        lag.expect()
        clock.now += EVERY + seconds
        lag.look()
    return lag


def test_a_loop_nobody_watches_is_not_late() -> None:
    assert not Lag(0.2, Clock()).overloaded


def test_one_hiccup_is_forgiven_and_two_in_a_row_are_not() -> None:
    clock = Clock()
    lag = looked(Lag(0.2, clock), clock, 0.5)
    lag.expect()
    assert not lag.overloaded
    assert looked(lag, clock, 0.3).overloaded
    assert not looked(lag, clock, 0.0).overloaded


def test_a_delay_that_goes_on_counts_before_it_ends() -> None:
    clock = Clock()
    lag = looked(Lag(0.2, clock), clock, 0.3)
    lag.expect()
    clock.now += EVERY + 0.1
    assert not lag.overloaded
    clock.now += 0.2
    assert lag.overloaded
