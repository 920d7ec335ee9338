"""Connections go back to their pool as they are: no statement may leave anything on them."""

import re
from pathlib import Path

import pytest

STATEMENTS = sorted((Path(__file__).parents[2] / "service" / "store").glob("*.sql"))
LASTING = (
    r"^\s*(SET|RESET|LISTEN|PREPARE|DECLARE)\s(?!LOCAL)(?!\w+ = (said|excluded|now))",
    r"\bpg_(try_)?advisory_(un)?lock(_shared)?\s*\(",
    r"set_config\([^()]*,\s*false\s*\)",
    r"\bTEMP(ORARY)?\s+TABLE\b",
    r"\bWITH HOLD\b",
)


@pytest.mark.parametrize("file", STATEMENTS, ids=lambda file: str(file.stem))
def test_what_a_statement_sets_or_locks_ends_with_its_transaction(file: Path) -> None:
    text = re.sub(r"--.*", "", file.read_text("utf-8"))
    found = [re.findall(pattern, text, re.MULTILINE | re.IGNORECASE) for pattern in LASTING[1:]]
    assert [[]] * len(found) == found
    for block in re.split(r";|\n\n", text):
        assert not re.match(LASTING[0], block.strip()), block
