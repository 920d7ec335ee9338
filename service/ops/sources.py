"""The configured senders, with what came of their traffic, out for people."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote, unquote

from service.domain.errors import NotFound
from service.domain.refusals import Cause, remedy
from service.intake.provider import RawRequest
from service.intake.providers import registry
from service.intake.receive import PRIVATE_HEADERS
from service.intake.refusals import UNKNOWN
from service.ops import in_force, ledger, silence
from service.ops.lookups import Body
from service.ops.proposing import Offered, propose
from service.ops.refresh import Adapters
from service.ops.rehearsals import Nobody, Rehearsal
from service.ops.rereading import Senders
from service.settings import Destination, QueryRule, Source, UrlTokenRule
from service.store import captures, refusals
from service.store.captures import Capture
from service.store.pool import Pool
from service.store.refusals import Row
from service.store.seals import PLAIN, Seals
from service.worker.rules import Rules


@dataclass(frozen=True, slots=True)
class Configured:
    """What is configured at this moment: a reload changes what the calls tell."""

    senders: Callable[[], Senders] = dict
    destinations: Callable[[], Mapping[str, Destination]] = dict
    rules: Callable[[], Rules] = Rules
    adapters: Adapters = field(default=dict, repr=False)
    """What destinations can be asked with."""
    sealing: Seals = PLAIN
    public_url: str | None = None
    two_people: Callable[[], bool] = lambda: False
    """Whether bulk work waits for a second person."""
    rehearsal: Rehearsal = field(default_factory=Nobody)
    """Sends test events."""


COUNTS = ("accepted", "duplicate", "refused", "unavailable")


async def sources(pool: Pool, configured: Mapping[str, Source], *, public_url: str | None) -> Body:
    """Answer what GET /sources answers; names that no source has are one item, `unknown`."""
    counts = await ledger.received(pool)
    return await told(pool, configured, counts, public_url=public_url)


async def told(
    pool: Pool,
    configured: Mapping[str, Source],
    counts: Mapping[str, Row],
    *,
    public_url: str | None,
) -> Body:
    """The same of what was counted before: counting takes its time."""
    rhythms = await silence.told(pool, list(configured))
    names = [*configured, *([UNKNOWN] if UNKNOWN in counts and UNKNOWN not in configured else [])]
    return {
        "items": [
            _source(name, configured.get(name), counts.get(name, {}), public_url)
            | rhythms.get(name, silence.UNTOLD)
            for name in names
        ],
        "next": None,
    }


async def source(pool: Pool, configured: Configured, name: str) -> Body:
    """Answer what GET /sources/{name} answers: all there is to know of how it is set up."""
    senders = configured.senders()
    _find(senders, name)
    found, rehearsal = senders[name].source, configured.rehearsal
    preset = registry.preset(found.provider)
    rhythms = await silence.told(pool, [name])
    path, url = _address(name, found, configured.public_url)
    token = found.url_token or (found.secrets[0] if _bears_secret(found) else None)
    return {
        "name": name,
        "provider": found.provider,
        "title": preset.title,
        "path": path,
        "url": url,
        "token_at": token.reference if token else None,
        **rhythms.get(name, silence.UNTOLD),
        "configuration": in_force.configuration(found),
        "given": in_force.given(found),
        "scheme": preset.scheme,
        "identity": preset.identity,
        "setup": steps(preset.setup),
        "doubts": list(preset.doubts),
        "samples": list(rehearsal.samples(found)),
        "obstacle": rehearsal.obstacle(found),
    }


def steps(setup: str) -> list[str]:
    """Numbered steps, each on one line and without its number."""
    found: list[str] = []
    for line in setup.strip().splitlines():
        number, dot, rest = line.partition(". ")
        if dot and number.isdigit() and int(number) == len(found) + 1:
            found.append(rest.strip())
        elif found:
            found[-1] += f" {line.strip()}"
        else:
            found.append(line.strip())
    return found


def _bears_secret(source: Source) -> bool:
    """Whether the first of its secrets stands in its URL."""
    return bool(source.secrets) and isinstance(source.verify, QueryRule | UrlTokenRule)


async def refused(pool: Pool, configured: Iterable[str], name: str) -> Body:
    """Answer what GET /sources/{name}/refusals answers: the last 50, the newest first."""
    known = sorted(configured)
    if name not in known and name != UNKNOWN:
        raise NotFound(
            f"There is no source {name}; configured are: {', '.join(known) or 'none'}. What was "
            f"sent to other names is kept under {UNKNOWN}."
        )
    rows = await refusals.of_source(pool, name)
    return {"items": [_refusal(row, name) for row in rows], "next": None}


LISTED_BODY = 1024
"""Bytes of a captured body that a list shows."""
MASKED = "(masked)"


async def captured(
    pool: Pool, configured: Iterable[str], name: str, *, sealing: Seals = PLAIN
) -> Body:
    """Answer what GET /sources/{name}/captures answers: the last 50, the newest first."""
    _find(configured, name)
    rows = await captures.of_source(pool, name, start=LISTED_BODY, sealing=sealing)
    return {"items": [_capture(row, masked=True) for row in rows], "next": None}


async def capture(
    pool: Pool, configured: Iterable[str], name: str, number: int, *, sealing: Seals = PLAIN
) -> Body:
    """Answer what GET /sources/{name}/captures/{id} answers: one whole, nothing masked."""
    _find(configured, name)
    row = await captures.one(pool, name, number, sealing=sealing)
    if row is None:
        raise NotFound(
            f"The source {name} has no capture {number}, or no more: the last {captures.KEPT} of "
            "a source are kept."
        )
    return _capture(row, masked=False)


async def proposed(
    pool: Pool,
    configured: Iterable[str],
    name: str,
    *,
    secret: Offered | None = None,
    sealing: Seals = PLAIN,
) -> str:
    """Propose the table of a source from what was captured of it."""
    _find(configured, name)
    kept = await captures.whole(pool, name, sealing=sealing)
    if not kept:
        raise NotFound(
            f'Nothing of {name} is captured: write mode = "capture" for it in a sandbox, reload, '
            "and let the sender post to it."
        )
    return propose(name, [_request(each) for each in kept], secret=secret)


def _request(kept: Capture) -> RawRequest:
    return RawRequest(
        method=kept.method,
        path=kept.path,
        query=kept.query,
        headers=kept.headers,
        body=kept.body,
        received_at=kept.received_at,
        tail=unquote("/".join(kept.path.split("/")[3:])),
    )


def _find(configured: Iterable[str], name: str) -> None:
    known = sorted(configured)
    if name not in known:
        raise NotFound(f"There is no source {name}; configured are: {', '.join(known) or 'none'}.")


def _capture(row: Row, *, masked: bool) -> Body:
    return {
        "id": row["id"],
        "at": row["received_at"],
        "peer": row["peer"],
        "method": row["method"],
        "path": row["path"],
        "query": row["query"],
        "headers": [
            [name, MASKED if masked and name in PRIVATE_HEADERS else value]
            for name, value in row["headers"]
        ],
        "body_bytes": row["body_bytes"],
        **_body(row["body"], whole=row["body_bytes"] == len(row["body"])),
    }


def _body(shown: bytes, *, whole: bool) -> Body:
    """Give a body as text where it is one; a start may end within a character."""
    try:
        text = shown.decode() if whole else shown.decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return {"body": None, "body_base64": b64encode(shown).decode()}
    return {"body": text, "body_base64": None}


def _source(name: str, source: Source | None, row: Row, public_url: str | None) -> Body:
    path, url = _address(name, source, public_url) if source else (None, None)
    return {
        "name": name,
        "provider": source.provider if source else None,
        "path": path,
        "url": url,
        "accepted_at": row.get("last_at"),
        "refused_at": row.get("refused_at"),
        **{term: row.get(term, 0) for term in COUNTS},
    }


def _address(name: str, source: Source, public_url: str | None) -> tuple[str, str | None]:
    """The path, and the whole URL where we are told how we are reached; no token in either."""
    in_path = source.url_token is not None or isinstance(source.verify, UrlTokenRule)
    tail = "/[token]" if in_path else ""
    if isinstance(source.verify, QueryRule):
        tail = f"{tail}?{quote(source.verify.parameter)}=[token]"
    path = f"/webhooks/{name}{tail}"
    return path, f"{public_url.rstrip('/')}{path}" if public_url else None


def _refusal(row: Row, source: str) -> Body:
    cause = Cause(row["cause"])
    skew: timedelta | None = row["skew"]
    return {
        "id": str(row["id"]),
        "at": row["at"],
        "cause": cause.value,
        "reason": row["reason"],
        "remedy": remedy(cause, source=source),
        "skew_seconds": round(skew.total_seconds(), 3) if skew is not None else None,
        "peer": row["peer"],
        "method": row["method"],
        "headers": list(row["header_names"]),
        "body_sha256": row["body_sha256"].hex(),
        "body_bytes": row["body_bytes"],
    }
