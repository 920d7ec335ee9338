"""Errors as `application/problem+json` (RFC 9457): what was wrong, where, and how to mend it."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from aiohttp import web

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "5"}
UNEXPECTED = "Something went wrong on our side and nothing was changed; try again later."


class Refused(Exception):
    """The request is answered with a problem and changes nothing."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.close = close
        """Whether the connection cannot go on after this."""


def body(status: int, detail: str, *, instance: str | None = None) -> bytes:
    said: dict[str, str | int] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return orjson.dumps(said | ({"instance": instance} if instance else {}))


def response(refused: Refused, *, instance: str | None = None) -> web.Response:
    answer = web.Response(
        status=refused.status,
        body=body(refused.status, refused.detail, instance=instance),
        content_type=CONTENT_TYPE,
        headers=refused.headers,
    )
    if refused.close:
        answer.force_close()
    return answer


def unavailable(detail: str) -> Refused:
    return Refused(503, detail, headers=RETRY_AFTER)
