"""JSON bodies of the internal API: a request in, a checked model or a problem in words out."""

from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from service.web import limits
from service.web.limits import KIB, Budget
from service.web.listeners import LIMITS
from service.web.problems import Refused

MOST_BYTES = 64 * KIB
MOST_MISTAKES = 5

M = TypeVar("M", bound=BaseModel)


async def read(request: web.Request, shape: type[M]) -> M:
    """The body as this model; whatever the model does not know is a 400 that says so."""
    said = _decoded(await _received(request))
    if not isinstance(said, dict):
        raise Refused(400, f"The body must be a JSON object with {_known(shape)}.")
    try:
        # As JSON, not as Python: that is what the model's strictness is about.
        return shape.model_validate_json(orjson.dumps(said))
    except ValidationError as error:
        raise Refused(400, _told(error, shape)) from None


async def uninvited(_request: web.Request) -> None:
    """A body is asked for by whoever reads it: after the token, the type and the length."""


async def _received(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        raise Refused(415, "Send the body as Content-Type: application/json.", close=True)
    most = limits.content_length(request, limit=MOST_BYTES)
    limits.invite(request)
    body = bytearray()
    budget = Budget(MOST_BYTES)
    try:
        await limits.read(request, body, most=most, budget=budget, limits=request.app[LIMITS])
    finally:
        budget.give_back(len(body))
    return bytes(body)


def _decoded(body: bytes) -> Any:  # noqa: ANN401
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None


def _known(shape: type[BaseModel]) -> str:
    return ", ".join(shape.model_fields)


def _told(error: ValidationError, shape: type[BaseModel]) -> str:
    mistakes = error.errors(include_url=False, include_input=False, include_context=False)
    told = [_sentence(mistake, shape) for mistake in mistakes[:MOST_MISTAKES]]
    return " ".join(dict.fromkeys(told))


def _sentence(mistake: Any, shape: type[BaseModel]) -> str:  # noqa: ANN401
    """One mistake: where it is, what is wrong, and what would be right."""
    place = ".".join(str(part)[:64] for part in mistake["loc"])
    match mistake["type"]:
        case "extra_forbidden":
            field = shape.model_fields.get(str(mistake["loc"][0]))
            inner = _inner(field.annotation if field else None) if len(mistake["loc"]) > 1 else None
            return f"{place!r} is not known; known are {_known(inner or shape)}."
        case "missing":
            return f"{place!r} is missing."
        case "value_error":
            said = str(mistake["msg"]).removeprefix("Value error, ")
            return f"{place}: {said}" if place else said
        case _:
            return f"{place!r}: {mistake['msg']}."


def _inner(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    """The model in `Model` or in `Model | None`."""
    candidates = (annotation, *getattr(annotation, "__args__", ()))
    for each in candidates:
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
