"""Any other system, by configuration alone: its request in, the statements it maps to out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Revocation, Statement
from service.intake.answering import handshakes
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Guard, RawRequest, Reply
from service.intake.reading import bodies, cloudevents, mapping, moved, telling
from service.intake.reading.mapping import Dating, Naming, Unreadable, shown
from service.intake.reading.moved import Moved
from service.intake.reading.paths import JSON, Path
from service.intake.verification import keyring, shared
from service.intake.verification.hmacs import Hmac
from service.settings import HmacRule, Source, UrlTokenRule

NAME = "generic"
TITLE = "Any system, by configuration alone"
SETUP = """\
1. Let the sender post to this source's URL; say in `format` whether it writes JSON, a form, XML or
   CloudEvents, in `handshake` how it tests the URL, in `answer` what it must read.
2. Agree on a secret and say in `verify` how the sender proves that it knows it: a signature over
   the body ("hmac", best with a signed time), a bearer token, a user and password, or the secret
   itself in a header, in the query string or at the end of the URL.
3. Say in `key`, `subject.ref`, `occurred_at` and `status` where the event's id, the order number,
   the time and the status are (JMESPath), and translate each status word in `statuses`.
4. Try it: orderhook verify, then orderhook send."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Reads bodies as one source maps them."""

    source: str
    form: bodies.Format
    naming: Naming
    dating: Dating
    items: Path | None
    key: Path | None
    key_header: str
    occurred_at: Path | None
    status: Path | None
    statuses: Mapping[str, str]
    attributes: Mapping[str, Path]
    revokes: Path | None
    money: Sequence[Moved]

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            document = bodies.read(self.form, request)
            items = self._split(document)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        if items is None:
            return (self._read(document, None, request),)
        return tuple(self._read(item, index, request) for index, item in enumerate(items))

    def _split(self, document: JSON) -> Sequence[JSON] | None:
        """List the items of a batch; None when the body itself is the one event."""
        found = self.items.find(document) if self.items else document
        if self.items and found is None:
            raise Unreadable(f"There are no events at {shown(self.items.expression)}.")
        if not isinstance(found, list):
            return [found] if self.items else None
        if len(found) > mapping.MAX_ITEMS:
            raise Unreadable(f"It carries {len(found)} events; the limit is {mapping.MAX_ITEMS}.")
        return found

    def _read(self, item: JSON, index: int | None, request: RawRequest) -> Statement:
        try:
            event = self._open(item)
        except Unreadable as error:
            return mapping.unreadable(request, str(error), item=index)
        key = self._identify(event, index, request)
        if key is None:
            where = self.key.expression if self.key else f"header:{self.key_header}"
            why = f"There is no usable key at {shown(where)}."
            return mapping.unreadable(request, why, item=index)
        return self._state(event, key, request)

    def _open(self, item: JSON) -> dict[str, JSON]:
        if self.form == "cloudevents":
            return cloudevents.envelope(item)
        if not isinstance(item, dict):
            raise Unreadable("The event is not a JSON object.")
        return item

    def _identify(
        self, item: dict[str, JSON], index: int | None, request: RawRequest
    ) -> str | None:
        if self.key:
            return mapping.name(self.key.find(item))
        if self.form == "cloudevents" and not self.key_header:
            return cloudevents.identity(item)
        if not self.key_header:
            return mapping.item_key(request, index)
        value = mapping.name(request.header(self.key_header))
        # One header names the whole request, so its events are told apart by their place.
        return value if value is None or index is None else mapping.name(f"{value}:{index}")

    def _state(self, item: JSON, key: str, request: RawRequest) -> Statement:
        named = self.naming.find(item)
        when, untimed = self._date(item, request)
        facts, lost = mapping.attributes(self.attributes, item)
        money, odd = moved.told(self.money, item)
        word = mapping.word(self.status.find(item)) if self.status else None
        target = self.statuses.get(word, "") if word else ""
        lane, _, status = target.partition(".")
        said = Statement(
            dedupe_key=key,
            lifecycle=self.naming.lifecycle,
            scope=named.scope,
            ref=named.ref,
            parcel=named.parcel,
            returns=named.returns,
            aliases=named.aliases[: telling.MAX_ALIASES],
            lane=lane if status else None,
            status=status or None,
            code=word or "",
            occurred_at=when,
            attributes=facts,
            money=money,
            revokes=self._revoke(item),
            note=mapping.sentences(untimed, lost, odd),
        )
        if not status:
            said = self._untranslated(said, word)
        if named.ref is None and not named.aliases and said.fate is Fate.FOLD and not said.follows:
            return replace(said, fate=Fate.UNRESOLVED, note=f"The event {named.note}")
        return said

    def _date(self, item: JSON, request: RawRequest) -> tuple[datetime | None, str]:
        if self.occurred_at is None:
            return None, ""
        return self.dating.read(self.occurred_at.find(item), received_at=request.received_at)

    def _revoke(self, item: JSON) -> Revocation | None:
        key = mapping.name(self.revokes.find(item)) if self.revokes else None
        return Revocation(self.source, key) if key is not None else None

    def _untranslated(self, said: Statement, word: str | None) -> Statement:
        """Tell what becomes of a statement without a status."""
        if self.status is None or (word is None and said.revokes is not None):
            return _as_facts(said, _NOTHING)
        if word is None:
            why = f"There is no status word at {shown(self.status.expression)}."
            return replace(said, fate=Fate.UNMAPPED, note=why)
        match self.statuses.get(word):
            case "ignore":
                why = f"The statuses of this source ignore {shown(word)}."
                return replace(said, fate=Fate.IGNORED, note=why)
            case "facts":
                why = f"{shown(word)} stands for facts, and none was found."
                return _as_facts(said, why)
            case _:
                why = f"The status word {shown(word)} is not in the statuses of this source."
                return replace(said, fate=Fate.UNMAPPED, note=why)


