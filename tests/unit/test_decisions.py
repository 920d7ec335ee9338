"""Names as people type them, and the fingerprint that keeps a refold to one configuration."""

import subprocess
import sys

import pytest

from service.domain.errors import Misnamed
from service.domain.events import Subject
from service.domain.lifecycles import LIFECYCLES
from service.ops.corrections import expect_status
from service.ops.names import read_subject
from service.ops.refolds import fingerprint
from service.worker.rules import Rules


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("order/1001", [("order", "", "1001")]),
        ("order/A/17", [("order", "", "A/17")]),
        ("order/eu:1001", [("order", "eu", "1001"), ("order", "", "eu:1001")]),
        ("order/:a:b", [("order", "", "a:b"), ("order", "", ":a:b")]),
        ("order/1001:", [("order", "", "1001:")]),
    ],
)
def test_a_name_is_read_as_lists_show_it(text: str, readings: list[tuple[str, str, str]]) -> None:
    assert [Subject(*each) for each in readings] == read_subject(text)


@pytest.mark.parametrize("text", ["1001", "/1001", "order/", ""])
def test_what_names_no_subject_is_told_how_to_name_one(text: str) -> None:
    with pytest.raises(Misnamed, match="write it like order/1001"):
        read_subject(text)


def test_an_unknown_status_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Misnamed, match="it has new, confirmed, completed, cancelled"):
        expect_status(LIFECYCLES["order"], "order", "paid")


def test_every_process_reads_the_same_configuration_alike() -> None:
    program = (
        "from service.ops.refolds import fingerprint; from service.worker.rules import Rules; "
        "print(fingerprint(Rules()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert {fingerprint(Rules())} == said


def test_another_lifecycle_is_another_configuration() -> None:
    assert fingerprint(Rules()) != fingerprint(Rules({"order": LIFECYCLES["order"]}))
