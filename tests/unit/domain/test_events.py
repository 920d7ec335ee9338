"""A subject is written in one way, and only an event that names one has it."""

from service.domain.events import Subject
from tests import make


def test_a_subject_is_written_with_its_scope_only_when_it_has_one() -> None:
    assert ["order/1001", "order/shop-eu:1001"] == [
        str(Subject("order", "", "1001")),
        str(Subject("order", "shop-eu", "1001")),
    ]


def test_an_event_names_its_subject() -> None:
    assert Subject("order", "shop-eu", "1001") == make.event(scope="shop-eu").subject


def test_an_event_without_a_ref_has_no_subject() -> None:
    assert make.event(ref=None).subject is None


def test_a_builder_takes_a_finished_statement() -> None:
    said = make.statement(ref="7")
    assert said is make.event(statement=said).statement
