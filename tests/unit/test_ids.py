"""Identifiers that sort by the time they were made."""

import time
from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from service.store.ids import first_id, made_at, new_id


def test_ids_are_different_and_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(10_000)]
    assert sorted(set(made)) == made


def test_an_id_is_a_usual_one_of_version_seven() -> None:
    made = new_id()
    assert (7, RFC_4122) == (made.version, made.variant)
    assert UUID(str(made)) == made
    assert hash(UUID(str(made))) == hash(made)


def test_an_id_tells_when_it_was_made_and_lies_behind_the_first_of_that_moment() -> None:
    before = datetime.now(UTC)
    made = new_id()
    assert before.timestamp() - 0.001 <= made_at(made) <= time.time()
    assert first_id(before) <= made
