"""Lets the vendors' own clients work with our simulated CRMs.

    .venv/bin/python -m tests.oracles.crms [CRM …] [--write]

Each program of `crm/` is named after its CRM (`monday.py`, `monday-node.mjs`), takes the
simulator's URL and a token, and fails where the client and the simulator do not understand each
other. --write keeps what they said to each other in tests/golden/clients/, so that later simulators
are held to it without the clients; where ids are drawn anew each time (`DRAWN`) nothing is kept.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from service.sandbox.dialects.base import Dialect
from service.sandbox.dialects.bitrix24 import WEBHOOK, Bitrix24
from service.sandbox.dialects.registry import DIALECTS
from service.sandbox.dialects.retailcrm import KEY, RetailCrm
from service.sandbox.dialects.salesforce import Salesforce
from tests.contract.peers import Time
from tests.oracles.run import javascript, python

HERE = Path(__file__).parent
KEPT = HERE.parent / "golden" / "clients"
SECONDS = 60
UNSTABLE = {"correlationId"}
SHOWN = (
    "Authorization",
    "Content-Type",
    "If-Match",
    "Prefer",
    "X-Api-Key",
    "X-Api-Token",
    "X-Odoo-Database",
)
"""Headers that a simulator looks at."""
DRAWN = ("suitecrm", "twenty")
APART = ("bitrix24", "erpnext", "espocrm", "odoo", "retailcrm", "suitecrm")
"""Their clients want packages that do not go with those of the others."""
TOKEN = "{token}"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Said = dict[str, Any]


def prepared(name: str) -> tuple[Dialect, str]:
    """A simulator with the records that its program expects, and a token it lets in."""
    kind = next(each for each in DIALECTS if each.name == name)
    dialect = kind(clock=Time())
    dialect.seed("A-1")
    dialect.seed("A-2")
    if isinstance(dialect, Salesforce):
        for place in range(250):
            dialect.seed(f"B-{place}")
        dialect.seed("TWICE")
        dialect.seed("TWICE")
    if isinstance(dialect, Bitrix24):
        dialect.meters.clear()
        dialect.seed_order("A-1")
        dialect.desk.refresh.add("refresh-first")
        return dialect, WEBHOOK
    if isinstance(dialect, RetailCrm):
        dialect.meters.clear()
        return dialect, KEY
    shown = dialect.destination("http://127.0.0.1").get("token")
    if isinstance(shown, str):
        return dialect, shown.removeprefix("plain:")
    assert dialect.desk is not None, name
    return dialect, dialect.desk.issue()


def crm(path: Path) -> str:
    """`monday.py` and `monday-node.mjs` are both of monday."""
    return path.stem.partition("-")[0]


def shape(value: Any) -> Any:
    """What a client relies on of an answer: its keys and the kinds of its values."""
    match value:
        case dict():
            return {name: shape(each) for name, each in value.items() if name not in UNSTABLE}
        case list():
            return [shape(each) for each in value[:2]]
        case _:
            return type(value).__name__


def decoded(text: str) -> Any:
    """JSON as it is, other text as text."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


class Recorder:
    """Notes what was asked and the shape of each answer, but never the token."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.said: list[Said] = []

    @web.middleware
    async def note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        text = (await request.read()).decode()
        response = await handler(request)
        assert isinstance(response, web.Response)
        if '"auth"' in text:
            # A token in the body is drawn anew each time.
            return response
        headers = {name: request.headers[name] for name in SHOWN if name in request.headers}
        self.said.append(
            {
                "method": request.method,
                "path": request.raw_path.replace(self.token, TOKEN),
                "headers": {
                    name: each.replace(self.token, TOKEN) for name, each in headers.items()
                },
                "body": decoded(text.replace(self.token, TOKEN)),
                "status": response.status,
                "answer": shape(decoded(response.text or "")),
            }
        )
        return response


def command(program: Path) -> list[str]:
    if program.suffix == ".py":
        # Safe path: a program may be named as the package it imports.
        return [str(python("crm" if crm(program) in APART else "py")), "-P", str(program)]
    # Node looks for packages beside the program it runs.
    copied = javascript() / f"crm-{program.name}"
    copied.write_bytes(program.read_bytes())
    return ["node", str(copied)]


async def converse(program: Path) -> list[Said]:
    """Run one program against its simulator."""
    dialect, token = prepared(crm(program))
    recorder, app = Recorder(token), dialect.application()
    app.middlewares.append(recorder.note)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        words = [*command(program), f"http://{host}:{port}", token]
        done = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
        async with asyncio.timeout(SECONDS):
            _, errors = await done.communicate()
    finally:
        await runner.cleanup()
    if done.returncode:
        raise SystemExit(f"{program.name}:\n{errors.decode()}")
    return recorder.said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crms", nargs="*")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    for program in sorted([*(HERE / "crm").glob("*.py"), *(HERE / "crm").glob("*.mjs")]):
        if asked.crms and crm(program) not in asked.crms:
            continue
        said = asyncio.run(converse(program))
        if asked.write and crm(program) not in DRAWN:
            KEPT.mkdir(exist_ok=True)
            text = json.dumps(said, indent=1, ensure_ascii=False)
            (KEPT / f"{program.stem}.json").write_text(f"{text}\n")
        sys.stdout.write(f"{program.name}: {len(said)} calls, all understood\n")


if __name__ == "__main__":
    main()
