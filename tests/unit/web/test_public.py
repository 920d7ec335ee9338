"""Which source an address names."""

import pytest

from service.web.public import source_and_tail


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/webhooks/shop", ("shop", "")),
        ("/webhooks/shop/", ("shop", "")),
        ("/webhooks/shop?a=/b", ("shop", "")),
        ("/webhooks/shop/token", ("shop", "token")),
        ("/webhooks/shop/a/b?c=d", ("shop", "a/b")),
        ("/webhooks/shop/a%2Fb%20c", ("shop", "a/b c")),
        ("/webhooks/shop/%ff", ("shop", "\ufffd")),
        ("/webhooks/a" + "b" * 39, ("a" + "b" * 39, "")),
        ("/webhooks/a" + "b" * 40, ("", "")),
        ("/webhooks/Shop", ("", "")),
        ("/webhooks/sh%6Fp", ("", "")),
        ("/webhooks/shop\n", ("", "")),
        ("/webhooks/1shop", ("", "")),
        ("/webhooks//shop", ("", "")),
        ("/webhooks/../shop", ("", "")),
        ("/webhooks/", ("", "")),
        ("/webhooks", ("", "")),
        ("/%77ebhooks/shop", ("", "")),
        ("//webhooks/shop", ("", "")),
    ],
)
def test_only_the_plain_spelling_reaches_a_source(target: str, expected: tuple[str, str]) -> None:
    assert expected == source_and_tail(target)
