"""One bounded HTTP exchange with a CRM: a call in, its whole answer or what failed out."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import aiohttp
import orjson
from pydantic import JsonValue
from yarl import URL

from service.worker.crms.base import Class

Clock = Callable[[], datetime]

MAX_ANSWER = 8 * 1024 * 1024
MAX_AFTER = timedelta(days=1)
UNTIMED = aiohttp.ClientTimeout(total=None)
"""`exchange` has a time-out of its own."""
QUICK_PAUSES = (0.1, 0.2)
"""Seconds at most before the second and third try, where nothing was sent."""
VISIBLE_ASCII = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")

FAILURES: tuple[tuple[type[Exception], Class, str], ...] = (
    (TimeoutError, Class.UNKNOWN_OUTCOME, "no answer within the time-out"),
    (aiohttp.ClientConnectorDNSError, Class.TRANSIENT, "the host name does not resolve"),
    (aiohttp.ClientSSLError, Class.TRANSIENT, "TLS was refused or its certificate not accepted"),
    (aiohttp.ClientConnectorError, Class.TRANSIENT, "no connection could be made"),
    (aiohttp.ClientResponseError, Class.UNKNOWN_OUTCOME, "the answer was not HTTP"),
    # Whatever comes from a change is encoded by its place: this is about every request.
    (ValueError, Class.HUMAN, "the request cannot be built: mend url or token, then resume"),
    (aiohttp.ClientError, Class.UNKNOWN_OUTCOME, "the connection broke before an answer came"),
    (OSError, Class.UNKNOWN_OUTCOME, "the connection broke before an answer came"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be sent again byte for byte."""

    method: str
    url: str = field(repr=False)
    """With its query, percent-encoded: it is sent as it is. It may hold a secret."""
    operation: str
    """`find`, `read`, `write` …, for people."""
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    costs: Mapping[str, float] = field(default_factory=lambda: {"requests": 1.0})
    """What it spends, by the name of the limit."""
    safe: bool = False
    """Changes nothing at the CRM, so that a lost answer is merely a failure."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The peer answered."""

    status: int
    after: timedelta | None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case."""
    body: bytes | None = field(default=b"", repr=False)
    """None when it did not come whole: too long, too slow, or broken off."""

    def json(self) -> JsonValue:
        """The body as JSON; None when it is none."""
        try:
            found: JsonValue = orjson.loads(self.body or b"")
        except orjson.JSONDecodeError:
            return None
        return found


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came."""

    kind: Class
    detail: str
    reached: bool = True
    """False: no connection could be made."""


def open_session(limit: int) -> aiohttp.ClientSession:
    """A session that trusts nothing: no proxies from the environment, cookies or decompression."""
    return aiohttp.ClientSession(
        # Shorter than the five seconds after which some servers close an idle connection.
        connector=aiohttp.TCPConnector(limit=limit, keepalive_timeout=4),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"User-Agent": "Orderhook", "Accept-Encoding": "identity"},
    )


async def _sent_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending by itself again what a broken connection may have carried.

    It would repeat a PUT, a DELETE and a GET: the latter may ask for a token that is given once.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if nothing_was_sent(error):
            raise
        raise aiohttp.ClientConnectionError(str(error)) from error


async def exchange(
    session: aiohttp.ClientSession,
    call: Call,
    *,
    within: timedelta,
    clock: Clock,
    most: int = MAX_ANSWER,
) -> Reply | Failure:
    """Send and read within a hard time-out, following no redirect; never raises for the peer."""
    try:
        async with asyncio.timeout(within.total_seconds()) as box:
            response = await _quick_tries(session, call)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _failure(error, call)
    body = await _read(response, until=box.when() or 0.0, most=most)
    kept = {name.lower(): value for name, value in response.headers.items()}
    after = parse_retry_after(kept.get("retry-after"), now=clock())
    return Reply(response.status, after, kept, body)


def nothing_was_sent(error: BaseException) -> bool:
    """Whether the peer cannot have seen the request, so that trying at once is harmless."""
    return isinstance(error, aiohttp.ClientConnectorError) and not isinstance(
        error, aiohttp.ClientSSLError
    )


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Read seconds or an HTTP date; nonsense is None, more than a day counts as one day."""
    text = (value or "").strip()
    if not text:
        return None
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


def encode(content: object) -> bytes:
    """JSON of a body; decimal numbers keep every digit."""
    return orjson.dumps(content, default=_number)


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(f"{value:f}".encode())
    raise TypeError


async def _quick_tries(session: aiohttp.ClientSession, call: Call) -> aiohttp.ClientResponse:
    for pause in QUICK_PAUSES:
        try:
            return await _sent(session, call)
        except aiohttp.ClientConnectorError as error:
            if not nothing_was_sent(error):
                raise
        await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
    return await _sent(session, call)


async def _sent(session: aiohttp.ClientSession, call: Call) -> aiohttp.ClientResponse:
    return await session.request(
        call.method,
        URL(call.url, encoded=True),
        data=call.body or None,
        headers=call.headers,
        allow_redirects=False,
        timeout=UNTIMED,
        middlewares=() if call.safe else (_sent_once,),
    )


async def _read(response: aiohttp.ClientResponse, *, until: float, most: int) -> bytes | None:
    """Read a bounded answer to its end so that the connection can be used again; else cut it."""
    body = bytearray()
    left = until - asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(max(left, 0.0)):
            while chunk := await response.content.readany():
                body += chunk
                if len(body) > most:
                    break
    except (aiohttp.ClientError, OSError, ValueError):
        pass
    if response.content.at_eof() and len(body) <= most:
        return bytes(body)
    response.close()
    return None


def _failure(error: Exception, call: Call) -> Failure:
    for kind, verdict, sentence in FAILURES:
        if isinstance(error, kind):
            unsure = verdict is Class.UNKNOWN_OUTCOME
            reached = not isinstance(error, aiohttp.ClientConnectorError)
            return Failure(Class.TRANSIENT if unsure and call.safe else verdict, sentence, reached)
    raise error
