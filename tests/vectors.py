"""Requests written down in files, as goldens and oracles are: JSON in, requests out, and back."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from service.domain.events import Fate, Statement
from service.intake.provider import Keys, RawRequest, Reply

GOLDEN = Path(__file__).parent / "golden"
ORACLES = GOLDEN / "oracles"

ALWAYS = (
    *("dedupe_key", "lifecycle", "scope", "ref", "lane", "status", "code", "occurred_at"),
    *("attributes", "fate", "note"),
)
NEW = {"parcel", "returns", "aliases", "reason", "money", "revokes", "lookup"}


def read_request(said: Mapping[str, Any], *, at: datetime) -> RawRequest:
    """Read `{method, path, query, headers, body | body_base64}`."""
    tail = f"/{said['tail']}" if "tail" in said else ""
    path = said.get("path", f"/webhooks/tested{tail}")
    query = said.get("query", "")
    return RawRequest(
        method=said.get("method", "POST"),
        path=path,
        query=query,
        headers=[(name.lower(), value) for name, value in said.get("headers", {}).items()],
        body=read_body(said),
        received_at=at,
        tail=unquote("/".join(path.split("/")[3:])),
        url=said.get("url", f"https://hooks.example.com{path}{f'?{query}' if query else ''}"),
    )


def read_body(said: Mapping[str, Any]) -> bytes:
    if "body_base64" in said:
        return base64.b64decode(said["body_base64"])
    return str(said.get("body", "")).encode()


def read_keys(said: Mapping[str, Any]) -> Keys:
    """What stands behind the addresses of keys."""
    return {url: document.encode() for url, document in said.get("keys", {}).items()}


def write_request(request: RawRequest) -> dict[str, Any]:
    said: dict[str, Any] = {"method": request.method, "path": request.path, "url": request.url}
    if request.query:
        said["query"] = request.query
    return said | {"headers": dict(request.headers)} | write_body(request.body)


def write_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def canonical(statement: Statement) -> dict[str, Any]:
    """Write a statement; what few senders tell only where it is there."""
    said = asdict(statement)
    when = statement.occurred_at
    said["occurred_at"] = when.isoformat() if when else None
    said["fate"] = Fate(statement.fate).value
    said["aliases"] = [{"type": each.type, "value": each.value} for each in statement.aliases]
    said["money"] = [_without_defaults(asdict(each)) for each in statement.money]
    for name in ("revokes", "lookup"):
        found = getattr(statement, name)
        said[name] = found._asdict() if found else None
    return {name: said[name] for name in ALWAYS} | {
        name: said[name] for name in sorted(NEW) if said[name]
    }


def _without_defaults(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value not in (None, "")}


def answer(reply: Reply | None) -> dict[str, Any] | None:
    """Write the answer a sender must read."""
    if reply is None:
        return None
    return {"status": reply.status, "headers": dict(reply.headers)} | write_body(reply.body)


def save(path: Path, said: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", "utf-8")
