"""The pictures of the documents: taken of a real installation, kept where `--pictures` says so."""

import io
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Page

from tests.furnished import HERO, Furnished

pytestmark = pytest.mark.postgres

FOLDER = Path(__file__).parents[2] / "docs" / "console"
MOST_BYTES = 120 * 1024
DESK, PHONE = (1280, 860), (390, 844)


async def _counted(page: Page) -> None:
    await page.get_by_role("heading", name="Dead letters by cause").wait_for()
    await page.get_by_text("balanced", exact=True).wait_for()


async def _planned(page: Page) -> None:
    await page.get_by_role("button", name="Dry run: redrive all that fit").click()
    await page.locator("#counted").wait_for()


async def _there(page: Page) -> None:
    await page.locator("h1").wait_for()


TAKEN: Mapping[str, tuple[str, str, tuple[int, int], Callable[[Page], Awaitable[None]]]] = {
    "now": ("/", "light", DESK, _counted),
    "now-dark": ("/", "dark", DESK, _counted),
    "orders": ("/orders", "light", DESK, _there),
    "order": (f"/orders/order/{HERO}", "light", DESK, _there),
    "order-dark": (f"/orders/order/{HERO}", "dark", DESK, _there),
    "order-phone": (f"/orders/order/{HERO}", "light", PHONE, _there),
    "dead-letters": ("/dead-letters", "light", DESK, _there),
    "plan": ("/dead-letters/list?kind=sync&reason=refused", "light", DESK, _planned),
    "sources": ("/sources/stripe", "light", DESK, _there),
    "destinations": ("/destinations/hubspot", "light", DESK, _there),
    "audit": ("/audit", "light", DESK, _there),
}
"""Where each is taken, in which colours and how large, and what is waited for."""


async def test_every_picture_is_taken_and_small_enough(
    house: Furnished, request: pytest.FixtureRequest
) -> None:
    keep = request.config.getoption("--pictures", default=False)
    for name, (address, theme, (width, height), wait) in TAKEN.items():
        size = {"width": width, "height": height}
        async with house.site.viewer(
            "admin", subject="anna@example.com", viewport=size, color_scheme=theme
        ) as page:
            await page.goto(f"{house.site.url}{address}")
            await wait(page)
            taken = smaller(await page.screenshot(animations="disabled"))
        assert len(taken) <= MOST_BYTES, (name, len(taken))
        file = FOLDER / f"{name}.png"
        if keep:
            FOLDER.mkdir(exist_ok=True)
            file.write_bytes(taken)
        with Image.open(file) as kept, Image.open(io.BytesIO(taken)) as fresh:
            assert (name, fresh.size, "P") == (name, kept.size, kept.mode), "make pictures"


async def test_no_picture_is_of_something_else() -> None:
    assert {file.stem for file in FOLDER.glob("*.png")} == TAKEN.keys()


def smaller(picture: bytes) -> bytes:
    """With a palette, which a page of few colours does not show."""
    with Image.open(io.BytesIO(picture)) as whole:
        few = whole.convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    written = io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return written.getvalue()
