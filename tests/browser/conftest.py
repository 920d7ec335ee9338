"""One browser for all tests that look at the console, and an installation for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests import browsing, furnished
from tests.browsing import Site
from tests.furnished import Furnished


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="keep the pictures of docs/console")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser outlives a test, and so does the loop that talks to it."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="session")
def chromium_program() -> str:
    found = browsing.find_browser()
    if found is None:
        pytest.skip("The console is looked at with Chromium, and this machine has none.")
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_program: str) -> AsyncIterator[Browser]:
    async with browsing.chromium(chromium_program) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str, tmp_path: Path, browser: Browser) -> AsyncIterator[Site]:
    async with browsing.running(database, tmp_path, browser) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def house(database: str, tmp_path: Path, browser: Browser) -> AsyncIterator[Furnished]:
    """An installation in which something of everything has happened."""
    server, more = furnished.SERVER, furnished.MORE
    async with browsing.running(database, tmp_path, browser, server=server, more=more) as running:
        yield await furnished.furnish(running)
