"""One gateway for all attacks of a module."""

from collections.abc import Iterator

import pytest

from tests import servers
from tests.acceptance.attacks.fortress import Fortress, standing


@pytest.fixture(scope="module")
def fortress(
    tmp_path_factory: pytest.TempPathFactory, postgres: servers.Postgres, template: str
) -> Iterator[Fortress]:
    with standing(tmp_path_factory.mktemp("attacked"), postgres, template) as fortress:
        yield fortress
        print(fortress.figures())  # noqa: T201
