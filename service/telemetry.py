"""What the service tells about itself: structured logs and Prometheus metrics, all named here."""

import logging
import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter, Gauge, Histogram

WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)

# docs/metrics.md says what each of them is good for; a test keeps the two together.
# Labels hold names from the configuration or words from this code, never what a sender sent:
# every series there can ever be is known at the start.
ACCEPT_SECONDS = Histogram(
    "orderhook_accept_seconds",
    "Seconds from a verified request to its durable commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
ALIAS_CONFLICTS = Counter(
    "orderhook_alias_conflicts_total", "Names that came to be claimed for several subjects."
)
ANOMALIES = Gauge(
    "orderhook_anomalies_open",
    "Anomalies that go on, counted up to 1000 each.",
    ["kind", "source"],
)
BATCH = Histogram(
    "orderhook_accept_batch_requests",
    "Requests stored by one group commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
BODY_BYTES = Gauge(
    "orderhook_http_body_bytes",
    "Bytes of request bodies held in memory now.",
    multiprocess_mode="livesum",
)
BREAKER_CHANGES = Counter(
    "orderhook_breaker_changes_total",
    "Times a worker opened or closed the breaker of a destination.",
    ["destination", "position"],
)
BREAKER_OPEN = Gauge(
    "orderhook_breaker_open",
    "1 while a destination is not called because it fails.",
    ["destination"],
)
BROKER_DECLARED = Counter(
    "orderhook_broker_declared_total",
    "Times a process declared anew what RabbitMQ had lost.",
)
BROKER_STATE = Gauge(
    "orderhook_broker_open",
    "1 while the broker connection is usable.",
    multiprocess_mode="livemin",
)
BROKER_TRANSITIONS = Counter(
    "orderhook_broker_transitions_total", "State changes of broker connections.", ["link", "state"]
)
BUDGET_LEFT = Gauge(
    "orderhook_budget_left_ratio",
    "What is left of a quota of a day or more, from 1 to 0.",
    ["destination", "limit"],
)
BUDGET_WAIT_SECONDS = Counter(
    "orderhook_budget_wait_seconds_total",
    "Seconds that calls waited for their budget, added up.",
    ["destination"],
)
BUILD = Gauge(
    "orderhook_build_info",
    "Always 1; the labels say what runs here.",
    ["version", "python", "role"],
    multiprocess_mode="livemax",
)
CONNECTIONS = Gauge(
    "orderhook_http_connections",
    "Open client connections.",
    ["listener"],
    multiprocess_mode="livesum",
)
CRM_CALLS = Counter(
    "orderhook_crm_calls_total", "Calls to a destination by how they ended.", ["destination", "end"]
)
CRM_SECONDS = Histogram("orderhook_crm_call_seconds", "Time of one call.", ["destination"])
CRM_THROTTLED = Counter(
    "orderhook_crm_calls_throttled_total",
    "Calls that were put off because the budget was spent.",
    ["destination"],
)
DEAD_LETTERS = Gauge(
    "orderhook_dead_letters_open",
    "Dead letters nobody has dealt with, counted up to 10000 each.",
    ["kind", "destination", "reason"],
)
DEAD_QUEUE = Gauge(
    "orderhook_dead_queue_messages",
    "Messages waiting in the dead-letter queue; above 0 for longer, the recorder is down.",
)
DESTINATION_PAUSED = Gauge(
    "orderhook_destination_paused",
    "1 while a destination is paused, by a person or by an answer that only a person can mend.",
    ["destination", "cause"],
)
DESTINATION_PAUSES = Counter(
    "orderhook_destination_pauses_total",
    "Times an answer paused a destination.",
    ["destination", "cause"],
)
FENCES_LOST = Counter(
    "orderhook_fences_lost_total", "Results that came after their lease was taken.", ["destination"]
)
FOLDED = Counter("orderhook_events_folded_total", "Events taken through the fold.")
FOLD_SECONDS = Histogram(
    "orderhook_fold_seconds",
    "Seconds one batch of events took to fold and commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
FOLD_WAIT_SECONDS = Histogram(
    "orderhook_accepted_to_folded_seconds",
    "Seconds from the acceptance of an event to its fold.",
    buckets=WAITS,
)
GAUGES_REFRESHED = Gauge(
    "orderhook_gauges_refreshed_timestamp_seconds",
    "When the gauges that are counted in the database were last counted.",
)
HTTP_ANSWERS = Counter(
    "orderhook_http_answers_total", "HTTP answers by listener and status.", ["listener", "status"]
)
HTTP_SECONDS = Histogram(
    "orderhook_http_seconds",
    "Seconds from the end of a request's headers to its answer.",
    ["listener"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HTTP_SHED = Counter(
    "orderhook_http_shed_total",
    "Connections and requests put off because a bound of the listener was reached.",
    ["reason"],
)
JOB_ROWS = Counter("orderhook_job_rows_total", "Rows done by jobs of operators.", ["kind"])
KEY_CONFLICTS = Counter(
    "orderhook_key_conflicts_total",
    "Events whose key was known with another meaning.",
    ["source"],
)
KEY_FETCHES = Counter(
    "orderhook_key_fetches_total",
    "Questions to key servers by how they ended.",
    ["source", "outcome"],
)
LOOKUPS = Counter(
    "orderhook_lookups_total", "Look-ups at senders by how they ended.", ["source", "outcome"]
)
LOOKUPS_OLDEST = Gauge(
    "orderhook_lookups_oldest_seconds",
    "Seconds since the oldest look-up that is owed came to be owed.",
    ["source"],
)
LOOKUPS_OWED = Gauge(
    "orderhook_lookups_owed", "Look-ups that are owed, counted up to 10000 in all.", ["source"]
)
LOOP_LAG_SECONDS = Histogram(
    "orderhook_loop_lag_seconds",
    "Seconds a timer of the event loop came too late.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
MALFORMED = Counter(
    "orderhook_malformed_messages_total", "Messages in the work queue that name no work."
)
OUTBOX_ENTRIES = Gauge(
    "orderhook_outbox_entries", "Events owed to the fold, counted up to 10000.", ["priority"]
)
OUTBOX_OLDEST = Gauge(
    "orderhook_outbox_oldest_seconds",
    "Seconds since the oldest event that is owed to the fold was accepted.",
    ["priority"],
)
PARTITION_DAYS = Gauge(
    "orderhook_partition_days_ahead", "Days after today for which partitions stand ready."
)
POISONED = Counter("orderhook_events_poisoned_total", "Events that kept failing the fold.")
PUBLISHED = Counter(
    "orderhook_published_entries_total", "Outbox entries handed to the broker.", ["road"]
)
PUBLISH_FAILURES = Counter(
    "orderhook_publish_failures_total", "Messages the broker did not confirm.", ["road"]
)
REFOLDS = Counter("orderhook_refolds_total", "Subjects folded again from all of their events.")
REQUESTS = Counter(
    "orderhook_requests_total", "Webhook requests by source and answer.", ["source", "outcome"]
)
RETENTION_HELD_BACK = Gauge(
    "orderhook_retention_days_held_back",
    "Day partitions past their time that still hold too much that is needed.",
    multiprocess_mode="livemax",
)
RETENTION_PURGED = Counter(
    "orderhook_retention_purged_total", "What left because it was past its time.", ["what"]
)
RETENTION_REFUSED = Counter(
    "orderhook_retention_refused_total",
    "Subjects whose events were not purged, because they would have folded to something else.",
)
RETENTION_RUN = Gauge(
    "orderhook_retention_run_timestamp_seconds",
    "When retention ran to its end last.",
    multiprocess_mode="max",
)
SOURCE_GAP = Gauge(
    "orderhook_source_usual_gap_seconds",
    "The usual gap between two accepted requests of a source.",
    ["source"],
)
SOURCE_HEARD = Gauge(
    "orderhook_source_heard_timestamp_seconds",
    "When a source was last heard.",
    ["source"],
)
SOURCE_SILENT = Gauge(
    "orderhook_source_silent", "1 while an alarm about a source's silence stands.", ["source"]
)
SPOOLED = Counter(
    "orderhook_spooled_requests_total",
    "Requests that went to the local spool because PostgreSQL did not answer.",
    ["source"],
)
SPOOL_BYTES = Gauge("orderhook_spool_bytes", "Bytes of sealed requests in the local spool.")
SPOOL_REQUESTS = Gauge("orderhook_spool_requests", "Requests in the local spool, not yet drained.")
SUBJECTS_FLAGGED = Gauge(
    "orderhook_subjects_flagged",
    "Subjects whose lanes contradict each other, counted up to 10000.",
    ["flag"],
)
SUSPECTED = Counter(
    "orderhook_events_suspected_total", "Entries whose message came back from the broker too often."
)
SYNCS_OWED = Gauge(
    "orderhook_syncs_owed",
    "Subjects whose newest version a destination does not show yet, counted up to 10000.",
    ["destination", "state"],
)
SYNC_WAIT_SECONDS = Histogram(
    "orderhook_accepted_to_synced_seconds",
    "Seconds from the acceptance of the oldest event behind a write to its success.",
    ["destination"],
    buckets=WAITS,
)
TASK_RESTARTS = Counter(
    "orderhook_task_restarts_total", "Supervised tasks started again after they ended.", ["task"]
)
TASK_SILENCE = Gauge(
    "orderhook_task_silent_seconds",
    "Seconds a supervised task has not got on, though it has work; 0 while it waits for some.",
    ["task"],
    multiprocess_mode="livemax",
)
TASK_STALLS = Counter(
    "orderhook_task_stalls_total", "Supervised tasks that had work and did not get on.", ["task"]
)
TASK_UP = Gauge(
    "orderhook_task_up",
    "1 while a supervised task runs, 0 while it waits to be started again.",
    ["task"],
    multiprocess_mode="livemin",
)
UNFINISHED = Gauge(
    "orderhook_outbox_unfinished",
    "Entries with the broker or a worker, up to the window + 1.",
    multiprocess_mode="livemax",
)
UNMAPPED = Gauge(
    "orderhook_unmapped_open",
    "Events with a word that their source does not map, of the oldest 10000 dead letters.",
    ["source"],
)
WORK_BATCH = Histogram(
    "orderhook_fold_batch_events",
    "Events taken from the broker at a time.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 400),
)

DRIVERS = ("aio_pika", "aiormq", "asyncpg", "opentelemetry")
TALKATIVE = ("aio_pika", "aiormq")
"""They report every lost connection several times over; `broker_link` says it once."""
LARGEST_NUMBER = 2**63
AS_TEXT = (
    orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_STRICT_INTEGER
)
LONGEST_FIELD = 2048
LONGEST_TRACE = 16384
MOST_ITEMS = 32

_request: ContextVar[UUID | None] = ContextVar("request", default=None)


def announce(*, version: str, role: str) -> None:
    """Say in the metrics what runs here."""
    BUILD.labels(version, platform.python_version(), role).set(1)


def serve(request_id: UUID) -> None:
    """Let every line of this task, and of those it starts, name the request it is for."""
    _request.set(request_id)


def age(made_at: float) -> float:
    """Seconds since a moment of the wall clock: for display only, since clocks differ."""
    return max(0.0, time.time() - made_at)


def configure_logging(*, json: bool | None = None) -> None:
    """Send logs to stderr: one JSON object a line, or coloured text when that is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[structlog.types.Processor] = [
        name_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if as_json:
        _configure([*shared, json_line], structlog.BytesLoggerFactory(sys.stderr.buffer))
        _adopt_libraries(shared, _json_text)
    else:
        # Its usual tracebacks show local variables, among them bodies and secrets.
        text = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        _configure([*shared, tidy, text], structlog.PrintLoggerFactory(sys.stderr))
        _adopt_libraries([*shared, tidy], text)


def _configure(
    processors: list[structlog.types.Processor],
    factory: Callable[..., structlog.types.WrappedLogger],
) -> None:
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )


def name_request(
    _logger: object, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Add the request that is served here."""
    if (request_id := _request.get()) is not None:
        event.setdefault("request_id", str(request_id))
    return event


def json_line(logger: object, method: str, event: structlog.types.EventDict) -> bytes:
    """Write JSON; what is plain as it stands, as nearly every line is, needs not be made tidy."""
    try:
        line = orjson.dumps(event, default=_as_json, option=AS_TEXT)
    except orjson.JSONEncodeError:
        line = b""
    return line if _is_plain(line) else orjson.dumps(tidy(logger, method, event), default=str)


def _json_text(logger: object, method: str, event: structlog.types.EventDict) -> str:
    return json_line(logger, method, event).decode()


def _is_plain(line: bytes) -> bool:
    """Whether no field can be too long, or hold what JSON escapes or a terminal obeys."""
    return (
        0 < len(line) <= LONGEST_FIELD
        and line.isascii()
        and b"\\" not in line
        and b"\x7f" not in line
    )


def _as_json(value: object) -> object:
    match value:
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return list(value)
        case _:
            return str(value)


def _adopt_libraries(
    shared: list[structlog.types.Processor], renderer: structlog.types.Processor
) -> None:
    """Bring what libraries say through `logging` into the same form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, without_insides, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def without_insides(
    _logger: object, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """A server that goes away is no surprise: of a driver's traceback only the error is kept."""
    if event["logger"].startswith(DRIVERS) and (trace := event.pop("exc_info", None)):
        event["error"] = repr(trace[1])
    return event


def tidy(
    _logger: object, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Bound every field and escape what could forge a line or repaint a terminal."""
    trace = event.get("exception")
    clean = {key: _clean(value) for key, value in event.items()}
    if isinstance(trace, str):
        lines = trace[-LONGEST_TRACE:].splitlines()
        clean["exception"] = "\n".join(clean_text(line) for line in lines)
    return clean


def _clean(value: object, depth: int = 0) -> object:
    match value:
        case str():
            return clean_text(value)
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < LARGEST_NUMBER else str(value)
        case list() | tuple() | set() | frozenset() if depth < 3:
            return [_clean(item, depth + 1) for item in list(value)[:MOST_ITEMS]]
        case Mapping() if depth < 3:
            some = list(value.items())[:MOST_ITEMS]
            return {clean_text(str(key)): _clean(item, depth + 1) for key, item in some}
        case _:
            return clean_text(str(value))


def clean_text(text: str) -> str:
    """The text without control, bidirectional and surrogate characters, and not too long."""
    if text.isascii() and text.isprintable() and len(text) <= LONGEST_FIELD:
        return text
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text[:LONGEST_FIELD]
    )
    return shown if len(text) <= LONGEST_FIELD else f"{shown}… ({len(text)} characters)"
