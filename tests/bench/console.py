"""What the console costs with a million events behind it, and what it costs those who send.

Every page is asked for by HTTP from a gateway of its own, signed in, one request after the other;
pages come from the console's own routes, so that none is forgotten. Then webhooks are sent at half
of what this gateway can take, in turns without and with ten people who click at `run console` on
the same database: the figure to quote is the ratio of the two p99s of a pair. They stay on a page
for 7 seconds in the mean, as TPC-W has it, and to see where it ends for one second. `--keep FOLDER`
keeps the database for the next run.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import uvloop

from service.app.process import clock
from service.settings import Auth
from service.store import pool
from service.store.pool import Pool
from service.web.console import site
from service.web.console.routes import Console
from tests.bench import console_intake, console_store
from tests.bench.console_intake import WANTED, Pair
from tests.bench.console_site import Gateway, Visitor, gateway

TIMES, WARM = 40, 9
"""Every connection of the console has seen each page before it is timed."""
THINKS = (7.0, 1.0)
PAGE_MS, SEARCH_MS = 150.0, 50.0
REPORT = Path(__file__).resolve().parents[2] / "docs" / "bench" / "console.json"

NOT_PAGES: Mapping[str, str] = {
    "/live": "a line that stays open",
    "/sign-in": "asked for before anybody is signed in",
    "/welcome": "leads to the first page",
    "/oidc": "leads to the provider",
    "/oidc/back": "comes from the provider",
    "/dead-letters/plan": "leads back; the dry run is a POST",
    "/audit/verification": "leads back; the look at the chain is a POST",
    r"/sources/{name:[^/]+}/test": "leads back; the test is a POST",
    r"/static/{digest:[0-9a-f]{12}}/{name:[a-z.]+}": "kept by browsers for ever",
}
ORDER = r"/orders/{lifecycle:[^/]+}/{ref:[^/]+}"
PAGES: Mapping[str, Sequence[str]] = {
    "/": ("/",),
    "/now/attention": ("/now/attention",),
    "/orders": (
        "/orders",
        "/orders?status=delivered",
        "/orders?status=delivered&cursor={orders}",
        "/orders?flag=shipped_unpaid",
        "/orders?alias=tracking:cdek=1400123456",
    ),
    ORDER: ("/orders/order/A-1123456", "/orders/order/A-1000003"),
    f"{ORDER}/merge": ("/orders/order/A-1000010/merge?into=A-1000011",),
    r"/events/{id:[^/]+}": ("/events/{event}",),
    r"/events/{id:[^/]+}/request": ("/events/{event}/request",),
    "/dead-letters": ("/dead-letters",),
    "/dead-letters/list": (
        "/dead-letters/list",
        "/dead-letters/list?kind=sync&destination=crm&reason=refused",
        "/dead-letters/list?kind=sync&destination=crm&reason=refused&cursor={letters}",
        "/dead-letters/list?kind=event&reason=unmapped",
        "/dead-letters/list?source=cdek",
        "/dead-letters/list?source=shop",
        "/dead-letters/list?subject=A-1000007",
        "/dead-letters/list?resolution=redriven",
    ),
    r"/dead-letters/{id:[0-9a-fA-F-]{36}}": (
        "/dead-letters/{sync_letter}",
        "/dead-letters/{event_letter}",
    ),
    "/jobs": ("/jobs", "/jobs?kind=redrive&state=finished"),
    r"/jobs/{id:[0-9a-fA-F-]{36}}": ("/jobs/{job}",),
    "/replay": ("/replay?source=cdek",),
    "/sources": ("/sources",),
    r"/sources/{name:[^/]+}": ("/sources/cdek", "/sources/shop", "/sources/desk"),
    r"/sources/{name:[^/]+}/captures/{id:\d+}": ("/sources/desk/captures/{capture}",),
    "/destinations": ("/destinations",),
    r"/destinations/{name:[^/]+}": (
        "/destinations/crm",
        "/destinations/crm?class=error",
        "/destinations/crm?held=person",
    ),
    "/audit": ("/audit", "/audit?actor=nobody", "/audit?target=order/A-1000042"),
}
SEARCHES: Mapping[str, str] = {
    "order number": "A-1123456",
    "order number, small letters": "a-1123456",
    "its beginning": "A-11234",
    "tracking number": "1400123456",
    "tracking number with its type": "tracking:cdek=1400123456",
    "beginning of tracking numbers": "14001234",
    "payment id": "{payment}",
    "id of the record at the CRM": "7123456",
    "id of an event": "{event}",
    "a name that events wait for": "1500000042",
    "nothing there": "no-such-number",
}
PARTS = (
    *("/", "/now/attention", "/orders", "/orders/order/A-1123456", "/dead-letters", "/jobs"),
    *("/sources", "/destinations"),
)
"""Which are asked for again and again by open pages."""
EXAMPLES = {
    "event": "SELECT id FROM events ORDER BY id DESC OFFSET 60000 LIMIT 1",
    "capture": "SELECT id FROM captures ORDER BY id LIMIT 1",
    "job": "SELECT id FROM jobs ORDER BY id DESC LIMIT 1",
    "sync_letter": "SELECT id FROM dead_letters WHERE kind = 'sync' ORDER BY id DESC LIMIT 1",
    "event_letter": "SELECT id FROM dead_letters WHERE kind = 'event' ORDER BY id LIMIT 1",
    "payment": "SELECT value FROM aliases WHERE subject_id = 123456 AND type = 'payment:psp'",
}


@dataclass(frozen=True)
class Page:
    what: str
    p50: float
    p95: float
    cpu: float
    """Milliseconds of the gateway's own process for one."""
    bytes: int
    limit: float

    @property
    def slow(self) -> bool:
        return self.p95 > self.limit


