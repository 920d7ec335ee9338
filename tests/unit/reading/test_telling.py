"""An event that names no order: what becomes of it depends on what it says."""

from service.domain.events import Fate, Revocation
from service.intake.reading import telling
from service.intake.reading.telling import FACTS, Happening, Meaning, Telling
from tests.unit.verification.keypairs import request, source

TOLD = Telling.of(source(), "order")


def test_a_status_needs_to_know_its_order() -> None:
    said = TOLD.state(Meaning("payment.paid"), Happening("k", "paid", {}), request())
    assert (Fate.UNRESOLVED, "paid names no order: there is nothing at `order`.") == (
        said.fate,
        said.note,
    )


def test_details_of_nothing_are_ignored() -> None:
    said = TOLD.state(FACTS, Happening("k", "noted", {}, more={"vip": True}), request())
    assert Fate.IGNORED == said.fate


def test_an_event_that_takes_another_one_back_goes_where_that_one_is() -> None:
    taken = Revocation("shop", "evt_1")
    for meaning in (telling.FACTS, Meaning("payment.paid")):
        said = TOLD.state(meaning, Happening("k", "deleted", {}, revokes=taken), request())
        assert (Fate.FOLD, True) == (said.fate, said.follows)
