"""What the Python programs share: vectors out, judgements out."""

import json
import sys
from collections.abc import Callable
from typing import Any

CANNOT = 3
AT = "2026-01-15T10:30:05+00:00"
SECONDS = 1768473005
"""AT in unix seconds."""


def vector(
    name: str,
    *,
    by: str,
    source: dict[str, Any],
    headers: dict[str, str],
    body: str,
    genuine: bool = True,
    at: str = AT,
    **more: Any,
) -> dict[str, Any]:
    """Write a vector; `more` are other parts of the request, as `query` or `path`."""
    keys = {"keys": more.pop("keys")} if "keys" in more else {}
    request = {"method": "POST", "path": "/webhooks/tested", "headers": headers, "body": body}
    return {
        "name": name,
        "made_by": by,
        "source": source,
        **keys,
        "at": at,
        "request": request | more,
        "genuine": genuine,
    }


def main(
    sign: Callable[[], list[dict[str, Any]]],
    check: Callable[[dict[str, Any]], bool] | None = None,
) -> None:
    """Print vectors, or judge requests of standard input: each `source`, `at`, `request`."""
    if sys.argv[1:] != ["check"]:
        json.dump(sign(), sys.stdout)
    elif check is None:
        sys.exit(CANNOT)
    else:
        json.dump([check(each) for each in json.load(sys.stdin)], sys.stdout)
