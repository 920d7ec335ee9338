"""Who is calling: the socket's address and X-Forwarded-For in, one believable address out."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def client(peer: str, forwarded: Collection[str], *, trusted: Sequence[Network]) -> str:
    """The nearest address that is not a trusted proxy of ours.

    `forwarded` holds the X-Forwarded-For headers in wire order. Each proxy appends the address it
    was called from, so only what trusted proxies appended, read from the right, is believed.
    """
    address = _address(peer)
    if address is None or not forwarded:
        return _written(peer)
    hops = [hop for line in forwarded for hop in line.split(",")]
    while hops and is_trusted(address, trusted):
        said = _address(hops.pop())
        if said is None:
            break
        address = said
    return str(address)


def is_trusted(address: IPv4Address | IPv6Address | str, trusted: Sequence[Network]) -> bool:
    known = _address(address) if isinstance(address, str) else address
    return known is not None and any(known in network for network in trusted)


def neighbourhood(peer: str) -> str:
    """Whom to count together: an IPv6 client has a whole /64 of addresses to call from."""
    address = _address(peer)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address or peer)


@lru_cache(maxsize=1024)
def _written(text: str) -> str:
    """An address in its usual spelling; what is none, as it stands."""
    return str(_address(text) or text)


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; some proxies add a port, and IPv4 may come dressed as IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
