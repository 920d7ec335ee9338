"""The lists of docs/providers.md are those of the presets."""

from tests.write_docs import PAGE, written


def test_the_lists_of_the_page_are_made_from_the_presets() -> None:
    page = PAGE.read_text("utf-8")
    # Not up to date? python -m tests.write_docs
    assert written(page) == page
