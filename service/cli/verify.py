"""`orderhook verify`: would this request be taken, and what would it say? Nothing is stored."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_never
from urllib.parse import urlsplit

import click
import orjson

from service.app.process import clock
from service.cli.context import EXIT_NEGATIVE, Context, print_json
from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Lookup, Revocation, Statement
from service.intake.provider import Forged, Genuine, Keys, RawRequest, Undecided, Wanted
from service.intake.providers import registry
from service.settings import Secret, Source
from service.web.public import source_and_tail

CALLED = "verify"


@click.command(help="Judge a captured request as the gateway would; exit 0 genuine, 1 not.")
@click.option("--provider", help="The kind of sender; `orderhook providers` lists them.")
@click.option("--source", "source_name", help="A source of the configuration, with its secrets.")
@click.option("--secret", "secrets", multiple=True, help="A signing secret; may be repeated.")
@click.option("--url", default="", help="The URL the sender posted to.")
@click.option("--method", default="POST", show_default=True)
@click.option("--query", default="", help="The query string, without the question mark.")
@click.option("--header", "headers", multiple=True, help="'Name: value'; may be repeated.")
@click.option("--body", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True)
@click.option(
    "--key", "keys", multiple=True, help="'URL=FILE': a public key, as its server sends it."
)
@click.option("--option", "options", multiple=True, help="'NAME=VALUE' of the provider's own.")
@click.option("--at", type=click.DateTime(), help="Judge as if it were this time (UTC).")
@click.pass_obj
def verify(
    context: Context,
    *,
    provider: str | None,
    source_name: str | None,
    secrets: tuple[str, ...],
    url: str,
    method: str,
    query: str,
    headers: tuple[str, ...],
    body: Path,
    keys: tuple[str, ...],
    options: tuple[str, ...],
    at: datetime | None,
) -> int:
    source = _with_options(_source(context, provider, source_name, secrets), options)
    now = at.replace(tzinfo=UTC) if at else clock()
    parts = urlsplit(url)
    request = RawRequest(
        method=method.upper(),
        path=parts.path,
        query=query or parts.query,
        headers=[_header(line) for line in headers],
        body=body.read_bytes(),
        received_at=now,
        tail=source_and_tail(parts.path)[1],
        url=url,
    )
    answer = _judge(source, request, now, dict(_key(text) for text in keys))
    print_json(answer)
    return 0 if answer["genuine"] else EXIT_NEGATIVE


def _source(
    context: Context, provider: str | None, name: str | None, secrets: tuple[str, ...]
) -> Source:
    if (provider is None) == (name is None):
        raise click.UsageError("Give either --provider with --secret, or --source.")
    if name is not None:
        sources = context.load().sources
        if name not in sources:
            raise ConfigurationError(f"There is no source {name}; known: {', '.join(sources)}.")
        return sources[name]
    preset = registry.preset(str(provider))
    given = tuple(Secret.plain(value) for value in secrets)
    token = given[0] if preset.url_token and given else None
    rest = given[1:] if token else given
    # Nothing is fetched here, so a key server that asks for a token may be told anything.
    shown = Secret.plain("unused")
    return Source(name=CALLED, provider=preset.name, secrets=rest, url_token=token, token=shown)


def _with_options(source: Source, given: tuple[str, ...]) -> Source:
    """Add what the provider declares; a value may be JSON."""
    options = dict(source.options)
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not 'NAME=VALUE'.", param_hint="--option")
        try:
            options[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            options[name] = value
    return source.model_copy(update={"options": options})


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"{line!r} is not 'Name: value'.", param_hint="--header")
    return name.strip().lower(), value.strip()


def _key(text: str) -> tuple[str, bytes]:
    """Read what stands behind an address; the address itself may hold `=`."""
    url, equals, name = text.rpartition("=")
    path = Path(name)
    if not equals or not path.is_file():
        raise click.BadParameter(f"{text!r} is not 'URL=FILE'.", param_hint="--key")
    return url, path.read_bytes()


def _judge(source: Source, request: RawRequest, now: datetime, keys: Keys) -> dict[str, Any]:
    provider = registry.preset(source.provider).build(source)
    match provider.verify(request, now=now, keys=keys):
        case Genuine():
            events = [said(statement) for statement in provider.parse(provider.redact(request))]
            return {"genuine": True, "reason": None, "events": events}
        case Forged(reason=reason) | Undecided(reason=reason):
            return {"genuine": False, "reason": reason, "events": []}
        case Wanted() as wanted:
            return {"genuine": False, "reason": _wanting(wanted), "events": []}
        case other:
            assert_never(other)


def _wanting(wanted: Wanted) -> str:
    if wanted.lacking:
        return wanted.lacking
    shown = " (showing the source's token)" if wanted.authorized else ""
    return (
        f"It takes the public key behind {wanted.url}, which the gateway fetches and this command "
        f"does not. Save it{shown} and add: --key '{wanted.url}=FILE'"
    )


def said(statement: Statement) -> dict[str, Any]:
    """The canonical event as people read it."""
    body: dict[str, Any] = orjson.loads(orjson.dumps(statement, default=_named))
    return {name: value for name, value in body.items() if value not in (None, "", {}, [], False)}


def _named(value: object) -> object:
    """Write named tuples, which orjson does not know, as objects."""
    if isinstance(value, Alias | Lookup | Revocation):
        return value._asdict()
    raise TypeError(type(value))
