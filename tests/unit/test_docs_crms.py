"""docs/crms.md and `orderhook crms` say of every kind of destination what the kind itself says."""

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli.main import cli
from service.domain.errors import ConfigurationError
from service.worker.crms.kind import Kind
from service.worker.crms.registry import CRMS
from tests.write_docs import CRM_PAGE, crms_written


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, standalone_mode=False)


def test_the_lists_of_the_page_are_made_from_the_kinds() -> None:
    page = CRM_PAGE.read_text("utf-8")
    # Not up to date? python -m tests.write_docs
    assert crms_written(page) == page


def test_the_list_has_every_kind() -> None:
    items = orjson.loads(run("crms", "--json").stdout)["items"]
    assert [kind.name for kind in CRMS] == [each["name"] for each in items]
    assert all(kind.name in run("crms").stdout for kind in CRMS)


@pytest.mark.parametrize("kind", CRMS, ids=lambda kind: kind.name)
def test_a_page_says_what_its_kind_says(kind: Kind) -> None:
    shown = run("crms", kind.name).stdout
    assert kind.setup.strip() in shown
    assert all(each in shown for each in kind.doubts)
    assert all(option.what in shown for option in kind.options)
    assert f'crm = "{kind.name}"' in shown
    said = orjson.loads(run("crms", kind.name, "--json").stdout)
    assert [option.name for option in kind.options] == [each["name"] for each in said["options"]]
    assert kind.promise == said["promise"]


def test_a_kind_nobody_knows_has_a_neighbour() -> None:
    error = run("crms", "calback").exception
    assert isinstance(error, ConfigurationError)
    assert 'Did you mean "callback"?' in str(error)


@pytest.mark.parametrize("kind", CRMS, ids=lambda kind: kind.name)
def test_a_kind_says_what_it_can_do_and_how_it_is_set_up(kind: Kind) -> None:
    assert kind.setup.strip()
    assert kind.capabilities is not None