_NOTHING = "The event states nothing: no status is configured and no attribute was found."


def _as_facts(said: Statement, nothing: str) -> Statement:
    tells = said.attributes or said.aliases or said.money or said.revokes or said.returns
    return said if tells else replace(said, fate=Fate.IGNORED, note=nothing)


def build(source: Source) -> Declared:
    return Declared(guard(source), reader(source), manners(source))


def manners(source: Source) -> Manners:
    """Take what the source says about greetings and answers."""
    return Manners(
        answer=_answer(source),
        greet=partial(handshakes.greet, source.handshake) if source.handshake else None,
    )


def reader(source: Source) -> Mapped:
    """Take the mapping of a source."""
    if source.subject.ref is None and not source.subject.aliases:
        raise ConfigurationError(
            f"The source {source.name} does not say where the order number is; set subject.ref."
        )
    header = source.key is not None and source.key.startswith("header:")
    return Mapped(
        source=source.name,
        form=bodies.form(source.format),
        naming=Naming.of(source, source.subject.ref),
        dating=Dating.of(source),
        items=_path(source.items),
        key=None if header else _path(source.key),
        key_header=(source.key or "").removeprefix("header:") if header else "",
        occurred_at=_path(source.occurred_at or _USUAL_TIME.get(source.format)),
        status=_path(source.status),
        statuses=source.statuses,
        attributes={label: Path.of(path) for label, path in source.attributes.items()},
        revokes=_path(source.revokes),
        money=[Moved.of(rule) for rule in source.money],
    )


_USUAL_TIME = {"cloudevents": "time"}


def guard(source: Source) -> Guard:
    """Choose how the source proves itself; a rule that would let others through is refused."""
    if isinstance(source.verify, UrlTokenRule):
        return shared.url_token(source)
    if source.verify is None or not source.secrets:
        lack = "secrets" if source.verify else "verify rule"
        raise ConfigurationError(
            f"The source {source.name} has no {lack}, so nothing would prove who sends; add one."
        )
    if isinstance(source.verify, HmacRule):
        return _keyed(source, source.verify)
    return shared.Shared(source.verify, keyring.plain(source, "the secret"))


def _keyed(source: Source, rule: HmacRule) -> Guard:
    try:
        return scheme(rule).guard(source)
    except ValueError as error:
        raise ConfigurationError(f"verify.signed of the source {source.name}: {error}") from None


def scheme(rule: HmacRule) -> Hmac:
    """Take a rule of the settings."""
    return Hmac(
        header=rule.header,
        message=rule.signed.replace("{timestamp}", "{time}"),
        algorithm=rule.algorithm,
        encoding=rule.encoding,
        prefix=rule.prefix,
        time=f"header:{rule.timestamp_header}" if rule.timestamp_header else "",
        unit="ms",
        id=f"header:{rule.id_header}" if rule.id_header else "",
        several=True,
    )


def _answer(source: Source) -> Reply | None:
    if source.answer is None:
        return None
    kind = {"Content-Type": source.answer.content_type}
    return Reply(source.answer.status, source.answer.body.encode(), kind)


def _path(expression: str | None) -> Path | None:
    return Path.of(expression) if expression is not None else None


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="any",
    setup=SETUP,
    build=build,
    scheme="any of those orderhook.toml can name",
    identity="what `key` names, or the body",
    proof=Proof("none", ""),
    mapped=True,
)
