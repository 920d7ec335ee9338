"""Every reason has its words."""

import pytest

from service.domain.remedies import EXPLANATIONS, explain
from service.domain.verdict import Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_in_sentences(reason: Reason) -> None:
    told = explain(reason.value)
    assert EXPLANATIONS[reason] is told
    assert told.summary.endswith(".")
    assert told.remedy.endswith(".")


@pytest.mark.parametrize("reason", [Reason.UNREADABLE, Reason.UNMAPPED, Reason.UNRESOLVED_SUBJECT])
def test_what_a_redrive_cannot_mend_is_sent_to_replay(reason: Reason) -> None:
    assert "orderhook events replay" in explain(reason.value).remedy
    assert "dies again" in explain(reason.value).remedy


def test_a_reason_of_another_release_is_shown_as_it_is() -> None:
    assert "frozen" in explain("frozen").summary
