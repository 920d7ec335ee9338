"""Where senders put signatures: raw requests come in, the text that holds them goes out."""

from collections.abc import Sequence

from service.domain.refusals import Cause
from service.intake.provider import Forged, RawRequest
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import Path
from service.intake.verification import signing

Pairs = Sequence[tuple[str, str]]
MAX_PAIRS = 64


def either_header(request: RawRequest, name: str, alias: str) -> str | Forged:
    """Take a header that may come under either of two names, but not under both."""
    if alias:
        names = {key.replace("_", "-") for key, _ in request.headers}
        if {alias.lower(), name.lower()} <= names:
            why = f"The headers {name} and {alias} were both sent; only one is safe."
            return Forged(why, cause=Cause.REPEATED)
        name = alias if alias.lower() in names else name
    return signing.single(request, name)


def in_body(request: RawRequest, path: Path) -> str | Forged:
    """Take the signature out of a JSON body."""
    place, limit = path.expression, signing.MAX_HEADER
    try:
        found = path.find(mapping.read(request.body))
    except Unreadable as error:
        return Forged(str(error))
    match found:
        case str() if len(found) <= limit:
            return found
        case str():
            return Forged(f"The signature at {place} is longer than {limit} bytes.")
        case _:
            why = f"The body carries no signature at {place}."
            return Forged(why, cause=Cause.MISSING)


def pairs(header: str, separator: str, assign: str) -> Pairs:
    """Split `t=1,v1=ab`; what comes after the limit is not read."""
    items = header.split(separator, MAX_PAIRS)
    parts = [item.strip().partition(assign) for item in items[:MAX_PAIRS]]
    return [(name, value) for name, _, value in parts]
