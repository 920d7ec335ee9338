"""Keyed hashes as data: a scheme and a source's secrets come in, a guard over raw requests out."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, Guard, Keys, RawRequest
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import Path
from service.intake.verification import keyring, signatures, signing, templates
from service.intake.verification.keyring import Spelling
from service.intake.verification.signatures import Pairs
from service.intake.verification.signing import Algorithm, Claim, Encoding, Keyring
from service.intake.verification.templates import Filling, Template, Unit
from service.settings import Source

MAX_ID = 256


@dataclass(frozen=True, slots=True)
class Hmac:
    """A sender that signs a message with a secret it shares with us.

    The message is a template (see templates.Template); a place is `header:Name`, `query:name` or,
    where the header is a list of pairs, `pair:name`.
    """

    header: str
    """Where the signature stands; the name of a parameter if `where` is the query string."""
    message: str = "{body}"
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    prefix: str = ""
    """Before each signature; one without it is no candidate."""
    pairs: tuple[str, str] | None = None
    """The names of time and signature in `t=…,v1=…`; the first one empty: no time."""
    separator: str = ","
    assign: str = "="
    time: str = ""
    """The place of the time of signing; the pair, if there is one."""
    unit: Unit = "s"
    """ms: seconds are taken as well."""
    id: str = ""
    """The place of the id that is signed along."""
    key: Spelling = "text"
    several: bool = False
    """Whether one header may list signatures, divided by spaces or commas."""
    what: str = "the webhook's secret"
    where: str = "header"
    """`header`, `query`, or `body:` and a JMESPath."""
    canonical: Callable[[RawRequest], bytes] | None = field(default=None, compare=False)
    """Makes the signed bytes where no template can; raises Unreadable."""
    derive: Callable[[bytes], bytes] | None = field(default=None, compare=False)
    """Makes the key of a secret, where the sender does not take it as it stands."""
    alias: str = ""
    """Another name of the header; both at once are refused."""
    exact: bool = False
    """Whether another spelling of a signature (capitals, no padding) is refused."""
    empty: bool = True
    """Whether an empty body may be signed."""

    @property
    def summary(self) -> str:
        message = "chosen parts" if self.canonical else _told(self.message)
        return f"HMAC-{self.algorithm.upper()} of {message}, {self.encoding}"

    def guard(self, source: Source) -> Guard:
        template = Template.of(self.message)
        _check(self, template)
        keys = keyring.keys(source, self.what, self.key)
        if self.derive:
            keys = tuple(map(self.derive, keys))
        return Signed(
            rule=self,
            keys=Keyring(keys, source.tolerance, self.algorithm, self.encoding),
            template=template,
            simple=() if self.canonical else _simple(template),
            time=self.place_of_time,
            boundary=_after_id(template),
            path=Path.of(self.where[5:]) if self.where.startswith("body:") else None,
            url=templates.address(source),
            options=templates.options(source),
        )

    @property
    def place_of_time(self) -> str:
        """Where the time of signing stands; empty where none is sent."""
        return self.time or (f"pair:{self.pairs[0]}" if self.pairs and self.pairs[0] else "")


def _check(rule: Hmac, template: Template) -> None:
    """Find what is signed but nowhere taken from: a mistake of whoever wrote the preset."""
    if template.uses("time") and not rule.place_of_time:
        raise ValueError("The message holds {time}, but the scheme does not say where it stands.")
    if template.uses("id") and not rule.id:
        raise ValueError("The message holds {id}, but the scheme does not say where it stands.")


def _after_id(template: Template) -> str:
    """The text that ends an id in the message; empty where there is none."""
    parts = template.parts
    place = next((n for n, part in enumerate(parts) if part == ("id", "")), len(parts))
    following = parts[place + 1] if place + 1 < len(parts) else ""
    return following if isinstance(following, str) else ""


def _simple(template: Template) -> Sequence[bytes | str]:
    """Prepare the usual messages, which are written for every request."""
    parts = [part.encode() if isinstance(part, str) else part[0] for part in template.parts]
    usual = all(isinstance(part, bytes) or part in {"body", "time", "id"} for part in parts)
    return tuple(parts) if usual else ()


_WORD = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
_SPOKEN = {"body64": "base64 of the body", "crc32": "CRC-32 of the body", "url": "URL"}


def _told(message: str) -> str:
    words = [name or _SPOKEN.get(word, word) for word, name in _WORD.findall(message)]
    if words == ["body"]:
        return "the body"
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


@dataclass(frozen=True, slots=True)
class Signed(Guard):
    """Judges requests by the keys of one source."""

    rule: Hmac
    keys: Keyring
    template: Template
    simple: Sequence[bytes | str]
    """The template as literals and the names of body, time and id; empty where it takes more."""
    time: str
    boundary: str
    """May not stand in an id: it could borrow from what follows it in the message."""
    path: Path | None
    url: str
    options: Mapping[str, str]

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,
    ) -> Genuine | Forged:
        return signing.judge(self.keys, self.claim(request, now=now), request, now=now)

    def claim(self, request: RawRequest, *, now: datetime) -> Claim | Forged:
        """Read what the request says about itself."""
        rule = self.rule
        header = self._signature(request)
        if isinstance(header, Forged):
            return header
        pairs = signatures.pairs(header, rule.separator, rule.assign) if rule.pairs else ()
        told = self._time(request, pairs, now=now)
        if isinstance(told, Forged):
            return told
        stamp, skew = told
        named = self._id(request, pairs)
        if isinstance(named, Forged):
            return replace(named, skew=skew)
        candidates = self._candidates(header, pairs)
        if isinstance(candidates, Forged):
            return replace(candidates, skew=skew)
        message = self._message(request, stamp, named)
        if isinstance(message, Forged):
            return replace(message, skew=skew)
        return Claim(message, candidates, skew)

    def _signature(self, request: RawRequest) -> str | Forged:
        rule = self.rule
        if self.path is not None:
            return signatures.in_body(request, self.path)
        if rule.where == "query":
            return templates.find(f"query:{rule.header}", request)
        return signatures.either_header(request, rule.header, rule.alias)

    def _time(
        self, request: RawRequest, pairs: Pairs, *, now: datetime
    ) -> tuple[str, timedelta | None] | Forged:
        if not self.time:
            return "", None
        stamp = self._at(self.time, request, pairs)
        if isinstance(stamp, Forged):
            return stamp
        skew = templates.skew(stamp, self.rule.unit, now=now)
        if skew is None:
            return Forged(f"{self._called()} is not {_UNITS[self.rule.unit]}.")
        return stamp, skew

    def _called(self) -> str:
        kind, _, name = self.time.partition(":")
        match kind:
            case "pair":
                return f"The time in {self.rule.header}"
            case "header":
                return f"The header {name}"
            case _:
                return f"The parameter {name}"

    def _id(self, request: RawRequest, pairs: Pairs) -> str | Forged:
        if not self.rule.id:
            return ""
        named = self._at(self.rule.id, request, pairs)
        if isinstance(named, Forged):
            return named
        if not 0 < len(named) <= MAX_ID:
            return Forged(f"The id at {self.rule.id} is empty or longer than {MAX_ID} bytes.")
        if self.boundary and self.boundary in named:
            why = f"The id at {self.rule.id} holds `{self.boundary}`, which ends it in the message."
            return Forged(why)
        return named

    def _at(self, place: str, request: RawRequest, pairs: Pairs) -> str | Forged:
        kind, _, name = place.partition(":")
        if kind == "header":
            return signing.single(request, name)
        if kind != "pair":
            return templates.find(place, request)
        values = [value for key, value in pairs if key == name]
        if len(values) == 1:
            return values[0]
        rule = self.rule
        what = "one time" if place == self.time else "one"
        why = f"{rule.header} must carry {what} `{name}{rule.assign}…`; it carries {len(values)}."
        return Forged(why, cause=Cause.REPEATED if values else Cause.MISSING)

    def _candidates(self, header: str, pairs: Pairs) -> Sequence[bytes] | Forged:
        rule = self.rule
        found = _listed(header, pairs, rule)
        if 1 <= len(found) <= signing.MAX_CANDIDATES:
            spell = signing.exact if rule.exact else signing.plain
            return [spell(each, rule.encoding) for each in found]
        return Forged(
            _miscounted(rule, len(found)),
            cause=Cause.MALFORMED if found else Cause.MISSING,
        )

    def _message(self, request: RawRequest, stamp: str, named: str) -> bytes | Forged:
        if not request.body and not self.rule.empty:
            return Forged("The body is empty, and this sender signs none that is.")
        if self.simple:
            given = {"body": request.body, "time": signing.raw(stamp), "id": signing.raw(named)}
            return b"".join(
                [each if isinstance(each, bytes) else given[each] for each in self.simple]
            )
        if self.rule.canonical is None:
            filling = Filling(stamp, named, self.url, self.options)
            return self.template.write(request, filling)
        try:
            return self.rule.canonical(request)
        except Unreadable as why:
            return Forged(str(why))


_UNITS: Mapping[Unit, str] = {
    "s": "a whole number of unix seconds",
    "ms": "a whole number of unix seconds or milliseconds",
    "iso": "a time of ISO 8601",
    "http": "a date of HTTP",
}


def _miscounted(rule: Hmac, count: int) -> str:
    limit = signing.MAX_CANDIDATES
    if rule.pairs:
        return f"{rule.header} carries {count} {rule.pairs[1]} signatures, not 1 to {limit}."
    if count:
        return f"{rule.header} carries {count} signatures; the limit is {limit}."
    start = f" that starts with `{rule.prefix}`" if rule.prefix else ""
    return f"{rule.header} carries no signature{start}."


def _listed(header: str, pairs: Pairs, rule: Hmac) -> list[str]:
    """Take the signatures, without what stands before each; empty ones are none."""
    prefix = rule.prefix
    if rule.pairs:
        whole = [value for name, value in pairs if name == rule.pairs[1]]
    elif rule.several:
        whole = header.split()
    else:
        whole = [header]
    found = whole
    if prefix:
        found = [each.removeprefix(prefix) for each in whole if each.startswith(prefix)]
    if rule.several and not rule.pairs:
        # `sha256=a,b` and `sha256=a,sha256=b` are both seen.
        found = [part.removeprefix(prefix) for each in found for part in each.split(",")]
    return [each for each in found if each]
