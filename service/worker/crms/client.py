"""One bounded HTTP exchange with a CRM: a POST goes in, its status or what failed comes out."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import aiohttp
import tenacity

from service.worker.crms.base import Class

Clock = Callable[[], datetime]

MAX_ANSWER = 64 * 1024
MAX_DRAIN = 2.0
MAX_AFTER = timedelta(days=1)
VISIBLE_ASCII = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")

FAILURES: tuple[tuple[type[Exception], Class, str], ...] = (
    (TimeoutError, Class.TRANSIENT, "no answer within the time-out"),
    (aiohttp.ClientConnectorDNSError, Class.TRANSIENT, "the host name does not resolve"),
    (aiohttp.ClientSSLError, Class.TRANSIENT, "TLS was refused or its certificate not accepted"),
    (aiohttp.ClientConnectorError, Class.TRANSIENT, "no connection could be made"),
    (aiohttp.ClientResponseError, Class.TRANSIENT, "the answer was not HTTP"),
    (ValueError, Class.PERMANENT, "the request cannot be built: look at url and token"),
    (aiohttp.ClientError, Class.TRANSIENT, "the connection broke before an answer came"),
    (OSError, Class.TRANSIENT, "the connection broke before an answer came"),
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One POST, ready to be sent again byte for byte."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """The peer answered; its body is not looked at."""

    status: int
    after: timedelta | None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came. Unless the connection was never made, the peer may have acted."""

    kind: Class
    detail: str


def open_session(limit: int) -> aiohttp.ClientSession:
    """A session that trusts nothing: no proxies from the environment, cookies or decompression."""
    return aiohttp.ClientSession(
        # Shorter than the five seconds after which some servers close an idle connection.
        connector=aiohttp.TCPConnector(limit=limit, keepalive_timeout=4),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


async def post(
    session: aiohttp.ClientSession, outgoing: Outgoing, *, within: timedelta, clock: Clock
) -> Reply | Failure:
    """Send and read within a hard time-out, following no redirect; never raises for the peer."""
    try:
        async with asyncio.timeout(within.total_seconds()) as box:
            response = await _quick_tries(session, outgoing)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _failure(error)
    await _drain(response, until=box.when() or 0.0)
    after = parse_retry_after(response.headers.get("Retry-After"), now=clock())
    return Reply(response.status, after)


def nothing_was_sent(error: BaseException) -> bool:
    """Whether the peer cannot have seen the request, so that trying at once is harmless."""
    return isinstance(error, aiohttp.ClientConnectorError) and not isinstance(
        error, aiohttp.ClientSSLError
    )


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Read seconds or an HTTP date; nonsense is None, more than a day counts as one day."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), MAX_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return max(timedelta(), min(wait, MAX_AFTER))


def header_safe(text: str) -> str:
    """Percent-encode all but visible ASCII, so that different texts stay different headers."""
    return quote(text, safe=VISIBLE_ASCII)


async def _quick_tries(
    session: aiohttp.ClientSession, outgoing: Outgoing
) -> aiohttp.ClientResponse:
    async for attempt in tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=0.5),
        retry=tenacity.retry_if_exception(nothing_was_sent),
        reraise=True,
    ):
        with attempt:
            return await session.post(
                outgoing.url,
                data=outgoing.body,
                headers=outgoing.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
    raise AssertionError("tenacity returns or raises")


async def _drain(response: aiohttp.ClientResponse, *, until: float) -> None:
    """Read a short answer to its end so that the connection can be used again; else cut it."""
    left = until - asyncio.get_running_loop().time()
    with contextlib.suppress(aiohttp.ClientError, OSError, ValueError):
        async with asyncio.timeout(min(left, MAX_DRAIN)):
            size = 0
            while size <= MAX_ANSWER and (chunk := await response.content.readany()):
                size += len(chunk)
    if not response.content.at_eof():
        response.close()


def _failure(error: Exception) -> Failure:
    for kind, verdict, sentence in FAILURES:
        if isinstance(error, kind):
            return Failure(verdict, sentence)
    raise error