async def examples(db: Pool) -> dict[str, str]:
    async with pool.session(db) as connection:
        return {name: str(await connection.fetchval(asked)) for name, asked in EXAMPLES.items()}


def pages(db: Pool, known: Mapping[str, str]) -> Iterator[str]:
    """The addresses of all pages there are; one that nobody thought of here fails."""
    auth = Auth()
    for route in site.routes(Console(db, auth, clock)):
        if route.method != "GET" or route.path in NOT_PAGES:
            continue
        if route.path not in PAGES:
            sys.exit(f"Say in {Path(__file__).name} how {route.path} is asked for.")
        for address in PAGES[route.path]:
            yield "/console" + address.format_map(known)


async def measured(
    visitor: Visitor, process: psutil.Process, address: str, *, limit: float, part: bool = False
) -> Page:
    for _ in range(WARM):
        await visitor.ask(address, part=part)
    used, took, size = _cpu(process), [], 0
    for _ in range(TIMES):
        seen = await visitor.ask(address, part=part)
        assert seen.status in (200, 204, 303), (address, seen.status, seen.body[:500])
        took.append(seen.ms)
        size = len(seen.body)
    cpu = (_cpu(process) - used) / TIMES * 1000
    what = f"{address} (its part)" if part else address
    return Page(what, statistics.median(took), _p(took, 95), cpu, size, limit)


async def walk(visitor: Visitor, process: psutil.Process, db: Pool) -> list[Page]:
    """Every page, every search, and the parts that open pages ask for."""
    known = await examples(db)
    known |= {name: await _second(visitor, address) for name, address in CURSORS.items()}
    addresses = [*pages(db, known)]
    found = [await measured(visitor, process, each, limit=PAGE_MS) for each in addresses]
    for text in SEARCHES.values():
        address = f"/console/orders?q={text.format_map(known)}"
        found.append(await measured(visitor, process, address, limit=SEARCH_MS))
    for address in PARTS:
        whole = f"/console{address}"
        found.append(await measured(visitor, process, whole, limit=PAGE_MS, part=True))
    return found


CURSORS = {
    "orders": "/console/orders?status=delivered",
    "letters": "/console/dead-letters/list?kind=sync&destination=crm&reason=refused",
}


async def _second(visitor: Visitor, address: str) -> str:
    """The cursor of the second page, as the first one links it."""
    body = (await visitor.get(address)).body.decode()
    return body.partition("cursor=")[2].partition('"')[0].partition("&")[0]


