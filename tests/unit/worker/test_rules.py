"""What every fold goes by: what was worked out once stays what it is."""

from service.domain.lifecycle import alarms, overall
from service.domain.lifecycles import LIFECYCLES
from service.worker.rules import Look, Rules

LANES = {"fulfillment": "shipped", "payment": "failed"}


def test_a_look_is_what_the_lifecycle_says_of_the_lanes_again_and_again() -> None:
    order = LIFECYCLES["order"]
    expected = Look(overall(order, LANES), tuple(each.flag for each in alarms(order, LANES)))
    going_by = Rules()
    assert expected.flags
    assert [expected, expected] == [going_by.look("order", LANES) for _ in range(2)]


def test_looks_of_two_lifecycles_are_told_apart() -> None:
    going_by = Rules()
    assert ["new", "open"] == [going_by.look(name, {}).status for name in ("order", "task")]
