"""A source and a body come in; they are posted as its sender would, and the answer goes out."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import aiohttp

from service.app.process import clock
from service.domain.errors import ConfigurationError, DependencyUnavailable
from service.intake.provider import SignedRequest
from service.ops.rehearsals import NOBODY_SENDS, Answered
from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import Settings, Source

SECONDS = 10
LONGEST_ANSWER = 16 * 1024
"""Bytes of an answer that are read; ours are short."""


def new_key() -> str:
    """An id of an event, as senders make them up."""
    return f"evt_{secrets.token_hex(8)}"


def base_url(settings: Settings) -> str:
    """Where the public listener of this configuration is reached from this machine."""
    host, port = settings.server.public
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  # only read
    return f"http://{host}:{port}"


def target(base: str, source: str, signed: SignedRequest) -> str:
    """The whole URL to post to, with what the sender puts into it."""
    tail = f"/{quote(signed.tail)}" if signed.tail else ""
    return f"{base}/webhooks/{source}{tail}{f'?{signed.query}' if signed.query else ''}"


async def post(base: str, source: str, signed: SignedRequest) -> Answered:
    """Post it once; raises DependencyUnavailable when nothing answers there."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(
                target(base, source, signed),
                data=signed.body,
                headers=signed.headers,
                allow_redirects=False,
            ) as answer,
        ):
            said = await answer.content.read(LONGEST_ANSWER)
            return Answered(answer.status, said.decode("utf-8", "replace"))
    except (TimeoutError, aiohttp.ClientError) as error:
        # Only the base: the rest may carry a token.
        raise DependencyUnavailable(
            f"No gateway answers at {base} ({type(error).__name__}): start it with "
            "`orderhook run all`, or give its address with --url."
        ) from error


@dataclass(slots=True)
class Rehearsing:
    """Plays the senders of a process to its own public listener."""

    public_url: str | None
    """As senders know the listener; some sign it."""
    base: str | None = None
    """Where it is reached from here, once it listens."""

    def samples(self, source: Source) -> Sequence[str]:
        """Those that the source's own mapping has words for."""
        known = senders.SENDERS.get(source.provider)
        names = sorted(known.samples, key=lambda name: name != known.usual) if known else []
        return [name for name in names if self._unmade(source, name) is None]

    def obstacle(self, source: Source) -> str | None:
        """What a try says, of which nothing is sent."""
        if self.base is None:
            return NOBODY_SENDS
        if (known := senders.SENDERS.get(source.provider)) is None:
            return f"There is no simulated sender for the provider {source.provider}."
        samples = self.samples(source)
        if not samples:
            return self._unmade(source, known.usual)
        try:
            self._signed(source, samples[0], "TEST", at=clock())
        except ConfigurationError as error:
            return str(error)
        return None

    def _unmade(self, source: Source, sample: str) -> str | None:
        """Why the source cannot be told this sample."""
        try:
            senders.sample(source, sample, Occasion(order="TEST", at=clock(), key="evt"))
        except ConfigurationError as error:
            return str(error)
        return None

    async def send(self, source: Source, *, sample: str, order: str) -> Answered:
        signed = self._signed(source, sample, order, at=clock())
        return await post(self.base or "", source.name, signed)

    def _signed(self, source: Source, sample: str, order: str, *, at: datetime) -> SignedRequest:
        occasion = Occasion(order=order, at=at, key=new_key())
        body = senders.sample(source, sample, occasion)
        base = self.public_url or self.base or ""
        return senders.sign(source, body, at=at, key=occasion.key, sample=sample, base=base)