def show_pages(found: Sequence[Page]) -> None:
    print(f"\n{'server time of':78} {'p50':>7} {'p95':>7} {'CPU':>7} {'KiB':>6}  limit")
    for page in found:
        over = "  OVER" if page.slow else ""
        print(
            f"{page.what:78} {page.p50:7.1f} {page.p95:7.1f} {page.cpu:7.1f}"
            f" {page.bytes / 1024:6.0f}  {page.limit:.0f} ms{over}"
        )


def show_pairs(pairs: Sequence[Pair], thinks: float) -> None:
    print(f"\nten people, {thinks:g} s on a page in the mean", end="")
    print(f"\n{'accepted while':18} {'/s':>6} {'p50':>7} {'p99':>7} ms", end=" ")
    print(f"{'gateway':>8} {'postgres':>8} cores {'clicks':>6} {'parts':>6}")
    for pair in pairs:
        for name, turn in (("nobody looks", pair.alone), ("ten people click", pair.clicked)):
            print(
                f"{name:18} {turn.rate:6.0f} {turn.p50:7.1f} {turn.p99:7.1f} {turn.gateway:11.2f}"
                f" {turn.postgres:8.2f} {turn.clicks:12} {turn.parts:6}"
            )
    ratios = [pair.ratio for pair in pairs]
    print(
        f"p99 clicked / alone: median {statistics.median(ratios):.2f}"
        f" (min {min(ratios):.2f}, max {max(ratios):.2f}, {len(ratios)} pairs); wanted ≤ {WANTED}"
    )


def _cpu(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _p(took: Sequence[float], percent: int) -> float:
    return statistics.quantiles(took, n=100, method="inclusive")[percent - 1]


def write(file: Path, found: Sequence[Page], pairs: Sequence[Pair]) -> None:
    load = [round(each, 1) for each in os.getloadavg()]
    body = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "load": load, "python": platform.python_version()},
        "rows": {"orders": console_store.ORDERS, "events": console_store.ORDERS * 5},
        "pages": [asdict(page) for page in found],
        "intake": [asdict(pair) for pair in pairs],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    short = json.loads(json.dumps(body), parse_float=lambda digits: round(float(digits), 2))
    file.write_text(json.dumps(short, indent=1) + "\n")
    print(f"\nwritten to {file}")


async def run(words: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="orderhook-bench-"))
        Path(folder).chmod(0o711)
        kept = words.keep or Path(folder) / "store"
        dsn = await stack.enter_async_context(console_store.kept(kept))
        db = await stack.enter_async_context(pool.opened(dsn, size=1))
        gate: Gateway = await stack.enter_async_context(gateway(dsn, Path(folder)))
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        found: list[Page] = []
        if "pages" in words.what:
            visitor = Visitor(gate.internal)
            await visitor.sign_in(gate.link("anna"))
            await _warm(visitor)
            found = await walk(visitor, psutil.Process(gate.pid), db)
            show_pages(found)
        pairs: Sequence[Pair] = ()
        if "intake" in words.what:
            looked_at = gate
            if not words.together:
                apart = gateway(dsn, Path(folder) / "apart", role="console")
                looked_at = await stack.enter_async_context(apart)
            pairs = await console_intake.compared(
                gate,
                looked_at,
                db,
                pairs=words.pairs,
                seconds=words.seconds,
                thinks=words.thinks,
                rate=words.rate,
            )
            for thinks in words.thinks:
                show_pairs([pair for pair in pairs if pair.thinks == thinks], thinks)
        if words.report:
            write(words.report, found, pairs)


async def _warm(visitor: Visitor) -> None:
    """Until the figures of the first page were counted once."""
    began = time.perf_counter()
    while time.perf_counter() - began < 30:
        seen = await visitor.get("/console/now/attention")
        if b"delay:1s" not in seen.body:
            return
        await asyncio.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the console over a million events.")
    parser.add_argument("what", nargs="*", default=["pages", "intake"])
    parser.add_argument("--keep", type=Path, help="keep the database here for the next run")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each turn")
    parser.add_argument(
        "--thinks", type=float, nargs="+", default=THINKS, help="seconds on a page, in the mean"
    )
    parser.add_argument("--together", action="store_true", help="people look at the gateway itself")
    parser.add_argument("--rate", type=float, help="webhooks a second; usually half of the most")
    parser.add_argument("--report", type=Path, help=f"write JSON, as {REPORT.name} in docs/bench")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
