"""The newest revision is told from names of files; the migration tool says the same."""

import re
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from service.store import revision


def test_the_newest_file_is_the_head_that_the_migration_tool_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(revision.location()))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert [revision.head()] == list(scripts.get_heads())


def test_the_name_of_every_file_begins_with_its_revision() -> None:
    for file in Path(revision.location(), "versions").glob("*.py"):
        said = re.search(r'^revision = "(\w+)"$', file.read_text("utf-8"), re.MULTILINE)
        assert said is not None, file.name
        assert f"{said[1]}_" == file.name[:5]
