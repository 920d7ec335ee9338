"""The planted bugs fit the tree as it stands, say what they are, and touch only the service."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.torture import planted, unsynced
from tests.torture.planted import Outcome, Planted, Unplantable
from tests.torture.unsynced import drop

EVERY = planted.every()
HEADER = "Bug: it forgets\n on Mondays\nWhy: nobody knows\nRun: SECONDS=5\nFound as: lost\n\n"


def named(one: Planted) -> str:
    return one.name


def test_there_are_twenty_four_and_each_has_its_number() -> None:
    assert [f"{number:02}" for number in range(1, 25)] == [one.name[:2] for one in EVERY]


@pytest.mark.parametrize("one", EVERY, ids=named)
def test_a_patch_touches_only_the_service_and_its_migrations(one: Planted) -> None:
    assert one.files
    assert [] == [name for name in one.files if not name.startswith(planted.MAY_CHANGE)]


@pytest.mark.parametrize("one", EVERY, ids=named)
def test_a_patch_applies_without_guessing(one: Planted) -> None:
    if shutil.which("patch") is None:
        pytest.skip("It needs the program patch.")
    with planted.copied(one.files) as copy:
        before = {name: (copy / name).read_text() for name in one.files if (copy / name).exists()}
        planted.plant(one, copy)
        for name in one.files:
            text = (copy / name).read_text()
            assert before.get(name) != text
            if name.endswith(".py"):
                compile(text, name, "exec")


@pytest.mark.parametrize("one", EVERY, ids=named)
def test_the_words_of_a_run_can_be_understood(one: Planted) -> None:
    words = planted.command(one.run, folder=Path("folder"))
    if words[2] == "pytest":
        place, _, test = words[-1].partition("::")
        assert f"def {test.partition('[')[0]}(" in (planted.ROOT / place).read_text()
    else:
        assert 0 < planted.seconds(one.run) <= 120


def test_a_header_goes_on_over_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "99_monday.patch"
    path.write_text(f"{HEADER}--- a/service/app.py\n+++ b/service/app.py\n")
    read = planted.read(path)
    assert Planted(path, "it forgets on Mondays", "nobody knows", "SECONDS=5", "lost") == read
    assert ["service/app.py"] == read.files


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEADER.replace("lost", "funny"), "'funny' is no kind of finding"),
        (HEADER.replace("Why: nobody knows\n", ""), "does not say Why"),
    ],
)
def test_a_header_that_cannot_be_used_says_why(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "99_monday.patch"
    path.write_text(text)
    with pytest.raises(Unplantable, match=says):
        planted.read(path)


def test_words_become_a_sitting() -> None:
    words = planted.command('SECONDS=5 FAULTS="queue purged,F4" BRISK=1', folder=Path("there"))
    assert ["-m", "tests.torture", "--journal", "there/journal.jsonl"] == words[1:5]
    assert ["--seconds", "5", "--faults", "queue purged,F4", "--brisk"] == words[5:]


def test_a_table_says_what_was_not_found() -> None:
    usual: dict[str, Any] = {"name": "99_monday", "bug": "it forgets", "run": "SECONDS=5"}
    told = ["wrong: A: x", "lost: B: y"]
    usual |= {"found_as": "lost", "told": told, "trouble": "", "seconds": 5.0}
    usual["kinds"] = ["lost", "wrong"]
    planting = {"planting": "planted", "good": True}
    control = {"planting": "control", "good": False, "told": []}
    text = planted.page([{**usual, **planting}, {**usual, **control}])
    assert "1 of 1 planted bugs were found." in text
    assert "0 of 1 runs of the same words without a bug were green." in text
    assert "| lost | found as lost, wrong: lost: B: y | 5 |" in text
    assert "| nothing | **NOT GREEN** | 5 |" in text


def test_a_test_that_could_not_begin_found_nothing(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(
        '<testsuites><testsuite><testcase name="a"><error message="no server"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert Outcome((), trouble="a test was not run: the end") == planted.tested(tmp_path, "the end")


def test_a_test_that_fails_found_it(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(
        '<testsuites><testsuite><testcase name="a"><failure message="one is missing"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert Outcome((planted.TEST,), ("one is missing",)) == planted.tested(tmp_path, "the end")


CALLS = """\
pwrite64(14</spool/a.db-wal>, ""..., 24, 4096) = 24
fdatasync(14</spool/a.db-wal>) = 0
pwrite64(13</spool/a.db>, ""..., 4096, 0) = 4096
pwrite64(14</spool/a.db-wal>, ""..., 24, 8) = 24
pwrite64(14</spool/a.db-wal>, ""..., 4096, 32) = 4096 (INJECTED)
"""


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ("", [(8, 24), (32, 4096)]),
        ("fdatasync(14</spool/a.db-wal>) = 0", None),
        ("fsync(14</spool/a.db-wal>) = 0", None),
        ("fdatasync(14</spool/a.db-wal>) = -1 EIO (Input/output error)", [(8, 24), (32, 4096)]),
        ("fdatasync(14</spool/a.db-wal> <unfinished ...>) = ?", [(8, 24), (32, 4096)]),
        ("fdatasync(13</spool/a.db>) = 0", [(8, 24), (32, 4096)]),
    ],
)
def test_what_no_sync_followed_is_found(more: str, left: list[tuple[int, int]] | None) -> None:
    found = unsynced.unsynced([*CALLS.splitlines(), more])
    assert left == found.get(Path("/spool/a.db-wal"))
    assert found.keys() <= {Path("/spool/a.db-wal")}


def test_what_is_dropped_reads_as_zeros(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")
    assert 5 == drop(path, [(2, 3), (8, 100), (50, 5)])
    assert b"01\0\0\x00567\0\0" == path.read_bytes()
