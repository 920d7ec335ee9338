"""What the fuzzer calls: every seed passes, and what it once found stays mended."""

import pytest

from service.intake.provider import Genuine
from tests.fuzz import entries, seeds
from tests.fuzz.entries import ENTRIES


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_seed_is_a_finding(entry: str) -> None:
    planted = sorted(set(seeds.seeds(entry)))
    assert planted
    for seed in planted:
        ENTRIES[entry](seed)
        ENTRIES[entry](seed[:-1])
    ENTRIES[entry](b"")


def test_a_seed_is_the_golden_request_it_was_made_of() -> None:
    for number, case in enumerate(entries.cases()):
        _, request = entries.asked(entries.written(number, case.request))
        assert Genuine() == case.judge(request)


def test_a_dictionary_is_one_word_a_line() -> None:
    lines = seeds.dictionary().splitlines()
    assert len(lines) > 100
    assert all(line.startswith('"') and line.endswith('"') and line.isascii() for line in lines)


FOUND = {
    "NUL in the type of data that is no text": b'\x02{"specversion":"1.0","id":"1","source":"a",'
    b'"type":"b","datacontenttype":"a\\u0000b","data_base64":"/w=="}',
    "NUL in the name of a field": b"\x00a%00[x]=1&a%00=2",
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_stays_mended(name: str) -> None:
    ENTRIES["documents"](FOUND[name])
