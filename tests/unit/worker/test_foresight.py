"""What the next batch will spend, by what those before it did."""

from service.worker.delivery.foresight import MOST, ONE, Foresight

FIND, WRITE = {"requests": 1.0, "search": 1.0}, {"requests": 1.0, "daily": 1.0}


def test_before_anything_is_known_it_is_one_request() -> None:
    assert ONE == Foresight().calls


def test_what_must_be_asked_first_has_a_custom_of_its_own() -> None:
    foresight = Foresight()
    foresight.learn([WRITE], asked=False)
    foresight.learn([FIND, WRITE], asked=True)
    assert [WRITE] == foresight.calls
    foresight.begin(asked=True)
    assert [FIND, WRITE] == foresight.calls


def test_one_batch_that_cost_more_is_no_custom_and_two_are() -> None:
    foresight = Foresight()
    foresight.learn([WRITE], asked=False)
    foresight.learn([WRITE] * 13, asked=False)
    assert [WRITE] == foresight.calls
    foresight.learn([WRITE] * 12, asked=False)
    assert [WRITE] * 12 == foresight.calls


def test_a_batch_that_made_no_call_says_nothing() -> None:
    foresight = Foresight()
    foresight.learn([], asked=False)
    assert ONE == foresight.calls


def test_no_more_is_remembered_than_is_of_use() -> None:
    foresight = Foresight()
    foresight.learn([WRITE] * 1000, asked=False)
    foresight.learn([WRITE] * 1000, asked=False)
    assert MOST == len(foresight.calls)
