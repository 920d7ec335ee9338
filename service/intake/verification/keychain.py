"""Where the public keys of one source are: a request comes in, its keys or their address out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import Forged, Keys, RawRequest, Wanted
from service.intake.verification import keyring, material
from service.intake.verification.material import Key, NoKey
from service.settings import Source

Fetched = Callable[[RawRequest, Source], str | Forged]
"""The address of the key this request was signed with; see pinned.address."""
Read = Callable[[bytes], Sequence[Key]]


@dataclass(frozen=True, slots=True)
class Found:
    """The keys that may have signed a request, and where they were fetched, if they were."""

    keys: Sequence[Key]
    fetched: Wanted | None = None

    def newer(self, lacking: str) -> Wanted | None:
        """Ask for a newer document, where there can be one."""
        return replace(self.fetched, lacking=lacking) if self.fetched else None


@dataclass(frozen=True, slots=True)
class Keychain:
    """Keys in `secrets`, which go first, or behind an address."""

    held: Sequence[Key]
    fetched: str | Fetched | None
    source: Source = field(repr=False)
    authorized: bool = False
    header: str = ""
    read: Read = material.read

    @classmethod
    def of(
        cls,
        source: Source,
        what: str,
        *,
        fetched: str | Fetched | None,
        authorized: bool = False,
        header: str = "",
        read: Read = material.read,
    ) -> Self:
        """Read the keys of a source; raises ConfigurationError where there can be none."""
        if authorized and source.token is None and not source.secrets:
            raise ConfigurationError(
                f"The source {source.name} has no token, and its key server asks for one; set it."
            )
        held = () if fetched and not source.secrets else held_keys(source, what)
        return cls(held, fetched, source, authorized, header, read)

    def find(self, request: RawRequest, name: str | None, keys: Keys) -> Found | Forged | Wanted:
        """Find the keys of this name; None: the request names no key."""
        if self.held or self.fetched is None:
            chosen = material.chosen(self.held, name)
            return Found(chosen) if chosen else _unknown(name)
        url = self.fetched if isinstance(self.fetched, str) else self._address(request)
        if isinstance(url, Forged):
            return url
        wanted = Wanted(url, self.authorized, self.header)
        return self._behind(wanted, name, keys[url]) if url in keys else wanted

    def _address(self, request: RawRequest) -> str | Forged:
        assert callable(self.fetched)
        return self.fetched(request, self.source)

    def _behind(self, wanted: Wanted, name: str | None, document: bytes) -> Found | Wanted:
        try:
            chosen = material.chosen(self.read(document), name)
        except NoKey as why:
            lacking = f"The key server's answer is of no use: {why}"
            return replace(wanted, lacking=lacking, useless=True)
        if not chosen:
            return replace(wanted, lacking=_unknown(name).reason)
        return Found(chosen, wanted)


def held_keys(source: Source, what: str) -> Sequence[Key]:
    """Read every key in `secrets`."""
    return [key for secret in keyring.plain(source, what) for key in _read(secret, source, what)]


def _read(secret: bytes, source: Source, what: str) -> Sequence[Key]:
    try:
        return material.read(secret)
    except NoKey as why:
        raise ConfigurationError(
            f"A secret of the source {source.name} is no usable key: {why} Put {what} there."
        ) from None


def _unknown(name: str | None) -> Forged:
    shown = f"the key id {name[: material.MAX_ID]!r}" if name else "the key id"
    return Forged(f"None of our keys has {shown}.", cause=Cause.UNKNOWN_KEY)
