"""Calls to addresses that others have a say in: a URL comes in, a small answer or why not goes out.

Where a host may come from data it is guarded, and nothing of ours can be reached this way: a name
is resolved once, every address behind it must be public, and the connection goes to those addresses
and to no other; outside the sandbox only https, on its own port. A host that comes from the
configuration may be anywhere, as the operator says. No redirect is ever followed, so neither leads
to the other.
"""

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator, Container, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

HTTPS = 443
MOST_CALLS = 16
"""At the same time, over all hosts."""

# Addresses of version 4 in disguise; what they lead to depends on the network we stand in.
_DISGUISES = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class Missed:
    """No answer came that can be used; the reason is a sentence without secrets."""

    reason: str
    forbidden: bool = False
    """Whether trying again is no use: the address itself is not allowed."""


class Inside(OSError):
    """A name leads to an address that is not public."""


def is_public(address: str) -> bool:
    """Whether anybody on the internet could reach this address as well as we."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return _is_global(found.ipv4_mapped)
        if any(found in network for network in _DISGUISES):
            return False
    return _is_global(found)


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


class Resolver(AbstractResolver):
    """Resolves a name for one connection; guarded, all its addresses must be public."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        addresses = [(kind, str(where[0])) for kind, _, _, _, where in found]
        if self._guarded and not all(is_public(address) for _, address in addresses):
            raise Inside(0, "a name of an address that is not public")
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, address in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""


class Outbound:
    """Makes the calls of one process."""

    def __init__(self, session: aiohttp.ClientSession, *, guarded: bool) -> None:
        self._session = session
        self._guarded = guarded

    async def get(
        self,
        url: str,
        *,
        within: timedelta,
        most: int,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Missed:
        """Read at most so many bytes in at most so long, following no redirect; never raises.

        An `Accept-Encoding: gzip` among the headers lets the answer be packed.
        """
        return await self._asked("GET", url, None, within=within, most=most, headers=headers)

    async def post(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        within: timedelta,
        most: int,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Missed:
        """The same with a form; whoever calls knows whether it may be sent twice."""
        return await self._asked("POST", url, form, within=within, most=most, headers=headers)

    async def _asked(
        self,
        method: Literal["GET", "POST"],
        url: str,
        form: Mapping[str, str] | None,
        *,
        within: timedelta,
        most: int,
        headers: Mapping[str, str] | None,
    ) -> Answer | Missed:
        try:
            address = URL(url, encoded=True)
            if forbidden := self._refusal(address):
                return forbidden
            sent = {"Accept-Encoding": "identity", **(headers or {})}
            async with (
                asyncio.timeout(within.total_seconds()),
                self._session.request(
                    method, address, headers=sent, data=form, allow_redirects=False
                ) as response,
            ):
                return await _read(response, most, encodings={"identity", sent["Accept-Encoding"]})
        except TimeoutError:
            return Missed("There was no answer within the time-out.")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _missed(error)

    def _refusal(self, address: URL) -> Missed | None:
        allowed = ("https",) if self._guarded else ("https", "http")
        if address.scheme not in allowed or not address.host or address.user is not None:
            return Missed("The address is not https, or carries a user name.", forbidden=True)
        if self._guarded and address.port != HTTPS:
            return Missed("The address names a port; only 443 is called.", forbidden=True)
        # The resolver is not asked about what is an address already.
        if self._guarded and _is_address(address.host) and not is_public(address.host):
            return Missed(_INSIDE, forbidden=True)
        return None


async def _read(
    response: aiohttp.ClientResponse, most: int, *, encodings: Container[str]
) -> Answer | Missed:
    body = bytearray()
    while chunk := await response.content.readany():
        body += chunk
        if len(body) > most:
            response.close()
            return Missed(f"The answer is longer than {most} bytes.")
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in encodings:
        return Missed("The answer is compressed, which was not asked for.")
    plain = bytes(body) if encoding == "identity" else _unpacked(body, most)
    if plain is None:
        return Missed(f"The answer is no gzip of at most {most} bytes.")
    kept = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, plain, kept)


def _unpacked(body: bytearray, most: int) -> bytes | None:
    """Unpack gzip, and no further than allowed: a small body may hide a huge one."""
    reader = zlib.decompressobj(wbits=_GZIP)
    try:
        plain = reader.decompress(body, most + 1)
    except zlib.error:
        return None
    return plain if reader.eof and len(plain) <= most else None


_GZIP = 16 + zlib.MAX_WBITS


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


_INSIDE = "The address is not on the public internet."


def _missed(error: Exception) -> Missed:
    match error:
        case aiohttp.ClientConnectorDNSError() if isinstance(error.os_error, Inside):
            return Missed(_INSIDE, forbidden=True)
        case aiohttp.ClientConnectorDNSError():
            return Missed("The host name does not resolve.")
        case aiohttp.ClientSSLError():
            return Missed("TLS was refused, or its certificate is not accepted.")
        case aiohttp.ClientConnectorError():
            return Missed("No connection could be made.")
        case ValueError():
            return Missed("The address or a header cannot be sent.", forbidden=True)
        case _:
            return Missed("The connection broke, or the answer was not HTTP.")


@asynccontextmanager
async def opened(*, guarded: bool) -> AsyncIterator[Outbound]:
    """Open a session that trusts nothing: no proxies, cookies, kept connections or caches.

    Unguarded it is for hosts of the configuration alone, and for the sandbox.
    """
    connector = aiohttp.TCPConnector(
        limit=MOST_CALLS,
        force_close=True,
        use_dns_cache=False,
        resolver=Resolver(guarded=guarded),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": "orderhook"},
    ) as session:
        yield Outbound(session, guarded=guarded)
