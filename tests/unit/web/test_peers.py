"""Which address is believed to be the client's."""

from ipaddress import ip_network

import pytest

from service.web import peers

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "127.0.0.1", "fd00::/8")))

CASES = [
    ("no proxy, no header", "203.0.113.1", [], "203.0.113.1"),
    ("a stranger's header is ignored", "203.0.113.1", ["192.0.2.1"], "203.0.113.1"),
    ("a proxy's header is believed", "10.1.1.1", ["192.0.2.1"], "192.0.2.1"),
    ("a proxy that adds nothing", "10.1.1.1", [], "10.1.1.1"),
    ("what the client wrote is not believed", "10.1.1.1", ["8.8.8.8, 192.0.2.1"], "192.0.2.1"),
    ("a chain of proxies", "10.1.1.1", ["8.8.8.8, 192.0.2.1, 10.2.2.2"], "192.0.2.1"),
    ("headers count as one list", "10.1.1.1", ["192.0.2.1", "10.2.2.2,10.3.3.3"], "192.0.2.1"),
    ("only proxies all the way", "10.1.1.1", ["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
    ("rubbish ends the walk", "10.1.1.1", ["192.0.2.1, rubbish"], "10.1.1.1"),
    ("rubbish behind a client is not reached", "10.1.1.1", ["<x>, 192.0.2.1"], "192.0.2.1"),
    ("an empty entry ends the walk", "10.1.1.1", ["192.0.2.1,"], "10.1.1.1"),
    ("a port is cut off", "10.1.1.1", ["192.0.2.1:4711"], "192.0.2.1"),
    ("IPv6 in brackets with a port", "10.1.1.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
    ("IPv6", "fd00::1", ["2001:DB8::1"], "2001:db8::1"),
    ("IPv4 in IPv6 clothes is the same proxy", "::ffff:10.1.1.1", ["192.0.2.1"], "192.0.2.1"),
    ("IPv4 in IPv6 clothes is the same client", "10.1.1.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
    ("no address at all", "", ["192.0.2.1"], ""),
    ("ten thousand hops", "10.1.1.1", ["10.2.2.2," * 10_000 + "10.9.9.9"], "10.2.2.2"),
    ("octal is rubbish", "10.1.1.1", ["0177.0.0.1"], "10.1.1.1"),
]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_the_client_is_the_nearest_address_that_is_no_proxy_of_ours(
    peer: str, forwarded: list[str], expected: str
) -> None:
    assert expected == peers.client(peer, forwarded, trusted=PROXIES)


def test_without_proxies_nothing_is_believed() -> None:
    assert "127.0.0.1" == peers.client("127.0.0.1", ["192.0.2.1"], trusted=())


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_a_client_of_ipv6_is_counted_by_its_network(peer: str, expected: str) -> None:
    assert expected == peers.neighbourhood(peer)
